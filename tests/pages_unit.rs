//! What the pages promise to browsers: the exact image, no text that is not escaped, nothing
//! inline that the content security policy forbids, addresses that work.

use serde_json::json;
use vinylvault::collection::{Album, Decade, Facet, Facets, Page, Query, Record};
use vinylvault::source::Source;
use vinylvault::web::pages::{Emptying, Frame, Pages, asset};

const HOSTILE: &str = "<script>alert('x')</script>\" onload=\"alert(1)";

fn frame() -> Frame<'static> {
    Frame {
        version: "abc123",
        placeholder_bytes: [612, 1834],
        total_albums: 125,
        thumbnail_side: 150,
        detail_side: 600,
    }
}

fn album(id: i64) -> Album {
    Album {
        id,
        record: Record {
            release_id: Some(249504),
            artist: "Sigur Rós".to_owned(),
            title: "Ágætis Byrjun".to_owned(),
            year: Some(1999),
            labels: vec!["Smekkleysa".to_owned()],
            catalogue_numbers: vec!["SM 79".to_owned()],
            formats: vec!["2xLP, Album, Gat".to_owned()],
            genres: vec!["Funk / Soul".to_owned()],
            styles: vec!["Post Rock".to_owned()],
            folder: Some("Living room".to_owned()),
            rating: Some(4),
            date_added: Some("2016-01-31T20:34:56Z".to_owned()),
            media_condition: Some("Mint (M)".to_owned()),
            sleeve_condition: Some("Very Good Plus (VG+)".to_owned()),
            notes: Some("first line\nsecond line".to_owned()),
            cover_url: None,
            ..Record::default()
        },
        key: None,
    }
}

/// The first album, with a cover at `url`.
fn with_cover(url: &str) -> Album {
    let plain = album(1);
    let record = Record { cover_url: Some(url.to_owned()), ..plain.record };
    Album { record, ..plain }
}

fn page_of(albums: Vec<Album>, page: u32, pages: u32) -> Page {
    Page { albums, total: 125, page, pages }
}

fn facets() -> Facets {
    let facet = |name: &str, albums| Facet { name: name.to_owned(), albums };
    Facets {
        genres: vec![facet("Rock", 70), facet("Funk / Soul", 55)],
        styles: vec![facet("Post Rock", 3)],
        formats: vec![facet("LP", 100)],
        decades: vec![Decade { from: 1990, albums: 20 }],
    }
}

fn grid(query: &Query, page: &Page) -> String {
    Pages::new().grid(&frame(), query, page, &facets()).unwrap()
}

fn assert_has(html: &str, part: &str) {
    assert!(html.contains(part), "`{part}` is missing in:\n{html}");
}

#[test]
fn a_tile_has_the_image_that_scripts_and_tests_look_for() {
    let albums = (1..=20).map(album).collect();
    let html = grid(&Query::default(), &page_of(albums, 1, 3));
    let lazy = "<span class=\"album-cover\"><img class=\"lazy-load\" loading=\"lazy\" decoding=\"async\" \
                width=\"150\" height=\"150\" src=\"/cache/placeholders/placeholder_thumbnails.webp\" alt=\"\" \
                data-original-src=\"\" data-size-type=\"thumbnails\"></span>";
    assert_has(&html, lazy);
    assert_has(&html, "loading=\"eager\" decoding=\"async\" fetchpriority=\"high\"");
    assert_eq!(html.matches("class=\"lazy-load\"").count(), 20);
    assert_has(&html, "<a href=\"/album/20\">");
    assert_has(&html, "data-placeholder-thumbnails=\"612\" data-placeholder-detail=\"1834\"");
}

