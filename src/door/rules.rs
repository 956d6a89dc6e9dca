//! When a connection has to go. Owns the rules, as functions of what was seen and of the time; sees and
//! does nothing itself.

use super::Limits;
use super::census::{Row, State};
use super::line::{Peer, Standing};
use super::valve::Held;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Bytes of a head and what may lie behind it, before a first request: far over the 32 KB of a head.
const BEFORE_REQUEST_BYTES_MAX: u64 = 128 * 1024;
/// Bytes after a request besides its body: tiny_http reads on, and keeps what it reads.
const AFTER_REQUEST_BYTES_MAX: u64 = 1024 * 1024;
/// Nothing unsent moved for so long: the client is not reading.
const STUCK_MAX: Duration = Duration::from_secs(15);
/// Where received bytes are not known: so much unread, for so long, is a flood.
const FLOOD_UNREAD: u32 = 4096;
const FLOOD_TIME: Duration = Duration::from_millis(500);
/// A client has hung up and tiny_http still has the connection.
const HUNG_UP_MAX: Duration = Duration::from_secs(5);
/// Unread bytes of somebody new that nobody has touched for so long: tiny_http forgot to start a thread.
/// Four times as long after each kick, for the connection may be one that no kick helps.
const FORGOTTEN_AFTER: Duration = Duration::from_millis(2);

/// What one look after the other has shown of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    since: Instant,
    requests: u64,
    /// Bytes received when the number of requests last changed.
    base: u64,
    /// Bytes of a next head have come.
    partial_since: Option<Instant>,
    unsent: (u32, Instant),
    unread: (u32, Instant),
    kicks: u32,
    flowing_since: Option<Instant>,
    hung_up_since: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offence {
    HeadTooSlow,
    BodyTooSlow,
    TooMuch,
    Idle,
    NotReading,
    HungUp,
}

impl Seen {
    pub fn new(row: &Row, now: Instant) -> Seen {
        Seen {
            since: now,
            requests: 0,
            base: 0,
            partial_since: None,
            unsent: (row.unsent, now),
            unread: (row.unread, now),
            kicks: 0,
            flowing_since: None,
            hung_up_since: None,
        }
    }

    pub fn update(&mut self, row: &Row, standing: Option<&Standing>, now: Instant) {
        let requests = standing.map_or(0, |standing| standing.requests);
        let received = row.received.unwrap_or(0);
        if requests != self.requests {
            (self.requests, self.base, self.partial_since) = (requests, received, None);
        } else if received > self.base {
            self.partial_since.get_or_insert(now);
        }
        if self.unsent.0 != row.unsent {
            self.unsent = (row.unsent, now);
        }
        if self.unread.0 != row.unread {
            self.unread = (row.unread, now);
        }
        let keep = |on: bool, since: Option<Instant>| on.then(|| since.unwrap_or(now));
        self.flowing_since = keep(row.unread >= FLOOD_UNREAD, self.flowing_since);
        self.hung_up_since = keep(row.state == State::HungUp, self.hung_up_since);
    }

    pub fn judge(
        &self,
        row: &Row,
        standing: Option<&Standing>,
        limits: &Limits,
        now: Instant,
    ) -> Option<Offence> {
        let over = |since: Option<Instant>, most: Duration| {
            since.is_some_and(|since| now.saturating_duration_since(since) > most)
        };
        let surplus = row.received.unwrap_or(0).saturating_sub(self.base);
        let Some(standing) = standing.filter(|standing| standing.requests > 0) else {
            let too_much = surplus > BEFORE_REQUEST_BYTES_MAX
                || (row.received.is_none() && over(self.flowing_since, FLOOD_TIME));
            let too_slow = over(Some(self.since), limits.head);
            return if too_much {
                Some(Offence::TooMuch)
            } else if over(self.hung_up_since, HUNG_UP_MAX) {
                Some(Offence::HungUp)
            } else {
                too_slow.then_some(Offence::HeadTooSlow)
            };
        };
        if surplus > AFTER_REQUEST_BYTES_MAX + limits.body_bytes {
            return Some(Offence::TooMuch);
        }
        if over(standing.reading, limits.body) {
            return Some(Offence::BodyTooSlow);
        }
        if standing.unanswered > 0 {
            // The handler has it, the lane or the wire: each has its own patience.
            return None;
        }
        if over(self.hung_up_since, HUNG_UP_MAX) {
            return Some(Offence::HungUp);
        }
        if over(self.partial_since, limits.head) {
            return Some(Offence::HeadTooSlow);
        }
        if row.unsent > 0 && over(Some(self.unsent.1), STUCK_MAX) {
            return Some(Offence::NotReading);
        }
        over(Some(self.active_at(Some(standing))), limits.idle).then_some(Offence::Idle)
    }

