//! HTML: minijinja templates and static files, embedded in the binary. Turns values into text;
//! reads no database, no cache and no request.

mod assets;
mod covers;
mod escape;
mod links;
mod numbers;
mod view;

pub use assets::{Asset, asset};

use crate::collection::{Album, Facets, Page, Query};
use minijinja::value::{Serde, Value};
use minijinja::{Environment, context};
use std::fmt;

const TEMPLATES: [(&str, &str); 8] = [
    ("layout.html", include_str!("../../templates/layout.html")),
    ("cover.html", include_str!("../../templates/cover.html")),
    ("howto.html", include_str!("../../templates/howto.html")),
    ("grid.html", include_str!("../../templates/grid.html")),
    ("album.html", include_str!("../../templates/album.html")),
    ("status.html", include_str!("../../templates/status.html")),
    ("import.html", include_str!("../../templates/import.html")),
    ("error.html", include_str!("../../templates/error.html")),
];

/// The compiled templates: one for the program, shared by its threads.
pub struct Pages {
    environment: Environment<'static>,
}

/// Everything of a page that is not the collection's.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// What `?v=` carries in the addresses of covers.
    pub version: &'a str,
    /// Byte lengths of the placeholder WebPs (thumbnails, detail).
    pub placeholder_bytes: [u64; 2],
    pub total_albums: u64,
    /// Pixels, as configured.
    pub thumbnail_side: u32,
    pub detail_side: u32,
}

/// How a person empties the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emptying {
    ByButton,
    /// A page has no admin token, and should not have one.
    ByCommand,
}

impl Pages {
    /// # Panics
    /// When a template does not compile, which the tests of this module would have told.
    pub fn new() -> Pages {
        let mut environment = Environment::new();
        environment.set_formatter(escape::write_escaped);
        environment.add_function("get_thumbnail_url", covers::thumbnail);
        environment.add_function("get_detail_image_url", covers::detail);
        environment.add_function("get_placeholder_url", covers::placeholder);
        environment.add_function("static", assets::address);
        environment.add_filter("thousands", numbers::thousands);
        environment.add_filter("bytes", numbers::bytes);
        environment.add_filter("percent", numbers::percent);
        for (name, source) in TEMPLATES {
            environment.add_template(name, source).expect("the embedded templates compile");
        }
        Pages { environment }
    }

    /// `/`: the shelf, or how to fill it.
    pub fn grid(
        &self,
        frame: &Frame,
        query: &Query,
        page: &Page,
        facets: &Facets,
    ) -> Result<String, PageError> {
        self.render(
            "grid.html",
            frame,
            context! {
                here => "shelf",
                query => view::query(query),
                narrowed => query.is_narrowed(),
                page => view::page(page),
                albums => page.albums.iter().map(view::tile).collect::<Value>(),
                links => view::links(query, page),
                chips => view::chips(query),
                sorts => view::sorts(query),
                orders => view::orders(query),
                facets => view::facets(facets, query),
            },
        )
    }

    /// `/album/{id}`.
    pub fn album(&self, frame: &Frame, album: &Album) -> Result<String, PageError> {
        let all = || Query { page: 1, ..Query::default() };
        let by = Query { text: Some(album.record.artist.clone()), ..all() };
        self.render(
            "album.html",
            frame,
            context! {
                album => view::album(album),
                artist_href => links::address(&by),
                genres => view::narrowing(&album.record.genres, |name| Query { genre: Some(name), ..all() }),
                styles => view::narrowing(&album.record.styles, |name| Query { style: Some(name), ..all() }),
            },
        )
    }

    /// `/cache`: what `GET /api/cache/stats` says, for people. A key that is missing is a dash.
    pub fn status(
        &self,
        frame: &Frame,
        stats: &serde_json::Value,
        emptying: Emptying,
    ) -> Result<String, PageError> {
        let stats = Value::from(Serde(stats));
        let has_button = emptying == Emptying::ByButton;
        self.render("status.html", frame, context! { here => "cache", stats, has_button })
    }

    /// `/import`: how albums get here.
    pub fn import(&self, frame: &Frame) -> Result<String, PageError> {
        self.render("import.html", frame, context! {})
    }

    /// The error page: status, one sentence for a person.
    pub fn error(&self, status: u16, sentence: &str) -> String {
        let heading = match status {
            404 => "Not on the shelf",
            405 => "Not that way",
            421 => "Another address",
            429 => "One moment",
            503 => "Too busy just now",
            400..=499 => "That did not work",
            _ => "Something broke",
        };
        let bare = Frame {
            version: "",
            placeholder_bytes: [0; 2],
            total_albums: 0,
            thumbnail_side: 0,
            detail_side: 0,
        };
        let error = context! { status => status, heading => heading, sentence => sentence };
        let page = self.render("error.html", &bare, error);
        // The last resort says it without a template, and so without the sentence, which would
        // need escaping.
        page.unwrap_or_else(|_| format!("<!doctype html><title>{heading}</title><h1>{status} {heading}</h1>"))
    }

    fn render(&self, name: &str, frame: &Frame, page: Value) -> Result<String, PageError> {
        let [thumbnails, detail] = frame.placeholder_bytes;
        let frame = context! {
            version => frame.version,
            placeholder_bytes => context! { thumbnails => thumbnails, detail => detail },
            total_albums => frame.total_albums,
            thumbnail_side => frame.thumbnail_side,
            detail_side => frame.detail_side,
        };
        let template = self.environment.get_template(name).map_err(PageError)?;
        template.render(context! { ..page, ..frame }).map_err(PageError)
    }
}

impl Default for Pages {
    fn default() -> Pages {
        Pages::new()
    }
}

/// A template that could not be rendered: a defect of ours, never worth another try.
#[derive(Debug)]
pub struct PageError(minijinja::Error);

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The alternate form carries the template's lines; `Display` alone names place and cause.
        write!(f, "cannot render a page: {}", self.0)
    }
}

impl std::error::Error for PageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