#[test]
fn a_cover_is_addressed_by_its_key_and_names_its_origin() {
    let url = "https://img.example/a.jpg?w=1&h=2";
    let key = Source::parse(url).unwrap().key();
    let covered = Album { key: Some(key), ..with_cover(url) };
    let html = grid(&Query::default(), &page_of(vec![covered.clone()], 1, 1));
    assert_has(
        &html,
        &format!("src=\"/cache/thumbnails/{key}.webp?v=abc123\" alt=\"Cover of Ágætis Byrjun by Sigur Rós\""),
    );
    assert_has(
        &html,
        "data-original-src=\"https://img.example/a.jpg?w=1&amp;h=2\" data-size-type=\"thumbnails\"",
    );
    let html = Pages::new().album(&frame(), &covered).unwrap();
    assert_has(&html, &format!("src=\"/cache/detail/{key}.webp?v=abc123\""));
    // What is no address gets the placeholder's own address and is never asked for.
    let odd = with_cover("data:image/png;base64,AAAA");
    let html = Pages::new().album(&frame(), &odd).unwrap();
    assert_has(&html, "src=\"/cache/placeholders/placeholder_detail.webp\"");
}

#[test]
fn an_albums_page_tells_everything_and_links_to_its_release() {
    let html = Pages::new().album(&frame(), &album(7)).unwrap();
    let facts = [
        "<h1>Ágætis Byrjun</h1>",
        "1999 · 2xLP",
        "Smekkleysa",
        "SM 79",
        "2xLP, Album, Gat",
        "Living room",
        "Mint (M)",
        "Very Good Plus (VG+)",
        "first line\nsecond line",
        "aria-label=\"Rated 4 of 5\"",
        "<time datetime=\"2016-01-31T20:34:56Z\">31 January 2016</time>",
        "<a href=\"/?genre=Funk+%2F+Soul\">Funk / Soul</a>",
        "src=\"/cache/placeholders/placeholder_detail.webp\"",
        "width=\"600\" height=\"600\"",
        "data-size-type=\"detail\"",
        "href=\"https://www.discogs.com/release/249504\" rel=\"noopener\"",
    ];
    for fact in facts {
        assert_has(&html, fact);
    }
    assert_eq!(html.matches("class=\"lit\"").count(), 4);
}

#[test]
fn what_is_unknown_is_left_out() {
    let bare = Album {
        id: 1,
        record: Record { artist: "A".to_owned(), title: "B".to_owned(), ..Record::default() },
        ..Album::default()
    };
    let html = Pages::new().album(&frame(), &bare).unwrap();
    for absent in ["<dt>", "none", "undefined", "rating", "discogs.com/release"] {
        assert!(!html.contains(absent), "`{absent}` in {html}");
    }
}

#[test]
fn hostile_text_is_text_everywhere() {
    let plain = album(1);
    let record = Record {
        artist: HOSTILE.to_owned(),
        title: HOSTILE.to_owned(),
        labels: vec![HOSTILE.to_owned()],
        catalogue_numbers: vec![HOSTILE.to_owned()],
        formats: vec![HOSTILE.to_owned()],
        genres: vec![HOSTILE.to_owned()],
        styles: vec![HOSTILE.to_owned()],
        folder: Some(HOSTILE.to_owned()),
        date_added: Some(HOSTILE.to_owned()),
        media_condition: Some(HOSTILE.to_owned()),
        notes: Some(HOSTILE.to_owned()),
        ..plain.record
    };
    let hostile = Album { record, ..plain };
    let query = Query {
        text: Some(HOSTILE.to_owned()),
        genre: Some(HOSTILE.to_owned()),
        style: Some(HOSTILE.to_owned()),
        format: Some(HOSTILE.to_owned()),
        ..Query::default()
    };
    let pages = Pages::new();
    let stats = json!({ "total_entries": HOSTILE, "origins": [{ HOSTILE: HOSTILE }] });
    let all = [
        grid(&query, &page_of(vec![hostile.clone()], 2, 3)),
        pages.album(&frame(), &hostile).unwrap(),
        pages.status(&frame(), &stats, Emptying::ByButton).unwrap(),
        pages.error(400, HOSTILE),
    ];
    for html in all {
        assert!(!html.contains("<script>"), "{html}");
        assert!(!html.contains("\" onload"), "{html}");
        assert_has(&html, "&lt;script&gt;");
    }
}

