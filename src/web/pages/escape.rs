//! How text becomes HTML. minijinja also escapes the slash, which protects nothing in a quoted
//! attribute and makes every address in the page's source unreadable (`&#x2f;cache&#x2f;...`).

use minijinja::{AutoEscape, Error, Output, State, Value, escape_formatter};

/// The templates' formatter: the five characters that end text or an attribute in quotes.
pub(super) fn write_escaped(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if !value.is_safe() && matches!(state.auto_escape(), AutoEscape::Html) => {
            write_text(out, text).map_err(Error::from)
        }
        _ => escape_formatter(out, state, value),
    }
}

fn write_text(out: &mut Output, text: &str) -> std::fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
        let (plain, special) = rest.split_at(at);
        out.write_str(plain)?;
        out.write_str(match special.as_bytes()[0] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            _ => "&#39;",
        })?;
        rest = &special[1..];
    }
    out.write_str(rest)
}
