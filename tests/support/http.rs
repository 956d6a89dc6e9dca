//! HTTP/1.1 by hand over one socket, so that a test sees the exact bytes of an answer and can send
//! what no well-behaved client would. Follows no redirect, keeps no cookie, retries nothing.

use socket2::{Domain, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Longer than the product's longest deliberate wait (4 s of patience for a cover).
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// What bytes go over: a socket, or TLS over one.
pub trait Wire: Read + Write + Send {}

impl<W: Read + Write + Send> Wire for W {}

/// One keep-alive connection.
pub struct Connection {
    wire: Box<dyn Wire>,
    address: SocketAddr,
    /// Bytes that arrived after the last answer's end.
    read: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// Status line and header lines exactly as they came, with the empty line.
    pub head: Vec<u8>,
    /// In order, names as they were spelled.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Connection {
    #[track_caller]
    pub fn open(address: SocketAddr) -> Connection {
        Connection::try_open(address, None).unwrap_or_else(|e| panic!("cannot connect to {address}: {e}"))
    }

    /// From an address of 127/8 that no test used before: what is limited per client starts afresh.
    #[track_caller]
    pub fn open_as_stranger(address: SocketAddr) -> Connection {
        Connection::try_open_as_stranger(address)
            .unwrap_or_else(|e| panic!("cannot connect to {address}: {e}"))
    }

    pub fn try_open_as_stranger(address: SocketAddr) -> io::Result<Connection> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed) % 0x00ff_0000;
        let stranger = IpAddr::V4(Ipv4Addr::from_bits(0x7f01_0001 + n));
        Connection::try_open(address, Some(stranger))
    }

    /// From this own address, e.g. 127.0.0.2.
    #[track_caller]
    pub fn open_from(address: SocketAddr, own: IpAddr) -> Connection {
        Connection::try_open(address, Some(own))
            .unwrap_or_else(|e| panic!("cannot connect to {address} from {own}: {e}"))
    }

    pub fn try_open(address: SocketAddr, own: Option<IpAddr>) -> io::Result<Connection> {
        Connection::try_open_over(address, own, |socket| Box::new(socket))
    }

    /// Over what `wrap` makes of the socket.
    pub fn try_open_over(
        address: SocketAddr,
        own: Option<IpAddr>,
        wrap: impl FnOnce(TcpStream) -> Box<dyn Wire>,
    ) -> io::Result<Connection> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if let Some(own) = own {
            socket.bind(&SocketAddr::new(own, 0).into())?;
        }
        socket.connect_timeout(&address.into(), ANSWER_WAIT)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_read_timeout(Some(ANSWER_WAIT))?;
        socket.set_write_timeout(Some(ANSWER_WAIT))?;
        Ok(Connection { wire: wrap(socket.into()), address, read: Vec::new() })
    }

    #[track_caller]
    pub fn get(&mut self, target: &str) -> Reply {
        self.request("GET", target, &[], b"")
    }

    #[track_caller]
    pub fn head(&mut self, target: &str) -> Reply {
        self.request("HEAD", target, &[], b"")
    }

    #[track_caller]
    pub fn post_json(&mut self, target: &str, body: &str) -> Reply {
        self.request("POST", target, &[("Content-Type", "application/json")], body.as_bytes())
    }

    /// Sends and receives. `Host` is the server's own unless `headers` names one; `Content-Length`
    /// is added where there is a body or the method calls for one.
    #[track_caller]
    pub fn request(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.try_request(method, target, headers, body).unwrap_or_else(|e| panic!("{method} {target}: {e}"))
    }

    pub fn try_request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Reply> {
        let request = compose(self.address, method, target, headers, body);
        self.wire.write_all(&request)?;
        self.receive(method)
    }

    /// Sends bytes as they are and receives nothing.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes)
    }

    /// The next answer; `method` because an answer to `HEAD` has no body whatever its length says.
    pub fn receive(&mut self, method: &str) -> io::Result<Reply> {
        let head_len = loop {
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                break end + 4;
            }
            self.more()?;
        };
        let head: Vec<u8> = self.read.drain(..head_len).collect();
        let (status, headers) = parse_head(&head)?;
        let mut reply = Reply { status, head, headers, body: Vec::new() };
        if method == "HEAD" || status == 204 || status == 304 || status < 200 {
            return Ok(reply);
        }
        reply.body = match (reply.header("transfer-encoding"), reply.header("content-length")) {
            (Some(_), _) => self.chunked()?,
            (None, Some(length)) => self.exactly(length.parse().map_err(|_| bad("length is no number"))?)?,
            (None, None) => self.rest()?,
        };
        Ok(reply)
    }

    /// Whether the server closed its side within the time that an answer may take.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.more(), Err(e) if e.kind() == io::ErrorKind::UnexpectedEof || e.kind() == io::ErrorKind::ConnectionReset)
    }

    fn more(&mut self) -> io::Result<()> {
        let mut chunk = [0; 65536];
        match self.wire.read(&mut chunk)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                self.read.extend_from_slice(&chunk[..n]);
                Ok(())
            }
        }
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.read.len() < length {
            self.more()?;
        }
        Ok(self.read.drain(..length).collect())
    }

    fn rest(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.more() {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(std::mem::take(&mut self.read));
                }
                Err(e) => return Err(e),
            }
        }
    }

    fn chunked(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line_len = loop {
                if let Some(end) = find(&self.read, b"\r\n") {
                    break end + 2;
                }
                self.more()?;
            };
            let line: Vec<u8> = self.read.drain(..line_len).collect();
            let size = std::str::from_utf8(&line).ok().and_then(|l| usize::from_str_radix(l.trim(), 16).ok());
            let size = size.ok_or_else(|| bad("chunk size is no number"))?;
            body.extend(self.exactly(size)?);
            self.exactly(2)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
}

impl Reply {
    /// The first header of that name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn count(&self, name: &str) -> usize {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).count()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("status {}, body is no JSON ({e}): {}", self.status, self.text()))
    }

    /// Why this is a stand-in and not the cover: `pending`, `absent`, `failed`.
    pub fn placeholder(&self) -> Option<&str> {
        self.header("x-vinylvault-placeholder")
    }
}

/// The bytes of a request.
pub fn compose(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let names = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    let mut text = format!("{method} {target} HTTP/1.1\r\n");
    if !names("host") {
        text += &format!("Host: {address}\r\n");
    }
    if !names("content-length") && (!body.is_empty() || !matches!(method, "GET" | "HEAD" | "OPTIONS")) {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += "\r\n";
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn parse_head(head: &[u8]) -> io::Result<(u16, Vec<(String, String)>)> {
    let text = std::str::from_utf8(head).map_err(|_| bad("head is not UTF-8"))?;
    let mut lines = text.trim_end().split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status =
        status_line.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| bad(status_line))?;
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(':').ok_or_else(|| bad(line))?;
        Ok((name.to_owned(), value.trim().to_owned()))
    });
    Ok((status, headers.collect::<io::Result<_>>()?))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP/1.1: {what}"))
}
