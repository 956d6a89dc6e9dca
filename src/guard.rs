//! Whom this program may contact: allowed hosts, and what of the own network its owner named.
//! Owns the rules; the connection that they are asked for is [`crate::cache::origin`]'s.
//!
//! A rule about a name is asked before the name is resolved, a rule about an address for the
//! very address that is then connected to, so that no answer of a name server gets between them.

mod address;
mod near;

pub use address::{Range, is_public};

use crate::source::{Source, parse_host, parse_port};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Public covers come from web servers. With any port allowed, every picture that fails to load
/// would tell a stranger whether something listens there.
const PUBLIC_PORTS: [u16; 2] = [80, 443];

const HOSTS_ALLOWED: &str = "write host names such as i.discogs.com, *.archive.org for every name \
                             below archive.org, or * for any public host, separated by commas";
const PRIVATE_ALLOWED: &str = "write host:port (nas.local:4533), address[:port] (192.168.1.5:4533, \
                               [fd00::5]:4533) or range/length[:port] (192.168.1.0/24), separated by commas";

/// From `VINYL_VAULT_SOURCE_HOSTS` and `VINYL_VAULT_PRIVATE_SOURCES`.
///
/// The default permits every public host and nothing of the own network.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// `None` is any public host.
    hosts: Option<Vec<HostRule>>,
    private: Vec<PrivateRule>,
}

impl Guard {
    /// `hosts`: `None` is any public host. `private`: `host:port`, `address[:port]` or
    /// `range/len[:port]`. The error names the wrong part and says what is allowed.
    pub fn new(hosts: Option<&str>, private: Option<&str>) -> Result<Guard, String> {
        let mut guard = Guard::default();
        for part in parts(hosts) {
            let rule =
                HostRule::parse(part).ok_or_else(|| format!("\"{part}\" is no host; {HOSTS_ALLOWED}"))?;
            guard.hosts.get_or_insert_default().push(rule);
        }
        if guard.hosts.is_none() && hosts.is_some_and(|text| text.contains(',')) {
            return Err(format!("no host between the commas; {HOSTS_ALLOWED}"));
        }
        for part in parts(private) {
            let wrong = || format!("\"{part}\" is no source on the own network; {PRIVATE_ALLOWED}");
            guard.private.push(PrivateRule::parse(part).ok_or_else(wrong)?);
        }
        Ok(guard)
    }

    /// Host and port, before any name is resolved. What a name leads to is asked again by
    /// [`Guard::permits_address`]; both must agree.
    pub fn permits(&self, source: &Source) -> Result<(), Refusal> {
        let (host, port) = (source.host(), source.port());
        if let Ok(address) = host.parse::<IpAddr>() {
            let permitted = self.permits_address(host, SocketAddr::new(address, port));
            return if permitted { Ok(()) } else { Err(self.refusal(host, port)) };
        }
        // A range speaks about addresses: whether this name is in it shows when it is resolved.
        let may_be_private = |rule: &PrivateRule| match rule {
            PrivateRule::Name { name, port: only } => name == host && *only == port,
            PrivateRule::Range { port: only, .. } => only.is_none_or(|only| only == port),
        };
        let permitted = self.permits_public(host, port) || self.private.iter().any(may_be_private);
        if permitted { Ok(()) } else { Err(self.refusal(host, port)) }
    }

    /// Whether a connection to this very address may be made for that host (as in
    /// [`Source::host`]). Asks the kernel for this machine's own addresses.
    pub fn permits_address(&self, host: &str, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip(), address.port());
        self.private.iter().any(|rule| rule.covers(host, ip, port))
            || (self.permits_public(host, port) && is_public(ip) && !near::is_near(ip))
    }

    /// On the own network by name of the owner: such an origin is not paced.
    pub fn is_private(&self, source: &Source) -> bool {
        self.private.iter().any(|rule| match (rule, source.host().parse::<IpAddr>()) {
            (_, Ok(address)) => rule.covers(source.host(), address, source.port()),
            (PrivateRule::Name { name, port }, Err(_)) => name == source.host() && *port == source.port(),
            (PrivateRule::Range { .. }, Err(_)) => false,
        })
    }

    fn permits_public(&self, host: &str, port: u16) -> bool {
        PUBLIC_PORTS.contains(&port) && self.is_listed(host)
    }

    fn is_listed(&self, host: &str) -> bool {
        self.hosts.as_ref().is_none_or(|rules| rules.iter().any(|rule| rule.matches(host)))
    }

    /// Says only what the URL itself says, so a refusal teaches nothing about the network.
    fn refusal(&self, host: &str, port: u16) -> Refusal {
        Refusal(if !self.is_listed(host) {
            format!("{host} is not among the hosts that covers may come from")
        } else if !PUBLIC_PORTS.contains(&port) {
            format!("covers come from ports 80 and 443, not {port}, unless the owner allows it")
        } else {
            format!("{host} is not a public address")
        })
    }
}

/// Why a source may not be fetched: a sentence that strangers may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostRule {
    Any,
    Exactly(String),
    /// With the dot, so that `*.example.com` never matches `evilexample.com`.
    Below(String),
}

impl HostRule {
    fn parse(text: &str) -> Option<HostRule> {
        if text == "*" {
            return Some(HostRule::Any);
        }
        match text.strip_prefix("*.") {
            Some(parent) => parse_host(parent)
                .filter(|parent| parent.parse::<IpAddr>().is_err())
                .map(|parent| HostRule::Below(format!(".{parent}"))),
            None => parse_host(text).map(HostRule::Exactly),
        }
    }

    fn matches(&self, host: &str) -> bool {
        match self {
            HostRule::Any => true,
            HostRule::Exactly(name) => name == host,
            HostRule::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PrivateRule {
    /// Whatever it resolves to: the owner named it.
    Name { name: String, port: u16 },
    /// `None` is any port.
    Range { range: Range, port: Option<u16> },
}

impl PrivateRule {
    fn parse(text: &str) -> Option<PrivateRule> {
        if let Some(range) = Range::parse(text) {
            return Some(PrivateRule::Range { range, port: None });
        }
        if let Some(range) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            return Some(PrivateRule::Range { range: Range::parse(range)?, port: None });
        }
        let (host, port) = text.rsplit_once(':')?;
        let port = parse_port(port)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        // Of IPv6 only what stands in brackets has a port behind it.
        let range = Range::parse(bare.unwrap_or(host)).filter(|_| bare.is_some() || !host.contains(':'));
        match range {
            Some(range) => Some(PrivateRule::Range { range, port: Some(port) }),
            None if bare.is_some() => None,
            None => parse_host(host).map(|name| PrivateRule::Name { name, port }),
        }
    }

    fn covers(&self, host: &str, address: IpAddr, asked: u16) -> bool {
        match self {
            PrivateRule::Name { name, port } => name == host && *port == asked,
            PrivateRule::Range { range, port } => {
                port.is_none_or(|port| port == asked) && range.contains(address)
            }
        }
    }
}

fn parts(setting: Option<&str>) -> impl Iterator<Item = &str> {
    setting.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty())
}