    /// Whether tiny_http has accepted this connection but given it no thread: it loses wake-ups when
    /// several connections come at once.
    pub fn is_forgotten(&self, row: &Row, now: Instant) -> bool {
        let waits = row.unread > 0 || row.state == State::HungUp;
        let patience = FORGOTTEN_AFTER * 4u32.pow(self.kicks.min(8));
        self.requests == 0 && waits && now.saturating_duration_since(self.unread.1) >= patience
    }

    /// Counts the time anew: a kick was given.
    pub fn kicked(&mut self, now: Instant) {
        self.unread.1 = now;
        self.kicks += 1;
    }

    fn active_at(&self, standing: Option<&Standing>) -> Instant {
        standing.and_then(|standing| standing.last_answer).unwrap_or(self.since)
    }
}

/// A connection that may have to make room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub peer: Peer,
    /// `None`: busy with a request, so it stays.
    pub idle_since: Option<Instant>,
}

impl Candidate {
    pub fn new(peer: Peer, seen: &Seen, standing: Option<&Standing>) -> Candidate {
        let busy = standing.is_some_and(|standing| standing.unanswered > 0);
        Candidate { peer, idle_since: (!busy).then(|| seen.active_at(standing)) }
    }
}

/// Addresses with more connections than one may have. Who waits for an answer crowds nobody: a household
/// that opens a cold page is no flood.
pub(super) fn crowded(candidates: &[Candidate], per_address_max: usize) -> Vec<IpAddr> {
    over(&idle_by_address(candidates), per_address_max)
}

fn over(by_address: &HashMap<IpAddr, usize>, per_address_max: usize) -> Vec<IpAddr> {
    by_address.iter().filter(|entry| *entry.1 > per_address_max).map(|entry| *entry.0).collect()
}

fn idle_by_address(candidates: &[Candidate]) -> HashMap<IpAddr, usize> {
    let mut by_address = HashMap::new();
    for candidate in candidates.iter().filter(|candidate| candidate.idle_since.is_some()) {
        *by_address.entry(candidate.peer.address).or_default() += 1;
    }
    by_address
}

