//! The listening socket and its options, which every accepted connection inherits. Owns how it is made
//! and the limit of descriptors; accepts nothing itself (tiny_http does).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

/// Connections the kernel keeps for us while tiny_http starts threads. A household's burst fits; more
/// would only be a store from which a flood goes on after it was held back.
const BACKLOG: i32 = 32;
/// Holds any answer but the largest whole, so that only a client that does not read can hold a writer.
const SEND_BUFFER: usize = 256 * 1024;
/// What tiny_http can be made to read ahead of us, before the door sees it and after a connection was cut:
/// it keeps every request that it has read, at twenty times its size. The kernel would let one connection
/// grow to megabytes. The largest body that is taken comes in a few turns of a window of this size.
const RECEIVE_BUFFER: usize = 16 * 1024;
/// How long one write may wait for room before the lane takes the rest over. Short, because the accept
/// loop writes too; long enough to be more than a timer's tick.
pub(super) const WRITE_PATIENCE: Duration = Duration::from_millis(20);
/// Bytes unacknowledged for so long: the peer is gone without a word.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// Binds with everything set that must be set before tiny_http sees the listener. Never a *read*
/// timeout: `accept` would inherit it and end tiny_http's loop.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Without it every keep-alive answer of two segments waits 40 ms for the client's delayed ACK.
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_write_timeout(Some(WRITE_PATIENCE))?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Where a listener at `at` is reached from its own machine.
pub(super) fn home(at: SocketAddr) -> SocketAddr {
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, at.port())
}

/// Raises the soft limit of descriptors to `wanted`, as far as the hard limit allows.
pub(super) fn raise_descriptor_limit(wanted: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let goal = wanted.min(maximum.unwrap_or(u64::MAX));
    if current.is_some_and(|current| current < goal) {
        // Refused: the warden keeps to what there is.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(goal), maximum });
    }
}

/// Descriptors that this process may have now.
pub(super) fn descriptor_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
