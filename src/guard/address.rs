//! Addresses: which are public, and ranges of them. Owns the tables of IANA's special-purpose
//! registries (RFC 6890 and successors, read 2026); knows no host names and no settings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What no cover on the Internet is ever served from (IANA IPv4 special-purpose registry).
const IPV4_SPECIAL: [([u8; 4], u8); 16] = [
    ([0, 0, 0, 0], 8),          // this network; 0.0.0.0 connects to this machine
    ([10, 0, 0, 0], 8),         // private
    ([100, 64, 0, 0], 10),      // shared by providers; clouds keep services there
    ([127, 0, 0, 0], 8),        // loopback
    ([169, 254, 0, 0], 16),     // link-local; metadata services of clouds
    ([172, 16, 0, 0], 12),      // private
    ([192, 0, 0, 0], 24),       // protocol assignments
    ([192, 0, 2, 0], 24),       // documentation
    ([192, 88, 99, 0], 24),     // 6to4 relays, withdrawn
    ([192, 168, 0, 0], 16),     // private
    ([198, 18, 0, 0], 15),      // benchmarks
    ([198, 51, 100, 0], 24),    // documentation
    ([203, 0, 113, 0], 24),     // documentation
    ([224, 0, 0, 0], 4),        // multicast
    ([240, 0, 0, 0], 4),        // reserved
    ([255, 255, 255, 255], 32), // broadcast
];

/// Special ranges within 2000::/3, the only part of IPv6 that is handed out.
const IPV6_SPECIAL: [([u16; 3], u8); 3] = [
    ([0x2001, 0, 0], 23),     // protocol assignments: Teredo, benchmarks, ORCHID
    ([0x2001, 0xdb8, 0], 32), // documentation
    ([0x3fff, 0, 0], 20),     // documentation
];

/// Whether an address is one of the Internet's, reached as it is written: IPv4 inside IPv6 is
/// judged by the IPv4 address that the packets would reach.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// A range of addresses, `192.168.1.0/24`, or one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    base: IpAddr,
    /// Bits that must agree.
    length: u8,
}

impl Range {
    /// `192.168.1.0/24`, `fd00::/8`, or an address, which is a range of one. Bits behind the
    /// length are ignored.
    pub fn parse(text: &str) -> Option<Range> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().ok()?;
        let bits = if base.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
            None => bits,
        };
        if length > bits {
            return None;
        }
        // `::ffff:192.168.1.0/120` is 192.168.1.0/24.
        match (base, base.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(inner)) if length >= 96 => Some(Range::of(inner.into(), length - 96)),
            _ => Some(Range::of(base, length)),
        }
    }

    /// An IPv4 address that is written as IPv6 (`::ffff:a.b.c.d`, as a socket for both shows
    /// it) is in the range that it is in as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && Range::of(address, self.length).base == self.base
    }

    /// The range of that length around an address; the length must fit the family.
    pub(super) fn of(address: IpAddr, length: u8) -> Range {
        let length_of = u32::from(length);
        let base = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - length_of).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - length_of).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
            }
        };
        Range { base, length }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !IPV4_SPECIAL
        .iter()
        .any(|&(base, length)| Range::of(Ipv4Addr::from(base).into(), length).contains(address.into()))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let inner = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    let last = inner(segments[6], segments[7]);
    match segments {
        // Mapped, and the well-known prefix of NAT64, which is how a network without IPv4
        // reaches the origins that have nothing else (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => is_public_v4(last),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => is_public_v4(inner(high, low)) && !is_isatap_within(segments),
        // Everything else outside 2000::/3 is loopback, unspecified, compatible, translated,
        // NAT64's local prefix, unique local, link- or site-local, multicast or unassigned.
        [first, ..] if first & 0xe000 != 0x2000 => false,
        _ => {
            let special = |&([a, b, c], length): &([u16; 3], u8)| {
                Range::of(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into(), length).contains(address.into())
            };
            !IPV6_SPECIAL.iter().any(special) && !is_isatap_within(segments)
        }
    }
}

/// ISATAP (RFC 5214): an interface id of `0:5efe` or `200:5efe` and an IPv4 address, which is
/// that of a machine on the own site.
fn is_isatap_within(segments: [u16; 8]) -> bool {
    segments[4] & !0x0200 == 0 && segments[5] == 0x5efe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_range_is_not_public_from_its_first_to_its_last_address() {
        let ranges = [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "255.255.255.255"),
            ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ];
        for (first, last) in ranges {
            for address in [first, last] {
                assert!(!is_public(address.parse().unwrap()), "{address}");
            }
        }
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::",
            "2001:db7:ffff::",
            "2001:db9::",
            "2606:4700::1111",
            "2a00::1",
            "3ffe::1",
            "3fff:1000::",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn ipv4_inside_ipv6_is_judged_by_where_the_packets_go() {
        for private in [
            "::ffff:127.0.0.1",
            "::ffff:7f00:1",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1",
            "::127.0.0.1",
            "::1.1.1.1",
            "64:ff9b::7f00:1",
            "64:ff9b::192.168.1.1",
            "64:ff9b:1:7f00:0:100::",
            "64:ff9b:1::1.1.1.1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
            "2001:0:0:0:0:0:80ff:fffe",
            "2001:0:101:101::1",
            "fe80::5efe:7f00:1",
            "2a00::5efe:192.168.1.1",
            "2a00::200:5efe:c0a8:101",
            "2a00:0:0:1:0:5efe:a00:1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1", "2a00::1:5efe:c0a8:101"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_range_has_the_addresses_that_share_its_first_bits() {
        let contains = |range: &str, address: &str| {
            Range::parse(range).unwrap().contains(address.parse::<IpAddr>().unwrap())
        };
        assert!(contains("192.168.1.0/24", "192.168.1.0") && contains("192.168.1.0/24", "192.168.1.255"));
        assert!(!contains("192.168.1.0/24", "192.168.2.0") && !contains("192.168.1.0/24", "192.168.0.255"));
        assert!(contains("192.168.1.77/24", "192.168.1.1"), "bits behind the length are ignored");
        assert!(contains("0.0.0.0/0", "255.255.255.255") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("10.0.0.1", "10.0.0.1") && !contains("10.0.0.1", "10.0.0.2"));
        assert!(contains("10.0.0.0/31", "10.0.0.1") && !contains("10.0.0.0/31", "10.0.0.2"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"), "as a socket for both families shows it");
        assert!(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
        assert!(contains("fd00::/8", "fdff::1") && !contains("fd00::/8", "fe00::1"));
        assert!(contains("::/0", "2001::1") && !contains("::1", "::2"));
        for wrong in
            ["", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/ 8", "10.0.0.0/08x", "a/8", "/8"]
        {
            assert_eq!(Range::parse(wrong), None, "{wrong}");
        }
    }
}
