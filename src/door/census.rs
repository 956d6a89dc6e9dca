//! The kernel's view of our connections: who is connected, what has arrived, what is stuck. Owns the
//! two ways to ask (sock_diag over netlink; the text of `/proc/self/net/tcp`); judges nothing.
//!
//! Layouts: linux/inet_diag.h, linux/netlink.h, linux/tcp.h; all numbers are in the machine's own
//! byte order, but addresses and ports, which are as on the wire.

use super::line::Peer;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Connections listed at most; the warden keeps them near a hundred.
const ROWS_MAX: usize = 16 * 1024;
/// The kernel answers at once; a lost answer must not stop the warden.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// One connection of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub peer: Peer,
    /// `None` until tiny_http has accepted it, and again once it is closed on our side.
    pub inode: Option<u64>,
    pub state: State,
    /// Bytes that nobody has read yet.
    pub unread: u32,
    /// Bytes that the client has not acknowledged yet.
    pub unsent: u32,
    /// Bytes received since the beginning; unknown where only the text is to be had.
    pub received: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// The client will send no more.
    HungUp,
    /// We have said that we will send no more.
    Closing,
}

impl State {
    fn of(number: u8) -> Option<State> {
        match number {
            1 => Some(State::Open),
            8 => Some(State::HungUp),
            4 | 5 | 9 | 11 => Some(State::Closing),
            _ => None,
        }
    }
}

/// The states of [`State::of`] as sock_diag's mask: no TIME_WAIT, of which there may be thousands.
const STATES: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;

pub(super) struct Census {
    at: SocketAddr,
    netlink: Option<OwnedFd>,
}

impl Census {
    /// Of the connections to the listener at `at`.
    pub fn new(at: SocketAddr) -> Census {
        Census { at, netlink: open_netlink().ok() }
    }

    /// Where they are listened for.
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// Every connection there is now. Falls back to the text for good when netlink is refused (old
    /// kernels, sandboxes without AF_NETLINK).
    pub fn take(&mut self) -> io::Result<Vec<Row>> {
        if let Some(socket) = &self.netlink {
            match ask(socket, self.at) {
                Ok(rows) => return Ok(rows),
                Err(error) => log::debug!("no sock_diag, reading /proc/self/net/tcp: {error}"),
            }
            self.netlink = None;
        }
        let table = if self.at.is_ipv4() { "/proc/self/net/tcp" } else { "/proc/self/net/tcp6" };
        let text = fs::read_to_string(table)?;
        Ok(text.lines().skip(1).filter_map(|line| parse_text(line, self.at)).take(ROWS_MAX).collect())
    }
}

fn open_netlink() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(SOCK_DIAG))?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(ANSWER_TIMEOUT))?;
    Ok(socket)
}

