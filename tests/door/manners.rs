//! What honest clients are promised.

use crate::client::{SOON, Server, header, is_closed, read_all, read_answer, request, until};
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn a_hundred_hits_on_one_connection_wait_for_no_acknowledgement() {
    let server = Server::start(&[]);
    let mut stream = server.connect();
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let started = Instant::now();
        for _ in 0..100 {
            stream.write_all(request("/hit").as_bytes()).unwrap();
            assert!(read_answer(&mut stream).unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
        }
        fastest = fastest.min(started.elapsed());
    }
    // Where each waits for an acknowledgement that is put off, as with tiny_http alone, they take four seconds.
    assert!(fastest < Duration::from_secs(2), "{fastest:?}");
}

/// A burst of connections that is not served within this was forgotten: those that tiny_http forgets wait
/// for ever, or for a kick.
const BURST_WITHIN: Duration = Duration::from_millis(100);
const BURSTS: usize = 50;
/// A tenth, for a machine that does something else for so long.
const LATE_MAX: usize = BURSTS / 10;

#[test]
fn a_browser_that_opens_many_connections_at_once_is_served_on_each_within_100_ms() {
    bursts_are_served(&Server::start(&[]), "two cores");
}

#[test]
fn on_one_core_too() {
    bursts_are_served(&Server::start_under("taskset -pc 0 $$ >/dev/null;", &[]), "one core");
}

fn bursts_are_served(server: &Server, cores: &str) {
    for size in [6, 24] {
        let mut times: Vec<Duration> = (0..BURSTS).map(|_| burst(server, size)).collect();
        times.sort();
        let late = times.iter().filter(|time| **time > BURST_WITHIN).count();
        println!(
            "{cores}: {size} at once: median {:?}, worst {:?}, {late} late",
            times[BURSTS / 2],
            times[BURSTS - 1]
        );
        assert!(late <= LATE_MAX, "{late} late of {BURSTS} bursts of {size} on {cores}: {times:?}");
    }
}

/// From the first connection to the last answer.
fn burst(server: &Server, size: usize) -> Duration {
    let started = Instant::now();
    let mut streams: Vec<TcpStream> = (0..size).map(|_| server.connect()).collect();
    streams.iter_mut().for_each(|stream| stream.write_all(request("/hit").as_bytes()).unwrap());
    assert!(streams.iter_mut().all(|stream| read_answer(stream).is_some()), "one is never served");
    let took = started.elapsed();
    drop(streams);
    until("the server is idle", SOON, || server.descriptors() < 20);
    took
}

#[test]
fn pipelined_answers_come_in_order_whoever_is_ready_first() {
    let server = Server::start(&[]);
    let mut stream = server.connect();
    let targets = ["/parked", "/hit", "/slow", "/unknown", "/hit", "/parked"];
    stream.write_all(targets.map(request).concat().as_bytes()).unwrap();
    let answers: Vec<String> = targets.iter().map(|_| read_answer(&mut stream).unwrap()).collect();
    let ends = ["parked", "xxx", "slow", "nothing here\n", "xxx", "parked"];
    for (answer, end) in answers.iter().zip(ends) {
        assert!(answer.ends_with(end), "{end}: {}", &answer[..answer.len().min(300)]);
    }
}

#[test]
fn a_hit_behind_a_parked_request_holds_up_nobody_else() {
    let server = Server::start(&[("DOOR_PARKED_MS", "3000")]);
    let mut rude: Vec<TcpStream> = (0..8).map(|_| server.connect()).collect();
    for stream in &mut rude {
        stream.write_all([request("/parked"), request("/hit"), request("/40k")].concat().as_bytes()).unwrap();
    }
    let mut stream = server.connect();
    let started = Instant::now();
    for target in ["/hit", "/slow", "/hit"] {
        stream.write_all(request(target).as_bytes()).unwrap();
        read_answer(&mut stream).unwrap();
    }
    // Less than one parked request takes.
    assert!(started.elapsed() < Duration::from_millis(2800), "{:?}", started.elapsed());
    for stream in &mut rude {
        assert!((0..3).all(|_| read_answer(stream).is_some()));
    }
}

