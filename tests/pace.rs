//! Manners towards an origin host, with the test's own clock.

use std::time::{Duration, Instant};
use vinylvault::cache::pace::{Answer, Pace, Turn};

const INTERVAL: Duration = Duration::from_secs(1);
const INTERVAL_MAX: Duration = Duration::from_secs(64);
const HOSTS_MAX: usize = 256;
const HOST: &str = "i.discogs.com";

/// Asks until it may begin, without waiting: the time at which it may.
fn begin(pace: &Pace, host: &str, mut now: Instant) -> Instant {
    loop {
        match pace.turn(host, false, now) {
            Turn::Now(_) => return now,
            Turn::At(later) => {
                assert!(later > now, "a wait of nothing would spin");
                now = later;
            }
        }
    }
}

fn interval(pace: &Pace, now: Instant) -> Duration {
    pace.hosts(now)[0].interval
}

#[test]
fn a_burst_goes_at_once_and_the_rest_one_a_second() {
    let (pace, start) = (Pace::new(), Instant::now());
    for _ in 0..30 {
        assert_eq!(begin(&pace, HOST, start), start);
    }
    for second in 1..5 {
        assert_eq!(begin(&pace, HOST, start), start + Duration::from_secs(second));
    }
    let later = start + Duration::from_secs(1000);
    for _ in 0..30 {
        assert_eq!(begin(&pace, HOST, later), later, "rest refills the burst");
    }
    assert_eq!(begin(&pace, HOST, later), later + Duration::from_secs(1), "and no more than that");
    assert_eq!(begin(&pace, "other.example", start), start, "hosts do not wait for each other");
}

#[test]
fn no_host_has_more_than_three_downloads_and_a_dropped_slot_is_free() {
    let (pace, now) = (Pace::new(), Instant::now());
    for private in [false, true] {
        let host = if private { "nas.local" } else { HOST };
        let mut slots: Vec<Turn> = (0..3).map(|_| pace.turn(host, private, now)).collect();
        assert!(slots.iter().all(|turn| matches!(turn, Turn::Now(_))));
        assert!(matches!(pace.turn(host, private, now), Turn::At(later) if later > now));
        slots.pop();
        let again = pace.turn(host, private, now);
        assert!(matches!(again, Turn::Now(_)));
        assert_eq!(pace.hosts(now).iter().find(|state| state.host == host).unwrap().in_flight, 3);
        drop((slots, again));
    }
    assert!(pace.hosts(now).iter().all(|state| state.in_flight == 0 && state.requests == 4));
}

#[test]
fn a_private_host_is_not_paced_but_pauses_when_it_asks_to() {
    let (pace, now) = (Pace::new(), Instant::now());
    for _ in 0..1000 {
        assert!(matches!(pace.turn("nas.local", true, now), Turn::Now(_)));
    }
    pace.pause("nas.local", Duration::from_secs(7), now);
    let until = now + Duration::from_secs(7);
    assert!(matches!(pace.turn("nas.local", true, now), Turn::At(at) if at == until));
    assert!(matches!(pace.turn("nas.local", true, until), Turn::Now(_)));
}

#[test]
fn a_pause_lasts_as_long_as_the_longest_wish_and_at_most_an_hour() {
    let (pace, now) = (Pace::new(), Instant::now());
    pace.pause(HOST, Duration::from_secs(50), now);
    pace.pause(HOST, Duration::from_secs(5), now);
    assert_eq!(pace.hosts(now)[0].paused_for, Some(Duration::from_secs(50)));
    assert_eq!(begin(&pace, HOST, now), now + Duration::from_secs(50));
    pace.pause(HOST, Duration::MAX, now);
    assert_eq!(pace.hosts(now)[0].paused_for, Some(Duration::from_secs(3600)));
    assert_eq!(pace.hosts(now + Duration::from_secs(3600))[0].paused_for, None);
}

#[test]
fn too_much_halves_the_pace_and_ten_fine_answers_double_it() {
    let (pace, start) = (Pace::new(), Instant::now());
    begin(&pace, HOST, start);
    for _ in 0..3 {
        pace.note(HOST, Answer::Throttled, start);
    }
    assert_eq!(interval(&pace, start), INTERVAL * 2, "three told together are told once");
    let next = begin(&pace, HOST, start);
    assert_eq!(next, start + INTERVAL * 2, "and the burst is over");
    pace.note(HOST, Answer::Throttled, next);
    assert_eq!(begin(&pace, HOST, next), next + INTERVAL * 4);
    let mut now = next;
    for _ in 0..20 {
        now = begin(&pace, HOST, now);
        pace.note(HOST, Answer::Throttled, now);
    }
    assert_eq!(interval(&pace, now), INTERVAL_MAX);
    for healed in [32, 16, 8, 4, 2, 1, 1] {
        for _ in 0..10 {
            pace.note(HOST, Answer::Fine, now);
        }
        assert_eq!(interval(&pace, now), Duration::from_secs(healed));
    }
    assert!(begin(&pace, HOST, now) <= now + INTERVAL * 2, "healed debts are small again");
}

#[test]
fn one_stale_address_is_no_limit_but_three_refusals_in_a_row_are() {
    let (pace, now) = (Pace::new(), Instant::now());
    begin(&pace, HOST, now);
    for answer in [Answer::Refused, Answer::Refused, Answer::Fine, Answer::Refused, Answer::Refused] {
        pace.note(HOST, answer, now);
    }
    assert_eq!(interval(&pace, now), INTERVAL);
    pace.note(HOST, Answer::Refused, now);
    assert_eq!(interval(&pace, now), INTERVAL * 2);
    assert_eq!(pace.hosts(now)[0].failures, 5);
}

#[test]
fn the_host_idle_for_longest_is_forgotten_and_none_that_is_busy_or_paused() {
    let (pace, start) = (Pace::new(), Instant::now());
    let busy = pace.turn("busy.example", false, start);
    pace.pause("paused.example", Duration::from_secs(3600), start);
    for n in 0..600u64 {
        drop(pace.turn(&format!("{n}.example"), false, start + Duration::from_millis(n)));
        assert!(pace.hosts(start).len() <= HOSTS_MAX);
    }
    let known: Vec<String> = pace.hosts(start).into_iter().map(|state| state.host).collect();
    for (host, expected) in
        [("busy.example", true), ("paused.example", true), ("345.example", false), ("346.example", true)]
    {
        assert_eq!(known.iter().any(|name| name == host), expected, "{host}");
    }
    drop(busy);
}

#[test]
fn hosts_that_ask_for_pauses_do_not_close_the_door_to_others() {
    let (pace, now) = (Pace::new(), Instant::now());
    for n in 0..300 {
        pace.pause(&format!("{n}.example"), Duration::from_secs(3600), now);
    }
    assert_eq!(pace.hosts(now).len(), HOSTS_MAX);
    assert!(matches!(pace.turn(HOST, false, now), Turn::Now(_)));
    assert_eq!(pace.hosts(now).len(), HOSTS_MAX);
}