fn ask(socket: &OwnedFd, at: SocketAddr) -> io::Result<Vec<Row>> {
    rustix::net::sendto(socket, &question(at), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut rows = Vec::new();
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let (length, _) = rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty())?;
        let mut rest = buffer.get(..length).unwrap_or_default();
        while rest.len() >= 16 {
            let (length, kind) = (u32_at(rest, 0) as usize, u16_at(rest, 4));
            match kind {
                NLMSG_DONE => return Ok(rows),
                NLMSG_ERROR => return Err(io::Error::other("sock_diag refuses")),
                _ => {
                    let message = rest.get(16..length).unwrap_or_default();
                    rows.extend(parse_message(message, at).filter(|_| rows.len() < ROWS_MAX));
                }
            }
            rest = rest.get(length.max(16).next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// nlmsghdr + inet_diag_req_v2: all TCP sockets of our port in the interesting states, with tcp_info.
fn question(at: SocketAddr) -> [u8; 72] {
    let mut bytes = [0; 72];
    bytes[0..4].copy_from_slice(&72u32.to_ne_bytes());
    bytes[4..6].copy_from_slice(&20u16.to_ne_bytes()); // SOCK_DIAG_BY_FAMILY
    bytes[6..8].copy_from_slice(&0x301u16.to_ne_bytes()); // NLM_F_REQUEST | NLM_F_DUMP
    bytes[16] = if at.is_ipv4() { 2 } else { 10 }; // AF_INET, AF_INET6
    bytes[17] = 6; // IPPROTO_TCP
    bytes[18] = 1 << 1; // INET_DIAG_INFO
    bytes[20..24].copy_from_slice(&STATES.to_ne_bytes());
    bytes[24..26].copy_from_slice(&at.port().to_be_bytes());
    bytes
}

/// inet_diag_msg and its attributes.
fn parse_message(message: &[u8], at: SocketAddr) -> Option<Row> {
    if message.len() < 72 || u16_at(message, 4).to_be() != at.port() {
        return None;
    }
    let address = |offset: usize| match message[0] {
        2 => IpAddr::V4(Ipv4Addr::from(bytes_at::<4>(message, offset))),
        _ => IpAddr::V6(Ipv6Addr::from(bytes_at::<16>(message, offset))).to_canonical(),
    };
    let ours = at.ip().is_unspecified() || address(8) == at.ip().to_canonical();
    let state = State::of(message[1]).filter(|_| ours)?;
    let inode = u64::from(u32_at(message, 68));
    Some(Row {
        peer: Peer { address: address(24), port: u16_at(message, 6).to_be() },
        inode: (inode != 0).then_some(inode),
        state,
        unread: u32_at(message, 56),
        unsent: u32_at(message, 60),
        received: received(message.get(72..).unwrap_or_default()),
    })
}

/// `tcpi_bytes_received` of the attribute INET_DIAG_INFO (kernels before 4.1 end before it).
fn received(mut attributes: &[u8]) -> Option<u64> {
    while attributes.len() >= 4 {
        let (length, kind) = (usize::from(u16_at(attributes, 0)), u16_at(attributes, 2));
        if kind == 2 {
            let info = attributes.get(4..length)?;
            return info.get(128..136).map(|_| u64::from_ne_bytes(bytes_at::<8>(info, 128)));
        }
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
    None
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode`
fn parse_text(line: &str, at: SocketAddr) -> Option<Row> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, peer) = (parse_address(words.next()?)?, parse_address(words.next()?)?);
    let ours = at.ip().is_unspecified() || local.address == at.ip().to_canonical();
    if local.port != at.port() || !ours {
        return None;
    }
    let state = State::of(u8::from_str_radix(words.next()?, 16).ok()?)?;
    let (unsent, unread) = words.next()?.split_once(':')?;
    let inode: u64 = words.nth(4)?.parse().ok()?;
    Some(Row {
        peer,
        inode: (inode != 0).then_some(inode),
        state,
        unread: u32::from_str_radix(unread, 16).ok()?,
        unsent: u32::from_str_radix(unsent, 16).ok()?,
        received: None,
    })
}

/// `0100007F:1388`: words of 32 bits, each printed as the machine reads it.
fn parse_address(text: &str) -> Option<Peer> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |from: usize| u32::from_str_radix(address.get(from..from + 8)?, 16).ok();
    let address = if address.len() == 8 {
        IpAddr::V4(Ipv4Addr::from(word(0)?.to_ne_bytes()))
    } else {
        let mut bytes = [0; 16];
        for (index, part) in bytes.chunks_exact_mut(4).enumerate() {
            part.copy_from_slice(&word(index * 8)?.to_ne_bytes());
        }
        IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
    };
    Some(Peer { address, port })
}

fn bytes_at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let part = bytes.get(offset..offset + N).and_then(|part| part.try_into().ok());
    part.unwrap_or([0; N])
}

fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    u16::from_ne_bytes(bytes_at(bytes, offset))
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_ne_bytes(bytes_at(bytes, offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    /// One accepted connection with 5 unread bytes, one that nobody accepted.
    fn rows_by(address: &str, census: impl Fn(SocketAddr) -> Census) {
        let Ok(listener) = TcpListener::bind(address) else { return };
        let at = listener.local_addr().unwrap();
        let mut first = TcpStream::connect(at).unwrap();
        let _accepted = listener.accept().unwrap();
        first.write_all(b"hello").unwrap();
        let second = TcpStream::connect(at).unwrap();
        let mut census = census(at);
        let rows = census.take().unwrap();
        let row = |client: &TcpStream| {
            let peer = Peer::from(client.local_addr().unwrap());
            *rows.iter().find(|row| row.peer == peer).expect("it is connected")
        };
        // There may be others: the kernel gives a port again while its last connections are closing.
        assert!(rows.len() >= 2, "{} rows", rows.len());
        assert!(row(&first).inode.is_some() && row(&first).unread == 5);
        assert!(row(&first).received.is_none_or(|bytes| bytes == 5));
        assert!(row(&second).inode.is_none() && row(&second).state == State::Open);
    }

    #[test]
    fn both_views_tell_who_is_connected_and_what_is_unread() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            rows_by(address, Census::new);
            rows_by(address, |at| Census { at, netlink: None });
        }
    }
}