#[test]
fn a_hit_leaves_in_one_write() {
    if Command::new("strace").arg("-V").output().is_err() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "strace is to be here");
        return eprintln!("not checked: no strace here");
    }
    let server = Server::start(&[]);
    let mut stream = server.connect();
    let trace = std::env::temp_dir().join(format!("door-writes-{}", std::process::id()));
    let mut strace = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=write,writev,sendto,sendmsg", "-p", &server.id().to_string(), "-o"])
        .arg(&trace)
        .spawn()
        .unwrap();
    let traced = || std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    until("strace is attached", SOON, || !traced().contains("TracerPid:\t0"));
    for _ in 0..50 {
        stream.write_all(request("/hit").as_bytes()).unwrap();
        read_answer(&mut stream).unwrap();
    }
    // A last word that is easily told from hits, and proves that the trace is complete.
    stream.write_all(request("/unchanged").as_bytes()).unwrap();
    read_answer(&mut stream).unwrap();
    let mut text = String::new();
    until("the trace is whole", SOON, || {
        text = std::fs::read_to_string(&trace).unwrap_or_default();
        text.contains("304 Not Modified")
    });
    strace.kill().unwrap();
    strace.wait().unwrap();
    std::fs::remove_file(&trace).unwrap();
    let to_clients = text.lines().filter(|line| line.contains("HTTP/1.1") || line.contains("xxxx"));
    assert_eq!(to_clients.count(), 51, "{text}");
}

#[test]
fn head_304_and_old_clients_get_what_the_standard_says() {
    let server = Server::start(&[]);
    let mut stream = server.connect();
    stream.write_all(b"HEAD /hit HTTP/1.1\r\nHost: door\r\n\r\n").unwrap();
    stream.write_all(b"GET /hit HTTP/1.1\r\nHost: door\r\nIf-None-Match: \"e\"\r\n\r\n").unwrap();
    stream.write_all(b"GET /unchanged HTTP/1.0\r\nHost: door\r\nConnection: keep-alive\r\n\r\n").unwrap();
    stream.write_all(b"GET http://door/peer?x HTTP/1.1\r\nHost: door\r\n\r\n").unwrap();
    stream.write_all(b"GET /peer HTTP/1.0\r\nHost: door\r\n\r\n").unwrap();
    let answers = read_all(&mut stream);
    let heads: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).collect();
    assert_eq!(heads.len(), 5, "{answers}");
    assert!(heads[0].contains("Content-Length: 6144\r\n") && heads[0].ends_with("\r\n\r\n"), "{answers}");
    assert!(heads[1].starts_with("304") && !heads[1].contains("Content-Length"), "{answers}");
    assert!(heads[2].contains("Connection: keep-alive\r\n"), "{answers}");
    assert!(heads[3].starts_with("404"), "absolute form keeps its query: {answers}");
    assert!(heads[4].contains("Connection: close\r\n") && heads[4].ends_with("127.0.0.1"), "{answers}");
    assert!(heads.iter().all(|head| head.contains("\r\nDate: ") && head.contains(" GMT\r\n")), "{answers}");
}

#[test]
fn bodies_arrive_whole_whatever_their_size_and_the_connection_goes_on() {
    let server = Server::start(&[]);
    let mut stream = server.connect();
    for length in [0, 1, 1024, 1025, 65_536] {
        let body = "b".repeat(length);
        let expect = if length == 1025 { "Expect: 100-continue\r\n" } else { "" };
        let head = format!("POST /echo HTTP/1.1\r\nHost: door\r\n{expect}Content-Length: {length}\r\n\r\n");
        stream.write_all((head + &body).as_bytes()).unwrap();
        if length == 1025 {
            assert!(read_answer(&mut stream).unwrap().starts_with("HTTP/1.1 100 "));
        }
        assert!(read_answer(&mut stream).unwrap().ends_with(&format!("\r\n\r\n{body}")), "{length}");
    }
    stream.write_all(b"POST /echo HTTP/1.1\r\nHost: door\r\n\r\n").unwrap();
    assert!(read_answer(&mut stream).unwrap().starts_with("HTTP/1.1 411 "));
}

