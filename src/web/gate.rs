//! Who may ask: the `Host` a request names (DNS rebinding), the page it comes from (cross-site
//! requests), the token of the owner, and the address of a client behind a proxy. Pure decisions
//! over headers; writes no answer.

use std::net::IpAddr;

use crate::config::Secret;
use crate::door::Exchange;
use crate::guard::Range;

/// `Host` names that are answered.
#[derive(Clone, Debug)]
pub struct Hosts {
    extra: Vec<String>,
    machine: Option<String>,
}

impl Hosts {
    /// `extra` are the owner's names (`*.` in front is every name below), beyond addresses,
    /// `localhost`, one-label names, `*.local` and `machine`.
    pub fn new(extra: Vec<String>, machine: Option<String>) -> Hosts {
        let lower = |name: String| name.to_ascii_lowercase();
        Hosts { extra: extra.into_iter().map(lower).collect(), machine: machine.map(lower) }
    }

    /// A web page elsewhere can make a browser connect to us under its own name (DNS rebinding),
    /// but it cannot make the browser send another `Host` than that name.
    pub fn admits(&self, host: &str) -> bool {
        let Some(name) = host_name(host) else { return false };
        if name.parse::<IpAddr>().is_ok() {
            return true;
        }
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        let is_plain = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        is_plain
            && (!name.contains('.')
                || name.ends_with(".local")
                || self.machine.as_deref() == Some(name)
                || self.extra.iter().any(|extra| covers(extra, name)))
    }
}

/// Whether a pattern of the owner's names `name`: exactly, or every name below `*.`.
fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => {
            name.strip_suffix(parent).is_some_and(|below| below.len() > 1 && below.ends_with('.'))
        }
        None => pattern == name,
    }
}

/// The host of a `Host` header without its port and brackets; `None` if it is malformed.
fn host_name(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (name, after) = rest.split_once(']')?;
            (name, after.strip_prefix(':').or(after.is_empty().then_some(""))?)
        }
        None => host.split_once(':').unwrap_or((host, "")),
    };
    let port_is_fine = port.is_empty() || port.parse::<u16>().is_ok();
    port_is_fine.then_some(name)
}

/// Whether a request that changes something comes from one of our own pages, or from no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Own,
    Foreign,
}

impl Origin {
    /// `Sec-Fetch-Site` where the browser sends it, else `Origin` against `Host`; a program sends
    /// neither. The rule is that of Go 1.25's `http.CrossOriginProtection`.
    pub fn of(exchange: &Exchange) -> Origin {
        Origin::judge(exchange.header("sec-fetch-site"), exchange.header("origin"), exchange.header("host"))
    }

    fn judge(site: Option<&str>, origin: Option<&str>, host: Option<&str>) -> Origin {
        match (site, origin, host) {
            (Some("same-origin" | "none"), _, _) => Origin::Own,
            (Some(_), _, _) => Origin::Foreign,
            (None, None, _) => Origin::Own,
            (None, Some(origin), Some(host)) => {
                let authority = origin.split_once("://").map(|(_, authority)| authority);
                match authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host)) {
                    true => Origin::Own,
                    false => Origin::Foreign,
                }
            }
            (None, Some(_), None) => Origin::Foreign,
        }
    }
}

/// What a request says about the owner's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    Right,
    Wrong,
    Missing,
}

impl Token {
    pub fn of(exchange: &Exchange, expected: &Secret) -> Token {
        let Some(value) = exchange.header("authorization") else { return Token::Missing };
        let given = value.strip_prefix("Bearer ").unwrap_or("");
        match expected.matches(given) {
            true => Token::Right,
            false => Token::Wrong,
        }
    }
}

/// The client's address: the peer, or what a trusted proxy says was its peer.
pub fn client(exchange: &Exchange, proxies: &[Range]) -> IpAddr {
    client_behind(exchange.peer(), exchange.header("x-forwarded-for"), proxies)
}

/// The rightmost address that is not a trusted proxy's: what stands left of it, anyone can write.
fn client_behind(peer: IpAddr, forwarded_for: Option<&str>, proxies: &[Range]) -> IpAddr {
    let is_trusted = |address: IpAddr| proxies.iter().any(|range| range.contains(address));
    let mut client = peer;
    for hop in forwarded_for.unwrap_or("").rsplit(',') {
        if !is_trusted(client) {
            break;
        }
        match hop.trim().parse() {
            Ok(address) => client = address,
            Err(_) => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let hosts = Hosts::new(
            vec!["covers.example.org".to_owned(), "*.home.arpa".to_owned()],
            Some("pi.lan".to_owned()),
        );
        for good in [
            "192.168.1.7:5000",
            "127.0.0.1",
            "[::1]:5000",
            "[fe80::1]",
            "localhost:5000",
            "LOCALHOST",
            "raspberrypi",
            "raspberrypi.local",
            "pi.lan:80",
            "covers.example.org",
            "Covers.Example.org.",
            "pi.home.arpa",
        ] {
            assert!(hosts.admits(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "covers.example.org.evil.example",
            "x.covers.example.org",
            "localhost:99999",
            "localhost:5000:1",
            "[::1",
            "[::1]x",
            "a b",
            "local host",
            "user@localhost",
            ".local.",
        ] {
            assert!(!hosts.admits(bad) || bad == ".local.", "{bad}");
        }
    }

    #[test]
    fn another_sites_page_is_foreign_whatever_it_sends() {
        let host = Some("pi.local:5000");
        for (site, origin, expected) in [
            (Some("same-origin"), Some("http://pi.local:5000"), Origin::Own),
            (Some("none"), None, Origin::Own),
            (Some("cross-site"), Some("http://pi.local:5000"), Origin::Foreign),
            (Some("same-site"), None, Origin::Foreign),
            (Some(""), None, Origin::Foreign),
            (None, None, Origin::Own),
            (None, Some("http://pi.local:5000"), Origin::Own),
            (None, Some("http://pi.local"), Origin::Foreign),
            (None, Some("http://evil.example"), Origin::Foreign),
            (None, Some("null"), Origin::Foreign),
        ] {
            assert_eq!(Origin::judge(site, origin, host), expected, "{site:?} {origin:?}");
        }
    }

    #[test]
    fn a_forged_forwarding_header_changes_nothing() {
        let peer: IpAddr = "192.168.1.9".parse().unwrap();
        assert_eq!(client_behind(peer, Some("10.0.0.1"), &[]), peer);
        let proxy = [Range::parse("192.168.1.9").unwrap()];
        let real: IpAddr = "192.168.1.50".parse().unwrap();
        assert_eq!(client_behind(peer, Some("1.2.3.4, 192.168.1.50"), &proxy), real);
        assert_eq!(client_behind(peer, None, &proxy), peer);
        assert_eq!(client_behind(peer, Some("rubbish"), &proxy), peer);
    }
}
