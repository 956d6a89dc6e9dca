//! The grid's addresses: a query as the shortest address that asks for it, and the pager.

use crate::collection::Query;

/// Neighbours of the current page that the pager names.
const AROUND: u32 = 1;

/// `/` with what differs from the defaults.
pub(super) fn address(query: &Query) -> String {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    let texts =
        [("q", &query.text), ("genre", &query.genre), ("style", &query.style), ("format", &query.format)];
    for (name, text) in texts {
        pairs.extend(text.iter().map(|text| (name, encode(text))));
    }
    pairs.extend(query.decade.map(|decade| ("decade", decade.to_string())));
    if query.sort != Default::default() {
        pairs.push(("sort", query.sort.name().to_owned()));
    }
    pairs.extend(query.order.map(|order| ("order", order.name().to_owned())));
    if query.page > 1 {
        pairs.push(("page", query.page.to_string()));
    }
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    if pairs.is_empty() { "/".to_owned() } else { format!("/?{}", pairs.join("&")) }
}

/// The page numbers that the pager shows: the ends and the neighbourhood; `None` is a gap.
pub(super) fn numbers(page: u32, pages: u32) -> Vec<Option<u32>> {
    let near = page.saturating_sub(AROUND).max(1)..=page.saturating_add(AROUND).min(pages);
    let mut shown: Vec<u32> = [1].into_iter().chain(near).chain([pages]).collect();
    shown.sort_unstable();
    shown.dedup();
    let mut numbers = Vec::new();
    let mut last = 0;
    for number in shown {
        match number - last {
            0 | 1 => {}
            // A gap of one page is as wide as that page's number.
            2 => numbers.push(Some(last + 1)),
            _ => numbers.push(None),
        }
        numbers.push(Some(number));
        last = number;
    }
    numbers
}

/// Percent-encoding of a query's value: everything but RFC 3986's unreserved characters.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            b' ' => encoded.push('+'),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::{Order, Sort};

    #[test]
    fn an_address_names_only_what_differs_from_the_defaults() {
        assert_eq!(address(&Query { page: 1, ..Query::default() }), "/");
        let query = Query {
            text: Some("sigur rós & co".to_owned()),
            genre: Some("Funk / Soul".to_owned()),
            decade: Some(1970),
            sort: Sort::Year,
            order: Some(Order::Descending),
            page: 3,
            ..Query::default()
        };
        let expected =
            "/?q=sigur+r%C3%B3s+%26+co&genre=Funk+%2F+Soul&decade=1970&sort=year&order=desc&page=3";
        assert_eq!(address(&query), expected);
    }

    #[test]
    fn the_pager_shows_the_ends_and_the_neighbours() {
        let text = |page, pages| {
            let number = |number: Option<u32>| number.map_or("…".to_owned(), |number| number.to_string());
            numbers(page, pages).into_iter().map(number).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(text(1, 1), "1");
        assert_eq!(text(1, 2), "1 2");
        assert_eq!(text(1, 21), "1 2 … 21");
        assert_eq!(text(4, 21), "1 2 3 4 5 … 21");
        assert_eq!(text(10, 21), "1 … 9 10 11 … 21");
        assert_eq!(text(21, 21), "1 … 20 21");
        assert_eq!(text(u32::MAX, u32::MAX), format!("1 … {} {}", u32::MAX - 1, u32::MAX));
    }
}