/// Who goes when there are too many, the longest idle first, and who is held back until the next look.
/// An eighth more than needed goes, so that there is room for the next.
pub(super) fn make_room(
    mut candidates: Vec<Candidate>,
    connections_max: usize,
    per_address_max: usize,
) -> (Vec<Peer>, Held) {
    candidates.sort_by_key(|candidate| (candidate.idle_since, candidate.peer));
    let mut by_address = idle_by_address(&candidates);
    let crowded = over(&by_address, per_address_max);
    let full = candidates.len() > connections_max;
    let room = |max: usize| max - max / 8;
    let mut going = Vec::new();
    let mut staying = candidates.len();
    for Candidate { peer, idle_since } in candidates {
        let neighbours = by_address.entry(peer.address).or_default();
        let crowd = crowded.contains(&peer.address) && *neighbours > room(per_address_max);
        if idle_since.is_some() && (crowd || (full && staying > room(connections_max))) {
            going.push(peer);
            *neighbours -= 1;
            staying -= 1;
        }
    }
    (going, if full { Held::Everybody } else { Held::These(crowded) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn peer(host: u8, port: u16) -> Peer {
        Peer { address: IpAddr::from([192, 168, 1, host]), port }
    }

    fn row(received: u64) -> Row {
        let (inode, state) = (Some(1), State::Open);
        Row { peer: peer(1, 1), inode, state, unread: 0, unsent: 0, received: Some(received) }
    }

    fn standing(requests: u64, unanswered: usize, at: Instant) -> Standing {
        let (last_request, last_answer) = (Some(at), Some(at));
        Standing { requests, unanswered, last_request, reading: None, last_answer }
    }

    fn verdict(row: &Row, standing: Option<Standing>, since: Instant, now: Instant) -> Option<Offence> {
        let mut seen = Seen::new(row, since);
        seen.update(row, standing.as_ref(), since);
        seen.judge(row, standing.as_ref(), &Limits::default(), now)
    }

    #[test]
    fn a_first_head_has_15_seconds_and_128_kb() {
        let start = Instant::now();
        assert_eq!(verdict(&row(0), None, start, start + 15 * SECOND), None);
        let late = start + 15 * SECOND + Duration::from_millis(1);
        assert_eq!(verdict(&row(0), None, start, late), Some(Offence::HeadTooSlow));
        assert_eq!(verdict(&row(BEFORE_REQUEST_BYTES_MAX), None, start, start), None);
        assert_eq!(verdict(&row(BEFORE_REQUEST_BYTES_MAX + 1), None, start, start), Some(Offence::TooMuch));
    }

    #[test]
    fn an_answered_client_may_be_idle_for_75_seconds_and_a_waiting_one_for_ever() {
        let start = Instant::now();
        let later = start + 75 * SECOND + Duration::from_millis(1);
        let idle = Some(standing(1, 0, start));
        assert_eq!(verdict(&row(9), idle, start, start + 75 * SECOND), None);
        assert_eq!(verdict(&row(9), idle, start, later), Some(Offence::Idle));
        assert_eq!(verdict(&row(9), Some(standing(1, 1, start)), start, later), None);
    }

    #[test]
    fn a_second_head_that_drips_is_late_after_15_seconds_though_the_first_was_answered() {
        let start = Instant::now();
        let answered = standing(1, 0, start);
        let mut seen = Seen::new(&row(100), start);
        seen.update(&row(100), Some(&answered), start);
        seen.update(&row(101), Some(&answered), start + SECOND);
        seen.update(&row(109), Some(&answered), start + 9 * SECOND);
        let judge = |now| seen.judge(&row(110), Some(&answered), &Limits::default(), now);
        assert_eq!(judge(start + 16 * SECOND), None);
        assert_eq!(judge(start + 17 * SECOND), Some(Offence::HeadTooSlow));
    }

    fn candidates(host: u8, count: u16, start: Instant) -> Vec<Candidate> {
        let one = |port| Candidate { peer: peer(host, port), idle_since: Some(start + SECOND * port.into()) };
        (1..=count).map(one).collect()
    }

    #[test]
    fn exactly_full_is_not_too_many() {
        let start = Instant::now();
        let all = [candidates(1, 32, start), candidates(2, 32, start)].concat();
        assert_eq!(make_room(all, 64, 32), (vec![], Held::These(vec![])));
    }

    #[test]
    fn the_longest_idle_of_the_crowded_address_go_and_nobody_else() {
        let start = Instant::now();
        let all = [candidates(1, 33, start), candidates(2, 32, start)].concat();
        let (going, held) = make_room(all, 128, 32);
        assert_eq!(going, (1..=5).map(|port| peer(1, port)).collect::<Vec<Peer>>());
        assert_eq!(held, Held::These(vec![peer(1, 1).address]));
    }

    #[test]
    fn who_is_busy_stays_and_everybody_new_waits_when_the_house_is_full() {
        let start = Instant::now();
        let mut all = candidates(1, 17, start);
        all[0].idle_since = None;
        let (going, held) = make_room(all, 16, 32);
        assert_eq!(going, (2..=4).map(|port| peer(1, port)).collect::<Vec<Peer>>());
        assert_eq!(held, Held::Everybody);
    }
}
