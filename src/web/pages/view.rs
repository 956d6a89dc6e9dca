//! Albums, queries and numbers as the templates see them.

use super::links;
use crate::collection::{Album, Decade, Facet, Facets, Order, PAGE_SIZE, Page, Query, Sort};
use minijinja::{Value, context};

/// What a tile of the grid shows.
pub(super) fn tile(album: &Album) -> Value {
    context! {
        id => album.id,
        artist => album.record.artist.as_str(),
        title => album.record.title.as_str(),
        imprint => imprint(album),
        cover_url => album.record.cover_url.as_deref(),
    }
}

/// Everything about one album.
pub(super) fn album(album: &Album) -> Value {
    context! {
        release_id => album.record.release_id,
        artist => album.record.artist.as_str(),
        title => album.record.title.as_str(),
        imprint => imprint(album),
        labels => texts(&album.record.labels),
        catalogue_numbers => texts(&album.record.catalogue_numbers),
        formats => texts(&album.record.formats),
        folder => album.record.folder.as_deref(),
        rating => album.record.rating,
        date_added => album.record.date_added.as_deref(),
        added => album.record.date_added.as_deref().map(spelled_date),
        media_condition => album.record.media_condition.as_deref(),
        sleeve_condition => album.record.sleeve_condition.as_deref(),
        notes => album.record.notes.as_deref(),
        cover_url => album.record.cover_url.as_deref(),
    }
}

/// Links that narrow the grid to one name each.
pub(super) fn narrowing(names: &[String], narrow: impl Fn(String) -> Query) -> Value {
    let link =
        |name: &String| context! { name => name.as_str(), href => links::address(&narrow(name.clone())) };
    names.iter().map(link).collect()
}

pub(super) fn query(query: &Query) -> Value {
    context! {
        text => query.text.as_deref(),
        sort => query.sort.name(),
        order => query.order.map(Order::name),
        genre => query.genre.as_deref(),
        style => query.style.as_deref(),
        format => query.format.as_deref(),
        decade => query.decade,
    }
}

pub(super) fn page(page: &Page) -> Value {
    let first = u64::from(page.page.saturating_sub(1)) * u64::from(PAGE_SIZE) + 1;
    context! {
        page => page.page,
        pages => page.pages,
        total => page.total,
        first => first,
        last => first + (page.albums.len() as u64).max(1) - 1,
    }
}

/// The neighbours' addresses and the pager's numbers.
pub(super) fn links(query: &Query, page: &Page) -> Value {
    let address = |number: u32| links::address(&Query { page: number, ..query.clone() });
    let link = |number: Option<u32>| match number {
        Some(number) => context! { page => number, href => address(number) },
        None => context! { page => 0 },
    };
    context! {
        previous => (page.page > 1).then(|| address(page.page - 1)),
        next => (page.page < page.pages).then(|| address(page.page + 1)),
        pages => links::numbers(page.page, page.pages).into_iter().map(link).collect::<Value>(),
    }
}

/// What the grid is narrowed by, each with the address that drops it.
pub(super) fn chips(query: &Query) -> Vec<Value> {
    let chip = |name: String, rest: Query| {
        context! { name => name, without => links::address(&Query { page: 1, ..rest }) }
    };
    let base = || query.clone();
    let text = query.text.as_ref().map(|text| chip(format!("“{text}”"), Query { text: None, ..base() }));
    let genre = query.genre.as_ref().map(|name| chip(name.clone(), Query { genre: None, ..base() }));
    let style = query.style.as_ref().map(|name| chip(name.clone(), Query { style: None, ..base() }));
    let format = query.format.as_ref().map(|name| chip(name.clone(), Query { format: None, ..base() }));
    let decade = query.decade.map(|from| chip(format!("{from}s"), Query { decade: None, ..base() }));
    [text, genre, style, format, decade].into_iter().flatten().collect()
}

