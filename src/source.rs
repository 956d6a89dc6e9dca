//! Where a cover comes from: the URL that is fetched as it was given, the canonical string that
//! names the picture under all its addresses, and the key made of that. Pure; resolves no name
//! and contacts nobody (who may be contacted is [`crate::guard`]'s).

mod discogs;

use crate::key::CacheKey;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Browsers and proxies agree on about this much; Discogs' signed addresses take some 250 bytes.
const URL_BYTES_MAX: usize = 2048;
/// RFC 1035, 2.3.4: a name, and a label of it.
const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// The URL of a cover at its origin, parsed once at the door.
///
/// One strict reading of a URL: whatever two parsers could understand differently (credentials,
/// backslashes, control characters, other than ASCII, IPv4 in octal, hex or one number, zone
/// ids, a dot after the host) is refused rather than interpreted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    key: CacheKey,
    canonical: String,
    url: String,
    https: bool,
    host: String,
    port: u16,
}

impl Source {
    /// ```
    /// use vinylvault::source::{Source, SourceError};
    /// let source = Source::parse("HTTP://Example.com:80?a=B#c").unwrap();
    /// assert_eq!(source.canonical(), "http://example.com/?a=B");
    /// assert_eq!(Source::parse("http://0x7f.1/"), Err(SourceError::Host));
    /// ```
    pub fn parse(url: &str) -> Result<Source, SourceError> {
        if url.len() > URL_BYTES_MAX {
            return Err(SourceError::TooLong);
        }
        if !url.bytes().all(may_stand_in_a_url) {
            return Err(SourceError::Character);
        }
        let url = url.split_once('#').map_or(url, |(before, _)| before);
        let (scheme, rest) = url.split_once("://").ok_or(SourceError::Scheme)?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(SourceError::Scheme),
        };
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = parse_authority(authority)?;
        let port = port.unwrap_or(default_port(https));

        let canonical = discogs::file_name(&host, tail)
            .filter(|_| port == default_port(https))
            .map(|name| format!("discogs:{name}"))
            .unwrap_or_else(|| normalised(https, &host, port, tail));
        Ok(Source { key: CacheKey::of(&canonical), canonical, url: url.to_owned(), https, host, port })
    }

    /// Where a `Location` header of this source's answer leads (RFC 3986, 5.2), under the same
    /// strict reading.
    pub fn join(&self, location: &str) -> Result<Source, SourceError> {
        let scheme = if self.https { "https" } else { "http" };
        if has_scheme(location) {
            return Source::parse(location);
        }
        if location.starts_with("//") {
            return Source::parse(&format!("{scheme}:{location}"));
        }
        let (before, rest) = self.url.split_once("://").ok_or(SourceError::Scheme)?;
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let path = tail.split('?').next().unwrap_or_default();
        let target = match location.chars().next() {
            None | Some('#') => tail.to_owned(),
            Some('/') => location.to_owned(),
            Some('?') => format!("{path}{location}"),
            Some(_) => beside(path, location),
        };
        Source::parse(&format!("{before}://{authority}{target}"))
    }

    pub fn key(&self) -> CacheKey {
        self.key
    }

    /// [`Source::url`] for people: without what would let a reader fetch in the owner's name. The
    /// first segment of an address at Discogs' picture host signs it; what any other host takes for a
    /// token stands among the values of its query.
    ///
    /// ```
    /// use vinylvault::source::Source;
    /// let source = Source::parse("https://nas.example/cover?id=7&token=secret").unwrap();
    /// assert_eq!(source.public_url(), "https://nas.example/cover?id=[hidden]&token=[hidden]");
    /// let signed = Source::parse("https://i.discogs.com/sIgNaTuRe/rs:fit/w:600/a.jpeg").unwrap();
    /// assert_eq!(signed.public_url(), "https://i.discogs.com/[signature]/rs:fit/w:600/a.jpeg");
    /// ```
    pub fn public_url(&self) -> String {
        let url = hide_values(&self.url);
        let Some((scheme, rest)) = url.split_once("://") else { return url };
        match rest.splitn(3, '/').collect::<Vec<_>>()[..] {
            [host, _, path] if self.host == discogs::SIGNED_HOST => {
                format!("{scheme}://{host}/[signature]/{path}")
            }
            _ => url,
        }
    }

    /// [`Source::canonical`], as [`Source::public_url`].
    pub fn public_canonical(&self) -> String {
        hide_values(&self.canonical)
    }

    /// `discogs:<file name>` or the normalised URL.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The URL as it is fetched: never edited, Discogs signs the whole path. Without the fragment,
    /// which no server is ever sent.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Somebody else's words about this source, as a log may show them.
    ///
    /// ```
    /// use vinylvault::source::Source;
    /// let source = Source::parse("http://example.com/a?token=secret").unwrap();
    /// assert_eq!(source.redacted("bad uri /a?token=secret"), "bad uri /a?...");
    /// ```
    pub fn redacted(&self, text: &str) -> String {
        let named = text.replace(&self.url, &self.to_string());
        match self.hidden() {
            "" => named,
            hidden => named.replace(hidden, "..."),
        }
    }

    /// The end of the URL that no log may show.
    fn hidden(&self) -> &str {
        let is_signed = self.host == "discogs.com" || self.host.ends_with(".discogs.com");
        let begins = match (is_signed, self.url.find("://")) {
            (true, Some(scheme)) => self.url[scheme + 3..].find(['/', '?']).map(|at| scheme + 3 + at + 1),
            _ => self.url.find('?').map(|at| at + 1),
        };
        begins.map_or("", |at| &self.url[at..])
    }

    /// The longer side of the picture that this address asks its origin for, pixels; `None` where it
    /// does not say, which is as large as there is.
    ///
    /// ```
    /// use vinylvault::source::Source;
    /// let side = |url| Source::parse(url).unwrap().asked_side();
    /// assert_eq!(side("https://i.discogs.com/s/rs:fit/g:sm/q:40/h:150/w:147/czM6Ly9h.jpeg"), Some(150));
    /// assert_eq!(side("https://example.org/h:150/w:150/a.jpeg"), None);
    /// ```
    pub fn asked_side(&self) -> Option<u32> {
        let path = self.url.split('?').next().unwrap_or_default();
        (self.host == discogs::SIGNED_HOST).then(|| discogs::side(path)).flatten()
    }

    /// Lower case, without brackets for an IPv6 literal.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn is_https(&self) -> bool {
        self.https
    }
}

