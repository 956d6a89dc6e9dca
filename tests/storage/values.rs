//! When a failed cover is tried again, and what the memory cache holds.

use crate::{key, webp};
use std::time::{Duration, Instant};
use vinylvault::cache::failure::{Class, Failure};
use vinylvault::cache::memory::{ENTRY_OVERHEAD, Format, Memory};
use vinylvault::key::{Rendition, Timestamp, Variant};

const NOW: Timestamp = Timestamp(1_790_000_000);

fn failed(reason: &str) -> Failure {
    Failure::after(None, Class::Failed, false, reason.into(), None, NOW)
}

#[test]
fn waits_double_from_30_seconds_to_an_hour() {
    let mut previous = None;
    for wait in [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600] {
        let failure = Failure::after(previous.as_ref(), Class::Failed, false, "slow".into(), None, NOW);
        let waited = failure.next_try_at.0 - NOW.0;
        assert!((wait * 9 / 10..=wait * 11 / 10).contains(&waited), "{waited} for {wait}");
        assert!(!failure.is_due(Timestamp(failure.next_try_at.0 - 1)) && failure.is_due(failure.next_try_at));
        previous = Some(failure);
    }
    assert_eq!(previous.unwrap().tries, 10);
}

#[test]
fn what_is_absent_or_permanent_waits_a_day_and_not_all_the_same_day_long() {
    for (class, permanent) in [(Class::Absent, false), (Class::Failed, true)] {
        let mut waits: Vec<i64> = (0..50)
            .map(|_| Failure::after(None, class, permanent, "no".into(), None, NOW).next_try_at.0 - NOW.0)
            .collect();
        assert!(waits.iter().all(|wait| (77_760..=95_040).contains(wait)), "{waits:?}");
        waits.sort_unstable();
        waits.dedup();
        assert!(waits.len() > 25, "spread out");
    }
}

#[test]
fn retry_after_wins_up_to_an_hour() {
    let after = |seconds| {
        let asked = Some(Duration::from_secs(seconds));
        Failure::after(None, Class::Absent, true, "busy".into(), asked, NOW).next_try_at.0 - NOW.0
    };
    assert_eq!([after(0), after(90), after(3600), after(3601), after(u64::MAX)], [0, 90, 3600, 3600, 3600]);
}

#[test]
fn a_long_reason_is_cut_between_characters() {
    let reason = failed(&"ü".repeat(1000)).reason;
    assert_eq!(reason, "ü".repeat(150));
}

#[test]
fn a_clock_put_back_by_years_does_not_keep_a_cover_away_for_years() {
    let failure = failed("noted in the future");
    assert!(failure.is_due(Timestamp(NOW.0 - 10 * 365 * 86_400)));
    assert!(!failure.is_due(NOW));
}

#[test]
fn memory_holds_the_newest_up_to_its_bytes() {
    let cover = |name: &str| Rendition::new(webp(name, 100));
    let memory = Memory::new(2 * (100 + ENTRY_OVERHEAD));
    for name in ["a", "b"] {
        memory.put(key(name), Variant::Thumbnail, Format::WebP, cover(name));
    }
    assert_eq!(memory.bytes(), memory.bytes_max());
    assert!(memory.get(key("a"), Variant::Thumbnail, Format::WebP).is_some());
    memory.put(key("c"), Variant::Thumbnail, Format::Jpeg, cover("c"));
    let held = |name, format| memory.get(key(name), Variant::Thumbnail, format).is_some();
    assert_eq!(
        [held("a", Format::WebP), held("b", Format::WebP), held("c", Format::Jpeg), held("c", Format::WebP)],
        [true, false, true, false]
    );
    memory.put(key("a"), Variant::Thumbnail, Format::WebP, Rendition::new(webp("a", 101)));
    assert_eq!(memory.bytes(), 101 + ENTRY_OVERHEAD, "one byte more drops the other");
    memory.put(key("d"), Variant::Detail, Format::WebP, Rendition::new(webp("d", 10_000)));
    assert!(memory.get(key("d"), Variant::Detail, Format::WebP).is_none());
    assert_eq!(memory.bytes(), 101 + ENTRY_OVERHEAD, "what can never fit drops nobody");
    memory.remove(key("a"));
    assert_eq!(memory.bytes(), 0);
    memory.put(key("a"), Variant::Thumbnail, Format::WebP, cover("a"));
    memory.clear();
    assert_eq!((memory.bytes(), held("a", Format::WebP)), (0, false));
}

#[test]
fn what_nobody_uses_between_two_calls_leaves_memory() {
    let memory = Memory::new(1_000_000);
    let cover = |name: &str| Rendition::new(webp(name, 100));
    for name in ["viewed", "read", "put again", "left"] {
        memory.put(key(name), Variant::Detail, Format::WebP, cover(name));
    }
    memory.forget_unused();
    assert_eq!(memory.bytes(), 4 * (100 + ENTRY_OVERHEAD), "all are of this age");
    memory.hit(key("viewed"), Variant::Detail, Format::WebP, Instant::now()).unwrap();
    memory.get(key("read"), Variant::Detail, Format::WebP).unwrap();
    memory.put(key("put again"), Variant::Detail, Format::WebP, cover("put again"));
    memory.forget_unused();
    assert_eq!(memory.bytes(), 3 * (100 + ENTRY_OVERHEAD));
    assert!(memory.get(key("left"), Variant::Detail, Format::WebP).is_none());
    memory.forget_unused();
    assert_eq!(memory.bytes(), 0);
}

#[test]
fn a_memory_of_nothing_keeps_nothing() {
    let memory = Memory::new(0);
    memory.put(key("a"), Variant::Detail, Format::WebP, Rendition::new(webp("a", 20)));
    assert!(memory.get(key("a"), Variant::Detail, Format::WebP).is_none());
    assert_eq!(memory.bytes(), 0);
}