pub(super) fn sorts(query: &Query) -> Value {
    let name = |sort| match sort {
        Sort::Artist => "Artist",
        Sort::Title => "Title",
        Sort::Year => "Year",
        Sort::DateAdded => "Date added",
        Sort::Rating => "Rating",
    };
    let option =
        |sort: Sort| context! { value => sort.name(), name => name(sort), chosen => sort == query.sort };
    Sort::ALL.into_iter().map(option).collect()
}

/// The usual order is no choice, so that another sort brings its own.
pub(super) fn orders(query: &Query) -> Value {
    let (up, down) = match query.sort {
        Sort::Artist | Sort::Title => ("A to Z", "Z to A"),
        Sort::Year | Sort::DateAdded => ("Oldest first", "Newest first"),
        Sort::Rating => ("Lowest first", "Highest first"),
    };
    let option = |order: Order| {
        let name = if order == Order::Ascending { up } else { down };
        let usual = order == query.sort.natural_order();
        let chosen = query.order == Some(order) || usual && query.order.is_none();
        context! { value => if usual { "" } else { order.name() }, name => name, chosen => chosen }
    };
    [Order::Ascending, Order::Descending].into_iter().map(option).collect()
}

pub(super) fn facets(facets: &Facets, query: &Query) -> Value {
    context! {
        genres => names(&facets.genres, query.genre.as_deref()),
        styles => names(&facets.styles, query.style.as_deref()),
        formats => names(&facets.formats, query.format.as_deref()),
        decades => decades(&facets.decades, query.decade),
    }
}

/// In the order of the alphabet; a chosen name that is too rare for the list is there all the same.
fn names(facets: &[Facet], chosen: Option<&str>) -> Value {
    let is_chosen = |name: &str| chosen.is_some_and(|chosen| chosen.to_lowercase() == name.to_lowercase());
    let mut facets: Vec<&Facet> = facets.iter().collect();
    facets.sort_by_cached_key(|facet| facet.name.to_lowercase());
    let rare = chosen.filter(|_| !facets.iter().any(|facet| is_chosen(&facet.name)));
    let rare = rare.map(|name| context! { value => name, name => name, chosen => true });
    let listed = facets.into_iter().map(|facet| {
        let name = facet.name.as_str();
        context! { value => name, name => name, albums => facet.albums, chosen => is_chosen(name) }
    });
    rare.into_iter().chain(listed).collect()
}

fn decades(decades: &[Decade], chosen: Option<i32>) -> Value {
    let option = |from: i32, albums: Option<u64>| {
        context! { value => from, name => format!("{from}s"), albums => albums, chosen => chosen == Some(from) }
    };
    let rare = chosen.filter(|from| !decades.iter().any(|decade| decade.from == *from));
    let rare = rare.map(|from| option(from, None));
    rare.into_iter().chain(decades.iter().map(|decade| option(decade.from, Some(decade.albums)))).collect()
}

/// The one word that tells an LP from a single: the first part of the first format that names
/// a medium's size.
fn medium(album: &Album) -> &str {
    let parts = || album.record.formats.iter().flat_map(|format| format.split(", "));
    let sized = |part: &&str| part.ends_with("LP") || part.ends_with('"') || part.ends_with("EP");
    parts().find(sized).or_else(|| parts().next()).unwrap_or_default()
}

/// `1968 · 2xLP`: also what a tile says under the title.
fn imprint(album: &Album) -> String {
    let year = album.record.year.map(|year| year.to_string());
    let parts = [year.as_deref().unwrap_or_default(), medium(album)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// `31 January 2016` of `2016-01-31...`; anything else as it is.
fn spelled_date(date: &str) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let number =
        |range: std::ops::Range<usize>| date.get(range).and_then(|digits| digits.parse::<usize>().ok());
    match (number(0..4), number(5..7), number(8..10)) {
        (Some(year), Some(month @ 1..=12), Some(day)) => format!("{day} {} {year}", MONTHS[month - 1]),
        _ => date.to_owned(),
    }
}

fn texts(texts: &[String]) -> Value {
    texts.iter().map(|text| Value::from(text.as_str())).collect()
}