impl fmt::Display for Source {
    /// For logs: the address without its query, which may hold somebody's token, and of Discogs the name
    /// of the picture, for there the path itself is signed.
    ///
    /// ```
    /// use vinylvault::source::Source;
    /// let source = Source::parse("https://example.com:8443/a/b.jpg?token=secret").unwrap();
    /// assert_eq!(source.to_string(), "https://example.com:8443/a/b.jpg");
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = self.hidden().len();
        match self.canonical.starts_with("discogs:") {
            true => f.write_str(&self.canonical),
            false => f.write_str(self.url[..self.url.len() - hidden].trim_end_matches('?')),
        }
    }
}

/// Addresses that Discogs gives where there is no picture (`spacer.gif`, `default-release*`, empty).
///
/// ```
/// use vinylvault::source::names_no_cover;
/// assert!(names_no_cover("https://st.discogs.com/0a1b2c/images/spacer.gif"));
/// assert!(!names_no_cover("https://example.com/spacer.gif.jpg"));
/// ```
pub fn names_no_cover(url: &str) -> bool {
    let path = url.trim().split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    path.is_empty() || name == "spacer.gif" || name.starts_with("default-release")
}

/// A host name or address in the one spelling that [`Source::host`] uses.
///
/// A name is of letters, digits, hyphens and underscores; one whose last label is a number is
/// an IPv4 address in disguise (`2130706433`, `0x7f.1`) unless it is one in plain sight.
pub(crate) fn parse_host(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']')?;
        return inner.parse::<Ipv6Addr>().is_ok().then(|| inner.to_ascii_lowercase());
    }
    let text = text.to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if text.len() > HOST_BYTES_MAX || !text.split('.').all(is_label) {
        return None;
    }
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    (!is_number || text.parse::<Ipv4Addr>().is_ok()).then_some(text)
}

/// 1 to 65535, without sign or leading zeros.
pub(crate) fn parse_port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

/// Why a text is no source. A sentence for a person; never worth another try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceError {
    TooLong,
    Scheme,
    UserInfo,
    Host,
    Port,
    Character,
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceError::TooLong => write!(f, "the address is longer than {URL_BYTES_MAX} bytes"),
            SourceError::Scheme => f.write_str("the address does not begin with http:// or https://"),
            SourceError::UserInfo => f.write_str("the address contains a user name"),
            SourceError::Host => f.write_str("the address has no host name that can be used"),
            SourceError::Port => f.write_str("the port of the address is not a number from 1 to 65535"),
            SourceError::Character => {
                f.write_str("the address contains a character that must be written as %XX")
            }
        }
    }
}

impl std::error::Error for SourceError {}

/// The names of a query stay, its values do not; a query that is no list of pairs goes whole.
fn hide_values(url: &str) -> String {
    let Some((before, query)) = url.split_once('?') else { return url.to_owned() };
    let hidden = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) => format!("{name}=[hidden]"),
        None => "[hidden]".to_owned(),
    });
    format!("{before}?{}", hidden.collect::<Vec<_>>().join("&"))
}

/// Printable ASCII without what RFC 3986 leaves out and parsers quarrel about. `^`, `{`, `|` and
/// `}` are left out there too, but origins use them and nobody misreads them.
fn may_stand_in_a_url(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>' | b'`')
}

fn parse_authority(authority: &str) -> Result<(String, Option<u16>), SourceError> {
    if authority.contains('@') {
        return Err(SourceError::UserInfo);
    }
    let after_brackets = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match authority[after_brackets..].find(':') {
        Some(colon) => authority.split_at(after_brackets + colon),
        None => (authority, ""),
    };
    let host = parse_host(host).ok_or(SourceError::Host)?;
    let port = match port.strip_prefix(':') {
        Some(digits) => Some(parse_port(digits).ok_or(SourceError::Port)?),
        None => None,
    };
    Ok((host, port))
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

fn normalised(https: bool, host: &str, port: u16, tail: &str) -> String {
    let scheme = if https { "https" } else { "http" };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let port = if port == default_port(https) { String::new() } else { format!(":{port}") };
    let slash = if tail.starts_with('/') { "" } else { "/" };
    format!("{scheme}://{host}{port}{slash}{tail}")
}

/// `name:` before any of `/?#`, as RFC 3986 defines a scheme.
fn has_scheme(reference: &str) -> bool {
    let Some(at) = reference.find([':', '/', '?', '#']) else { return false };
    let name = &reference.as_bytes()[..at];
    reference.as_bytes()[at] == b':'
        && name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}

/// A relative path, seen from the folder of `path`, with `.` and `..` resolved.
fn beside(path: &str, reference: &str) -> String {
    let (reference, query) = reference.split_at(reference.find(['?', '#']).unwrap_or(reference.len()));
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut segments: Vec<&str> = folder.split('/').skip(1).collect();
    let mut ends_in_folder = false;
    for segment in reference.split('/') {
        ends_in_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    let slash = if ends_in_folder && !segments.is_empty() { "/" } else { "" };
    format!("/{}{slash}{query}", segments.join("/"))
}
