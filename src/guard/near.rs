//! Public addresses that are nevertheless near: this machine's own, and its neighbours' in IPv6,
//! where every gadget of a home has an address of the Internet. Asks the kernel; sends nothing.

use super::address::Range;
use rustix::io::Errno;
use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::{fs, io};

/// One line an address of an interface: 32 hex digits, then in hex the interface's number, the
/// prefix length, scope and flags, then the name (`man 5 proc`, not on a kernel without IPv6).
/// `/proc/net` would be the same by another name, but a service with `ProcSubset=pid` has only `self`.
const INTERFACES: &str = "/proc/self/net/if_inet6";

/// Whether an address belongs to this machine or, in IPv6, to the network of an interface. What
/// cannot be found out counts as near: better no cover than a door into the own network.
///
/// IPv4 neighbours with public addresses are a data centre's, not a home's.
pub fn is_near(address: IpAddr) -> bool {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    match UdpSocket::bind(any) {
        Ok(socket) => {
            is_own(&socket, address)
                || (address.is_ipv6() && is_on_link(address, fs::read_to_string(INTERFACES)))
        }
        // Where there are no such addresses none is near, nor is any connected to.
        Err(error) => Errno::from_io_error(&error) != Some(Errno::AFNOSUPPORT),
    }
}

/// The kernel picks the source address of a packet to one of its own addresses: that address.
/// Connecting a datagram socket only asks for it; it fails where no way leads, as one always does
/// to an own address.
fn is_own(socket: &UdpSocket, address: IpAddr) -> bool {
    let chosen = socket.connect((address, 80)).and_then(|()| socket.local_addr());
    chosen.is_ok_and(|chosen| chosen.ip() == address)
}

/// Whether the address is of a network in this list, or there is no list.
fn is_on_link(address: IpAddr, interfaces: io::Result<String>) -> bool {
    interfaces
        .map_or(true, |lines| lines.lines().filter_map(network).any(|network| network.contains(address)))
}

fn network(line: &str) -> Option<Range> {
    let mut words = line.split_ascii_whitespace();
    let own = Ipv6Addr::from_bits(u128::from_str_radix(words.next()?, 16).ok()?);
    let length = u8::from_str_radix(words.nth(1)?, 16).ok()?;
    // A length of 0 would be a tunnel that takes everything, and no neighbourhood.
    (1..=128).contains(&length).then(|| Range::of(own.into(), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "20010db8abcd00120000000000000007 02 40 00 80     eth0\n\
                        fe800000000000000000000000000001 02 40 20 80     eth0\n\
                        2a00000000000000000000000000beef 03 80 00 80      wg0\n\
                        00000000000000000000000000000001 01 80 10 80       lo\n\
                        20030000000000000000000000000000 04 00 00 80     tun0\n\
                        nonsense\n";

    #[test]
    fn the_neighbours_of_an_ipv6_home_are_near_and_the_next_home_is_not() {
        let is_near = |text: &str| is_on_link(text.parse().unwrap(), Ok(HOME.to_owned()));
        assert!(is_near("2001:db8:abcd:12::1"), "the router");
        assert!(is_near("2001:db8:abcd:12:ffff:ffff:ffff:ffff"));
        assert!(!is_near("2001:db8:abcd:13::1"));
        assert!(is_near("2a00::beef"), "an own address of a tunnel");
        assert!(!is_near("2a00::bee0"), "but nothing beside it");
        assert!(!is_near("2003::1"), "a length of 0 is no neighbourhood");
    }

    #[test]
    fn without_a_list_of_networks_every_address_may_be_a_neighbours() {
        let hidden = || Err(io::ErrorKind::NotFound.into());
        assert!(is_on_link("2606:4700::1111".parse().unwrap(), hidden()));
    }

    #[test]
    fn loopback_is_this_machine_and_an_address_of_the_internet_is_not() {
        assert!(is_near("127.0.0.1".parse().unwrap()));
        assert!(!is_near("1.1.1.1".parse().unwrap()));
    }
}
