//! The demo's origin is a real web server: asked here over plain sockets, as a stranger would.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use vinylvault::demo::albums::{DemoAlbum, Encoding, Manner, albums};
use vinylvault::demo::origin::{DemoOrigin, SLOWNESS};

/// A reply as it came over the wire.
struct Reply {
    head: String,
    body: Vec<u8>,
}

fn first(wanted: impl Fn(&DemoAlbum) -> bool) -> DemoAlbum {
    albums().into_iter().find(|album| wanted(album)).unwrap()
}

fn small(manner: Manner) -> DemoAlbum {
    first(|album| album.cover.manner == manner && album.cover.side <= 600)
}

fn connect(origin: &DemoOrigin) -> TcpStream {
    let stream = TcpStream::connect(origin.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

fn ask(stream: &mut TcpStream, request: &str) -> Reply {
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    let mut byte = [0u8];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.split("Content-Length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    let mut body = vec![0; if request.starts_with("HEAD") { 0 } else { length }];
    stream.read_exact(&mut body).unwrap();
    Reply { head, body }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

#[test]
fn one_connection_gets_several_pictures_and_each_is_as_declared() {
    let origin = DemoOrigin::start().unwrap();
    let mut stream = connect(&origin);
    let png = first(|album| album.cover.encoding == Encoding::Png);
    for (album, media_type) in [(small(Manner::Prompt), "image/jpeg"), (png, "image/png")] {
        let reply = ask(&mut stream, &get(&album.path()));
        assert!(reply.head.starts_with("HTTP/1.1 200 OK\r\n"), "{}", reply.head);
        assert!(reply.head.contains(&format!("Content-Type: {media_type}\r\n")), "{}", reply.head);
        let side = album.cover.side;
        assert_eq!(image::load_from_memory(&reply.body).unwrap().to_rgb8().dimensions(), (side, side));
    }
}

#[test]
fn a_slow_cover_comes_late_and_whole() {
    let origin = DemoOrigin::start().unwrap();
    let asked = Instant::now();
    let reply = ask(&mut connect(&origin), &get(&small(Manner::Slow).path()));
    assert!(asked.elapsed() >= SLOWNESS);
    assert!(image::load_from_memory(&reply.body).is_ok());
}

#[test]
fn a_missing_cover_is_404_and_a_broken_one_is_no_picture() {
    let origin = DemoOrigin::start().unwrap();
    let missing = ask(&mut connect(&origin), &get(&small(Manner::Missing).path()));
    assert!(missing.head.starts_with("HTTP/1.1 404 "), "{}", missing.head);
    let broken = ask(&mut connect(&origin), &get(&small(Manner::Broken).path()));
    assert!(broken.head.starts_with("HTTP/1.1 200 "), "{}", broken.head);
    assert!(image::load_from_memory(&broken.body).is_err());
}

#[test]
fn what_is_no_request_for_a_sleeve_gets_a_plain_no() {
    let origin = DemoOrigin::start().unwrap();
    let path = small(Manner::Prompt).path();
    let post = format!("POST {path} HTTP/1.1\r\nContent-Length: 2\r\n\r\n");
    for (request, status) in [
        (get("/sleeves/../Cargo.toml"), "404"),
        (get("/"), "404"),
        (post, "405"),
        ("GET http://elsewhere/ HTTP/1.1\r\n\r\n".to_owned(), "400"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
    ] {
        let reply = ask(&mut connect(&origin), &request);
        assert!(reply.head.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {}", reply.head);
    }
    let head = ask(&mut connect(&origin), &get(&path).replace("GET", "HEAD"));
    assert!(head.head.starts_with("HTTP/1.1 200 ") && head.body.is_empty());
}

#[test]
fn a_head_without_an_end_and_a_wish_to_close_end_the_connection() {
    let origin = DemoOrigin::start().unwrap();
    let mut endless = connect(&origin);
    let mut rest = Vec::new();
    endless.write_all(&vec![b'x'; 8 * 1024 + 1]).unwrap();
    // The end may come as a reset, because the rest of the head was not read.
    let _ = endless.read_to_end(&mut rest);
    assert!(rest.is_empty());
    let mut polite = connect(&origin);
    let request = get("/nothing").replace("Host", "Connection: close\r\nHost");
    assert!(ask(&mut polite, &request).head.contains("Connection: close\r\n"));
    assert_eq!(polite.read(&mut [0]).unwrap(), 0);
}

#[test]
fn an_origin_that_is_dropped_is_gone_at_once_with_connections_open() {
    let origin = DemoOrigin::start().unwrap();
    let address = origin.address();
    let mut idle = connect(&origin);
    ask(&mut idle, &get("/nothing"));
    let mut slow = connect(&origin);
    slow.write_all(get(&small(Manner::Slow).path()).as_bytes()).unwrap();
    let dropped = Instant::now();
    drop(origin);
    assert!(dropped.elapsed() < Duration::from_secs(15));
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    assert!(TcpStream::connect(address).is_err());
}
