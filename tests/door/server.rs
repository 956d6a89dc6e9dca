//! The server that the door's tests and benches abuse: a memory hit, slow work, parked requests and
//! bodies, and a restart in place when the door asks for one.

use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;
use vinylvault::door::{Body, BodyError, Door, Ended, Exchange, Limits, Reply, Settings};
use vinylvault::key::Rendition;

/// The body of `/big`: four times what a socket takes for a client that does not read, and more than any
/// answer of the program but covers of 4,096 pixels.
const BIG_BYTES: usize = 1 << 20;
/// How long `/parked` waits, where `DOOR_PARKED_MS` does not say.
const PARKED_FOR: Duration = Duration::from_millis(300);

/// Serves on `DOOR_PORT` (0: any, printed on standard output) until `GET /stop`.
pub fn main() {
    let port = variable("DOOR_PORT").unwrap_or(0);
    let mut settings = Settings::new(([127, 0, 0, 1], port as u16).into(), 4);
    settings.limits = limits();
    settings.complain = |target, status, sentence| {
        Reply::sentence(status, sentence).with("X-Complaint", target.chars().take(20).collect::<String>())
    };
    let door = Door::bind(&settings).expect("the address is free");
    println!("door {}", door.address().port());
    std::io::stdout().flush().expect("somebody reads");
    let (stopper, gauges) = (door.stopper(), door.gauges());
    let hit = Rendition::new(vec![b'x'; 6144]);
    let (park, parked) = mpsc::channel();
    std::thread::spawn(move || answer_parked(&parked));
    let quick = move |exchange: &Exchange| match exchange.target() {
        "/hit" | "/hit?x=1" => Some(hit_reply(&hit, exchange)),
        "/panic-quick" => panic!("as asked"),
        "/counts" => Some(text(format!("{:?}", gauges.counts()))),
        _ => None,
    };
    let ended = door.run(quick, move |mut exchange| match exchange.target() {
        "/slow" => {
            std::thread::sleep(Duration::from_millis(100));
            exchange.answer(text("slow".into()));
        }
        "/parked" => {
            park.send(exchange).expect("the other end lives as long");
        }
        "/echo" => {
            let reply = match exchange.read_body(64 * 1024) {
                Ok(body) => Reply::new(200).carrying(Body::Owned(body)),
                Err(BodyError::TooLarge) => Reply::sentence(413, "too large\n"),
                Err(BodyError::Missing) => Reply::sentence(411, "no length\n"),
                Err(BodyError::Busy) => Reply::sentence(503, "busy\n"),
                Err(BodyError::Cut) => Reply::sentence(400, "cut\n"),
            };
            exchange.answer(reply);
        }
        "/big" => exchange.answer(Reply::new(200).carrying(Body::Owned(vec![b'b'; BIG_BYTES]))),
        "/40k" => exchange.answer(Reply::new(200).carrying(Body::Owned(vec![b'4'; 40_960]))),
        "/unchanged" => exchange.answer(Reply::new(304).with("ETag", "\"e\"")),
        "/peer" => {
            let peer = exchange.peer().to_string();
            exchange.answer(text(peer));
        }
        "/forgotten" => drop(exchange),
        "/panic" => panic!("as asked"),
        "/" => exchange.answer(text("home".into())),
        "/stop" => {
            exchange.answer(text("stopping".into()));
            stopper.stop();
        }
        _ => exchange.answer(Reply::sentence(404, "nothing here\n")),
    });
    if let Ended::Restart { reason } = ended {
        eprintln!("restart: {reason}");
        let error = vinylvault::door::restart_in_place();
        panic!("cannot restart: {error}");
    }
}

fn answer_parked(parked: &mpsc::Receiver<Exchange>) {
    let time = variable("DOOR_PARKED_MS").map_or(PARKED_FOR, Duration::from_millis);
    for exchange in parked {
        std::thread::sleep(time.saturating_sub(exchange.accepted_at().elapsed()));
        exchange.answer(text("parked".into()));
    }
}

fn hit_reply(hit: &Rendition, exchange: &Exchange) -> Reply {
    if exchange.header("If-None-Match") == Some("\"e\"") {
        return Reply::new(304).with("ETag", "\"e\"");
    }
    Reply::new(200)
        .with("Content-Type", "image/webp")
        .with("ETag", format!("\"{}\"", hit.digest()))
        .with("Cache-Control", "public, max-age=31536000, immutable")
        .with("X-Content-Type-Options", "nosniff")
        .with("Content-Security-Policy", "default-src 'none'; sandbox")
        .with("Cache-Status", "VinylVault; hit; detail=memory")
        .carrying(Body::Rendition(hit.clone()))
}

fn text(text: String) -> Reply {
    Reply::new(200).with("Content-Type", "text/plain").carrying(Body::Owned(text.into_bytes()))
}

/// The door's own limits, but for those that a test makes short or small.
fn limits() -> Limits {
    let mut limits = Limits::default();
    let seconds = |name| variable(name).map(Duration::from_millis);
    limits.head = seconds("DOOR_HEAD_MS").unwrap_or(limits.head);
    limits.body = seconds("DOOR_BODY_MS").unwrap_or(limits.body);
    limits.idle = seconds("DOOR_IDLE_MS").unwrap_or(limits.idle);
    limits.connections = variable("DOOR_CONNECTIONS").map_or(limits.connections, |n| n as usize);
    limits.connections_per_address =
        variable("DOOR_PER_ADDRESS").map_or(limits.connections_per_address, |n| n as usize);
    limits.lost = variable("DOOR_LOST").map_or(limits.lost, |n| n as usize);
    limits
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}
