//! (method, target) to [`Route`]. Pure: every path has one spelling, and what is no route cannot
//! be expressed further in. No text of a request ever becomes part of a file's path.

use crate::cache::jobs::JobId;
use crate::cache::memory::Format;
use crate::key::{CacheKey, Variant};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cover {
    pub variant: Variant,
    pub key: CacheKey,
    pub format: Format,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    Cover(Cover),
    Placeholder(Variant, Format),
    ImageByUrl,
    Stats,
    History,
    Collection,
    Clear,
    Preload,
    Cleanup,
    Explain,
    Job(JobId),
    Health,
    Ready,
    Metrics,
    Grid,
    Album(i64),
    Random,
    CachePage,
    ImportPage,
    Static(&'a str),
}

impl<'a> Route<'a> {
    /// The name of every cover's route.
    pub const COVER: &'static str = "cover";
    /// The name of what is no route.
    pub const NONE: &'static str = "none";

    /// ```
    /// use vinylvault::web::route::Route;
    /// assert_eq!(Route::parse("/album/7"), Some(Route::Album(7)));
    /// assert_eq!(Route::parse("/album/07"), None);
    /// assert_eq!(Route::parse("/cache/thumbnails/../../vinylvault.db"), None);
    /// ```
    pub fn parse(path: &'a str) -> Option<Route<'a>> {
        if let Some(rest) = path.strip_prefix("/cache/") {
            return Route::below_cache(rest);
        }
        if let Some(rest) = path.strip_prefix("/api/") {
            return Route::below_api(rest);
        }
        if let Some(name) = path.strip_prefix("/static/") {
            return Some(Route::Static(name));
        }
        if let Some(id) = path.strip_prefix("/album/") {
            return number(id).map(Route::Album);
        }
        match path {
            "/" => Some(Route::Grid),
            "/random" => Some(Route::Random),
            "/cache" => Some(Route::CachePage),
            "/import" => Some(Route::ImportPage),
            "/health" => Some(Route::Health),
            "/ready" => Some(Route::Ready),
            "/metrics" => Some(Route::Metrics),
            _ => None,
        }
    }

    fn below_cache(rest: &str) -> Option<Route<'a>> {
        let (folder, file) = rest.split_once('/')?;
        let (stem, extension) = file.rsplit_once('.')?;
        let format = match extension {
            "webp" => Format::WebP,
            "jpg" => Format::Jpeg,
            _ => return None,
        };
        if folder == "placeholders" {
            let variant = Variant::parse(stem.strip_prefix("placeholder_")?)?;
            return Some(Route::Placeholder(variant, format));
        }
        let variant = Variant::parse(folder)?;
        Some(Route::Cover(Cover { variant, key: CacheKey::parse(stem)?, format }))
    }

    fn below_api(rest: &str) -> Option<Route<'a>> {
        match rest {
            "collection" => Some(Route::Collection),
            "cache/stats" => Some(Route::Stats),
            "cache/history" => Some(Route::History),
            "cache/clear" => Some(Route::Clear),
            "cache/preload" => Some(Route::Preload),
            "cache/cleanup" => Some(Route::Cleanup),
            "cache/image" => Some(Route::ImageByUrl),
            "cache/explain" => Some(Route::Explain),
            _ => number(rest.strip_prefix("jobs/")?).and_then(|id| u64::try_from(id).ok()).map(Route::Job),
        }
    }

    /// The methods it answers to, as an `Allow` header lists them.
    pub fn methods(self) -> &'static [&'static str] {
        match self {
            Route::Clear | Route::Preload | Route::Cleanup => &["POST"],
            Route::Job(_) => &["GET", "HEAD", "DELETE"],
            _ => &["GET", "HEAD"],
        }
    }

    /// What metrics call it.
    pub fn name(self) -> &'static str {
        match self {
            Route::Cover(_) => Route::COVER,
            Route::Placeholder(..) => "placeholder",
            Route::ImageByUrl => "image",
            Route::Stats => "stats",
            Route::History => "history",
            Route::Collection => "collection",
            Route::Explain => "explain",
            Route::Clear => "clear",
            Route::Preload => "preload",
            Route::Cleanup => "cleanup",
            Route::Job(_) => "job",
            Route::Health => "health",
            Route::Ready => "ready",
            Route::Metrics => "metrics",
            Route::Grid => "grid",
            Route::Album(_) => "album",
            Route::Random => "random",
            Route::CachePage => "cache",
            Route::ImportPage => "import",
            Route::Static(_) => "static",
        }
    }

    /// Whether it is a program that asks.
    pub fn is_api(self) -> bool {
        matches!(
            self,
            Route::ImageByUrl
                | Route::Stats
                | Route::History
                | Route::Collection
                | Route::Clear
                | Route::Preload
                | Route::Cleanup
                | Route::Explain
                | Route::Job(_)
                | Route::Health
                | Route::Ready
                | Route::Metrics
        )
    }
}

/// Whether errors at this target are for a program: JSON. Any text, be it no target at all.
pub fn is_for_programs(target: &str) -> bool {
    let (path, _) = split_target(target);
    path.starts_with("/api/")
        || path.starts_with("/cache/")
        || Route::parse(path).is_some_and(|route| route.is_api())
}

/// Path and query of a target.
pub fn split_target(target: &str) -> (&str, &str) {
    target.split_once('?').unwrap_or((target, ""))
}

/// The first value of `name` in a query string, decoded; `None` if absent or not decodable.
///
/// ```
/// use vinylvault::web::route::parameter;
/// assert_eq!(parameter("q=a%20b+c&page=2", "q").as_deref(), Some("a b c"));
/// assert_eq!(parameter("q=%zz", "q"), None);
/// ```
pub fn parameter(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })?;
    decode(value)
}

/// All pairs of a query string whose values can be decoded, in order.
pub fn parameters(query: &str) -> impl Iterator<Item = (&str, String)> {
    query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((name, decode(value)?))
    })
}

/// Percent- and plus-decoded; `None` where that is not UTF-8.
fn decode(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Digits without sign or leading zero: a number has one spelling.
fn number(text: &str) -> Option<i64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cover_has_one_spelling() {
        let key = CacheKey::of("x");
        assert_eq!(
            Route::parse(&format!("/cache/detail/{key}.jpg")),
            Some(Route::Cover(Cover { variant: Variant::Detail, key, format: Format::Jpeg }))
        );
        for wrong in [
            format!("/cache/Detail/{key}.jpg"),
            format!("/cache/detail/{key}.png"),
            format!("/cache/detail/{}.webp", key.to_string().to_uppercase()),
            format!("/cache/detail//{key}.webp"),
            format!("/cache/detail/{key}.webp/"),
            format!("/cache/./detail/{key}.webp"),
            format!("/cache/%64etail/{key}.webp"),
            "/cache/detail/../../index.db".to_owned(),
            "/cache/covers/".to_owned(),
            "/cache/".to_owned(),
        ] {
            assert_eq!(Route::parse(&wrong), None, "{wrong}");
        }
    }
}
