//! Holding new connections back before they cost a thread: a packet filter on the listening socket
//! that drops SYNs, of everybody or of some addresses. Owns the filter and nothing else.
//!
//! A dropped SYN is sent again after a second, so a client that is held back waits instead of failing.
//! Accepted sockets inherit the filter of the moment; it looks at SYNs only, so it does not touch them.

use socket2::{SockFilter, Socket};
use std::net::{IpAddr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Addresses held back at the same time; past it everybody is.
const ADDRESSES_MAX: usize = 16;
/// Offset that makes a load relative to the IP header (linux/filter.h, SKF_NET_OFF).
const IP_HEADER: u32 = 0xfff0_0000;

/// Who may not connect just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Nobody,
    These(Vec<IpAddr>),
    Everybody,
}

impl Held {
    /// These, too.
    pub fn and(self, addresses: impl Iterator<Item = IpAddr>) -> Held {
        match self {
            Held::Everybody => Held::Everybody,
            Held::Nobody => Held::These(addresses.collect()),
            Held::These(held) => Held::These(held.into_iter().chain(addresses).collect()),
        }
    }
}

pub(super) struct Valve {
    listener: Socket,
    held: Mutex<Held>,
}

impl Valve {
    pub fn new(listener: TcpListener) -> Valve {
        Valve { listener: listener.into(), held: Mutex::new(Held::Nobody) }
    }

    pub fn listener(&self) -> &Socket {
        &self.listener
    }

    /// Whether anybody is held back.
    pub fn holds(&self) -> bool {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) != Held::Nobody
    }

    pub fn hold(&self, mut held: Held) {
        if let Held::These(addresses) = &mut held {
            addresses.sort_unstable();
            addresses.dedup();
            if addresses.is_empty() {
                held = Held::Nobody;
            } else if addresses.len() > ADDRESSES_MAX {
                held = Held::Everybody;
            }
        }
        // Two system calls under the lock, which never block: what is set must be what is noted.
        let mut before = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held == *before {
            return;
        }
        let set = match &held {
            Held::Nobody => self.listener.detach_filter(),
            Held::These(addresses) => self.listener.attach_filter(&program(addresses)),
            Held::Everybody => self.listener.attach_filter(&program_for_everybody()),
        };
        *before = held;
        drop(before);
        if let Err(error) = set {
            log::debug!("cannot hold new connections back: {error}");
        }
    }
}

const LOAD_BYTE: u16 = 0x30;
const LOAD_WORD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_SET: u16 = 0x45;
const RETURN: u16 = 0x06;
const DROP: SockFilter = SockFilter::new(RETURN, 0, 0, 0);
const PASS: SockFilter = SockFilter::new(RETURN, 0, 0, u32::MAX);

/// Byte 13 of the TCP header has the flags; 2 is SYN.
fn only_syns() -> [SockFilter; 3] {
    [SockFilter::new(LOAD_BYTE, 0, 0, 13), SockFilter::new(JUMP_IF_SET, 1, 0, 2), PASS]
}

fn program_for_everybody() -> Vec<SockFilter> {
    let mut program = Vec::from(only_syns());
    program.push(DROP);
    program
}

fn program(addresses: &[IpAddr]) -> Vec<SockFilter> {
    let mut program = Vec::from(only_syns());
    for address in addresses {
        match address {
            IpAddr::V4(address) => push_test(0x40, 12, &address.octets(), &mut program),
            IpAddr::V6(address) => push_test(0x60, 8, &address.octets(), &mut program),
        }
    }
    program.push(PASS);
    program
}

/// Drops when the IP version and every word of the source address are the same.
fn push_test(version: u32, source: u32, octets: &[u8], program: &mut Vec<SockFilter>) {
    let words = octets.len() / 4;
    program.push(SockFilter::new(LOAD_BYTE, 0, 0, IP_HEADER));
    program.push(SockFilter::new(AND, 0, 0, 0xf0));
    // At most four words of two instructions each, and the drop: far below the limit of a jump.
    let mut left = (words * 2 + 1) as u8;
    program.push(SockFilter::new(JUMP_IF_EQUAL, 0, left, version));
    for (index, word) in octets.chunks_exact(4).enumerate() {
        let word = word.iter().fold(0, |word, octet| word << 8 | u32::from(*octet));
        left -= 2;
        program.push(SockFilter::new(LOAD_WORD, 0, 0, IP_HEADER + source + 4 * index as u32));
        program.push(SockFilter::new(JUMP_IF_EQUAL, 0, left, word));
    }
    program.push(DROP);
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Type};
    use std::io::Write;
    use std::net::{SocketAddr, TcpStream};
    use std::time::Duration;

    fn connects(from: &str, to: SocketAddr) -> bool {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
        let from: SocketAddr = from.parse().unwrap();
        socket.bind(&from.into()).unwrap();
        socket.connect_timeout(&to.into(), Duration::from_millis(200)).is_ok()
    }

    #[test]
    fn only_who_is_held_back_cannot_connect_and_the_connected_stay() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let valve = Valve::new(listener.try_clone().unwrap());
        let before = TcpStream::connect(at).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        valve.hold(Held::These(vec!["127.0.0.2".parse().unwrap(), "::1".parse().unwrap()]));
        assert!(!connects("127.0.0.2:0", at));
        assert!(connects("127.0.0.3:0", at));
        valve.hold(Held::Everybody);
        assert!(!connects("127.0.0.3:0", at));
        (&before).write_all(b"still here").unwrap();
        accepted.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        assert_eq!(std::io::Read::read(&mut &accepted, &mut [0; 64]).unwrap(), 10);
        valve.hold(Held::Nobody);
        assert!(connects("127.0.0.2:0", at));
    }

    #[test]
    fn an_ipv6_address_is_told_from_its_neighbour() {
        let Ok(listener) = TcpListener::bind("[::]:0") else { return };
        let port = listener.local_addr().unwrap().port();
        let valve = Valve::new(listener);
        valve.hold(Held::These(vec!["::1".parse().unwrap()]));
        assert!(!connects("[::1]:0", (Ipv6Addr::LOCALHOST, port).into()));
        assert!(connects("127.0.0.1:0", (Ipv4Addr::LOCALHOST, port).into()));
        valve.hold(Held::These(vec!["::2".parse().unwrap(), "127.0.0.1".parse().unwrap()]));
        assert!(connects("[::1]:0", (Ipv6Addr::LOCALHOST, port).into()));
        assert!(!connects("127.0.0.1:0", (Ipv4Addr::LOCALHOST, port).into()));
    }

    use std::net::{Ipv4Addr, Ipv6Addr};
}