#[test]
fn nothing_inline_is_left_for_the_policy_to_forbid() {
    let pages = Pages::new();
    let empty = Frame { total_albums: 0, ..frame() };
    let all = [
        grid(&Query::default(), &page_of(vec![album(1)], 1, 1)),
        grid(&Query { text: Some("x".to_owned()), ..Query::default() }, &page_of(vec![], 1, 1)),
        pages.grid(&empty, &Query::default(), &page_of(vec![], 1, 1), &Facets::default()).unwrap(),
        pages.album(&frame(), &album(1)).unwrap(),
        pages.status(&frame(), &json!({}), Emptying::ByCommand).unwrap(),
        pages.import(&frame()).unwrap(),
        pages.error(404, "There is no such record."),
    ];
    for html in all {
        for forbidden in [" style=", "<style", "onclick", "onload", "javascript:"] {
            assert!(!html.contains(forbidden), "`{forbidden}` in {html}");
        }
        assert_eq!(html.matches("<script").count(), html.matches("<script src=\"/static/app.js?v=").count());
        assert_eq!(html.matches("<h1>").count(), 1, "{html}");
        // What Discogs' terms ask for, on every page.
        assert_has(
            &html,
            "Data provided by <a href=\"https://www.discogs.com\" rel=\"noopener\">Discogs</a>.",
        );
        assert_has(&html, "is not affiliated with, sponsored or endorsed by Discogs.");
        assert!(!html.contains("nofollow"));
    }
}

#[test]
fn a_page_in_the_middle_leads_to_its_neighbours_and_keeps_what_was_asked() {
    let query = Query::from_pairs([("genre", "Rock"), ("sort", "year"), ("page", "2")]);
    let html = grid(&query, &page_of(vec![album(1)], 2, 3));
    assert_has(&html, "<a class=\"step\" rel=\"prev\" href=\"/?genre=Rock&amp;sort=year\">");
    assert_has(&html, "rel=\"next\" href=\"/?genre=Rock&amp;sort=year&amp;page=3\"");
    assert_has(&html, "<a aria-current=\"page\"");
    assert_has(&html, "<option value=\"Rock\" selected>Rock (70)</option>");
    assert_has(&html, "<option value=\"year\" selected>Year</option>");
    assert_has(&html, "<option value=\"\" selected>Oldest first</option>");
    // The chip drops the filter and goes back to the first page.
    assert_has(&html, "<a class=\"chip\" href=\"/?sort=year\"");
}

#[test]
fn an_empty_shelf_tells_how_to_fill_it_and_an_empty_search_does_not() {
    let pages = Pages::new();
    let none = page_of(vec![], 1, 1);
    let empty = Frame { total_albums: 0, ..frame() };
    let html = pages.grid(&empty, &Query::default(), &none, &Facets::default()).unwrap();
    assert_has(&html, "vinylvault import collection.csv");
    assert!(!html.contains("name=\"q\""));
    let html = grid(&Query { text: Some("zzz".to_owned()), ..Query::default() }, &none);
    assert_has(&html, "Nothing on the shelf matches.");
    assert_has(&html, "value=\"zzz\"");
    assert!(!html.contains("vinylvault import"));
}

#[test]
fn a_number_that_the_server_does_not_know_is_a_dash() {
    let stats = json!({ "total_entries": 12_345, "hit_rate": null });
    let html = Pages::new().status(&frame(), &stats, Emptying::ByButton).unwrap();
    assert_has(&html, "12,345 pictures");
    assert_has(&html, "<dt>Hit rate</dt><dd>–</dd>");
    assert!(!html.contains("<dd>0</dd>"));
}

#[test]
fn an_error_is_a_whole_page_with_its_sentence() {
    let html = Pages::new().error(404, "There is no record 77.");
    for part in [
        "<p class=\"status\">404</p>",
        "There is no record 77.",
        "<a class=\"button\" href=\"/\">",
        "</html>",
    ] {
        assert_has(&html, part);
    }
}

#[test]
fn static_files_are_addressed_by_their_content() {
    let html = grid(&Query::default(), &page_of(vec![], 1, 1));
    for name in ["app.css", "app.js", "vinyl-icon.svg", "manifest.webmanifest"] {
        let asset = asset(name).unwrap();
        assert_eq!(asset.etag, format!("\"{}\"", asset.version));
        assert_has(&html, &format!("/static/{name}?v={}", asset.version));
        assert!(!asset.bytes.is_empty());
    }
    for name in ["", "app.css/", "../Cargo.toml", "App.css", "app.css?v=1"] {
        assert!(asset(name).is_none(), "{name}");
    }
}