#[test]
fn a_client_that_sends_too_much_can_read_why() {
    let server = Server::start(&[]);
    // Over the handler's limit, over the door's, and one that nobody reads at all.
    for (target, length, status) in [("/echo", 65_537, 413), ("/echo", 2_000_000, 413), ("/x", 200_000, 404)]
    {
        let head = format!("POST {target} HTTP/1.1\r\nHost: door\r\nContent-Length: {length}\r\n\r\n");
        let mut stream = server.connect();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&vec![b'b'; length]).unwrap();
        let answer = read_all(&mut stream);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{target} {length}: {answer}");
        assert_eq!(header(&answer, "Connection"), Some("close"));
    }
}

#[test]
fn a_forgotten_or_failed_request_is_a_500_and_the_server_goes_on() {
    let server = Server::start(&[]);
    for target in ["/forgotten", "/panic", "/panic-quick"].repeat(5) {
        let answer = server.get(target);
        assert!(answer.starts_with("HTTP/1.1 500 "), "{target}: {answer}");
        assert_eq!(header(&answer, "X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(header(&answer, "Cache-Control"), Some("no-store"));
        assert_eq!(header(&answer, "X-Complaint"), Some(target), "in the form of the house");
    }
    assert!(server.serves());
}

#[test]
fn too_much_at_once_is_told_when_to_come_back_and_hits_go_on() {
    let server = Server::start(&[]);
    // 10 connections of 20: more than four threads and 128 places can take.
    let mut streams: Vec<TcpStream> = (0..10).map(|_| server.connect()).collect();
    for stream in &mut streams {
        stream.write_all(request("/slow").repeat(20).as_bytes()).unwrap();
    }
    until("it says so", SOON, || server.count("overloads") > 0);
    assert!(server.serves());
    let mut seen = 0;
    for stream in &mut streams {
        for _ in 0..20 {
            let answer = read_answer(stream).unwrap();
            if answer.starts_with("HTTP/1.1 503 ") {
                assert_eq!(header(&answer, "Retry-After"), Some("1"));
                assert_eq!(header(&answer, "X-Complaint"), Some("/slow"));
                seen += 1;
            }
        }
    }
    assert!((1..=200 - 128).contains(&seen), "{seen} refused");
}

#[test]
fn the_word_to_stop_ends_the_server_after_its_last_answers() {
    let mut server = Server::start(&[]);
    let mut parked = server.connect();
    parked.write_all(request("/parked").as_bytes()).unwrap();
    until("it is parked", SOON, || server.count("requests") >= 2);
    let started = Instant::now();
    assert!(server.get("/stop").ends_with("stopping"));
    assert!(read_answer(&mut parked).unwrap().ends_with("parked"));
    assert!(server.wait().is_some_and(|status| status.success()));
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

#[test]
fn an_idle_server_sleeps() {
    let server = Server::start(&[]);
    assert!(server.serves());
    // It looks once more after the last connection, for what that left behind.
    until("nobody stirs for three seconds", Duration::from_secs(20), || {
        let before = server.naps();
        std::thread::sleep(Duration::from_secs(3));
        server.naps() == before
    });
}

#[test]
fn a_connection_is_kept_while_it_is_used_and_closed_when_it_is_not() {
    let server = Server::start(&[("DOOR_IDLE_MS", "2000"), ("DOOR_HEAD_MS", "60000")]);
    let mut stream = server.connect();
    for _ in 0..8 {
        stream.write_all(request("/hit").as_bytes()).unwrap();
        assert!(read_answer(&mut stream).is_some(), "closed though in use");
        std::thread::sleep(Duration::from_millis(400));
    }
    assert!(is_closed(&mut stream, SOON));
}
