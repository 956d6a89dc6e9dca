//! The thread that watches over connections, because tiny_http does not: it looks, asks the rules, and
//! acts. Owns when to look and what was seen; the rules are `rules`, the last goodbyes `closing`.
//!
//! It sleeps while nobody is connected (but for a look each [`IDLE_PAUSE`]) and looks often only while
//! connections come or go; a look costs a fraction of a millisecond and it takes a tenth of one core
//! at most.

use super::census::{Census, Row, State};
use super::closing::Closing;
use super::doorman::Known;
use super::errands::{Errand, Rung};
use super::graveyard::Corpse;
use super::hand::{Hand, Sockets, open_descriptors, sockets};
use super::lane::send;
use super::line::{Due, Line, Peer, Remains, Standing};
use super::listener::{descriptor_limit, home};
use super::reply::{Parting, render};
use super::rules::{Candidate, Offence, Seen, crowded, make_room};
use super::shared::Shared;
use super::valve::{Held, Valve};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::HashMap;
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};
use tiny_http::Request;

/// Between two looks: right after somebody came; while all is well; while nobody is there. The first is
/// doubled up to the second.
const ALERT_PAUSE: Duration = Duration::from_millis(3);
const BUSY_PAUSE: Duration = Duration::from_millis(250);
const CALM_PAUSE: Duration = Duration::from_secs(1);
const IDLE_PAUSE: Duration = Duration::from_secs(10);
/// After the last connection is gone, looks go on for so long, to see what it left behind.
const AFTERMATH: Duration = Duration::from_secs(6);
/// A look may take a tenth of the time, and what comes meanwhile waits at most so long.
const REST_FACTOR: u32 = 10;
const REST_MAX: Duration = Duration::from_millis(100);
/// The same where somebody is to be cut off: half of the time, for what he sends until then is kept.
const REST_FACTOR_URGENT: u32 = 2;
/// While resting, how often to see whether the doorman or the end of the day calls.
const NAP: Duration = Duration::from_millis(1);
/// Kept free for files and downloads when descriptors are scarce.
const DESCRIPTORS_SPARE: u64 = 16;
/// A connection that nobody accepts for so long: tiny_http's accept thread is dead.
const DEAF_AFTER: Duration = Duration::from_secs(1);
/// Between two counts of connections that are over, and how long one must be so before it is lost. Until
/// then each count gives a kick: it may only wait for a thread that would close it.
const LOST_PAUSE: Duration = Duration::from_secs(1);
const LOST_AFTER: Duration = Duration::from_secs(4);
/// Kicks at one look; more are given at the next.
const KICKS_MAX: usize = 32;
const KICK_TIMEOUT: Duration = Duration::from_millis(100);
/// Bodies read at once where sockets are out of reach.
const DRAINS_MAX: usize = 4;
/// An address that crowded the others out is held back for so long: until each of them, who was held back
/// with it for a moment, has sent his SYN once more.
const CROWD_HELD: Duration = Duration::from_millis(1500);
/// A line is kept so long after its last request though its connection is not to be seen.
const LINE_KEPT: Duration = Duration::from_secs(1);

pub(super) struct Warden {
    shared: Arc<Shared>,
    census: Census,
    hand: Option<Hand>,
    valve: Arc<Valve>,
    known: Arc<Known>,
    rows: HashMap<Peer, Row>,
    seen: HashMap<Peer, Seen>,
    closing: Closing,
    /// Addresses that had more connections than one may have, when last seen so.
    crowds: HashMap<IpAddr, Instant>,
    unaccepted: HashMap<Peer, Instant>,
    over: HashMap<u64, Instant>,
    lost_counted_at: Instant,
    connected_at: Instant,
    descriptors: u64,
    drains: Arc<()>,
    pause: Duration,
}

impl Warden {
    pub fn new(shared: Arc<Shared>, census: Census, valve: Arc<Valve>, known: Arc<Known>) -> Warden {
        let now = Instant::now();
        let hand = Hand::new();
        if let Err(error) = &hand {
            log::warn!("slow and idle clients cannot be disconnected (pidfd_getfd: {error})");
        }
        Warden {
            shared,
            census,
            hand: hand.ok(),
            valve,
            known,
            rows: HashMap::new(),
            seen: HashMap::new(),
            closing: Closing::default(),
            crowds: HashMap::new(),
            unaccepted: HashMap::new(),
            over: HashMap::new(),
            lost_counted_at: now,
            connected_at: now,
            descriptors: 0,
            drains: Arc::new(()),
            pause: ALERT_PAUSE,
        }
    }

    /// Until the door is shut, or has to be opened anew.
    pub fn watch(mut self) {
        while !self.shared.shut.load(Ordering::Acquire) {
            let started = Instant::now();
            let rung = self.shared.errands.silence();
            if let Err(reason) = self.look(started, rung) {
                self.valve.hold(Held::Nobody);
                return self.shared.demand_restart(reason);
            }
            self.rest(started);
        }
        self.valve.hold(Held::Nobody);
    }

    fn look(&mut self, now: Instant, rung: Rung) -> Result<(), String> {
        // First the list, then the table: what is asked for is about connections that exist. And the
        // doorman's count begins before the table, so that nobody falls between the two.
        let errands = self.shared.errands.take();
        self.descriptors = open_descriptors();
        let rows = self.census.take().map_err(|error| format!("cannot see the connections: {error}"))?;
        let before = self.rows.len();
        self.rows = rows.into_iter().map(|row| (row.peer, row)).collect();
        let mut sockets = None;
        for errand in errands {
            self.carry_out(errand, &mut sockets, now);
        }
        self.closing.follow_up(&self.rows, now);
        self.judge(&mut sockets, now);
        self.forget_lines(now);
        self.listen(now)?;
        self.count_lost(now)?;
        self.choose_pause(rung == Rung::Yes || self.rows.len() > before, now);
        Ok(())
    }

    fn carry_out(&mut self, errand: Errand, sockets: &mut Option<Sockets>, now: Instant) {
        match errand {
            Errand::Bury(line, due) => self.bury(&line, due, sockets, now),
            Errand::HangUp(peer) => {
                if let Some(stream) = self.grasp(peer, sockets) {
                    self.closing.hang_up(peer, stream, None, now);
                }
            }
            Errand::Cut(peer) => self.cut(peer, None, sockets, now),
            Errand::CutAndRelease(peer, corpse) => self.cut(peer, Some(corpse), sockets, now),
        }
    }

    /// Writes the answer past tiny_http, whose way would read the body first.
    fn bury(&mut self, line: &Arc<Line>, due: Due, sockets: &mut Option<Sockets>, now: Instant) {
        line.close_to_new();
        let mut bytes = Vec::new();
        render(&due.reply, Parting::HangUp, due.portion, &mut bytes);
        let length = if let Remains::Held(length) = due.remains { length } else { 0 };
        if self.hand.is_none() {
            self.answer_the_long_way(due.request, length, bytes);
        } else if let Some(stream) = self.grasp(line.peer, sockets) {
            send(&mut &stream, &bytes, 0);
            self.closing.hang_up(line.peer, stream, Some(Corpse::new(due.request, length)), now);
        } else {
            self.closing.cut(line.peer, None, Some(Corpse::new(due.request, length)), now);
        }
        if let Some(next) = self.shared.next_of(line, now) {
            self.shared.write_out(line.clone(), next);
        }
    }

    /// Where sockets are out of reach: reads the body in a thread of its own, as long as the client
    /// takes. Past a few such threads, and past what may be allocated, the request is given up.
    fn answer_the_long_way(&self, request: Request, length: u64, bytes: Vec<u8>) {
        let corpse = Corpse::new(request, length);
        if length > self.shared.limits.body_bytes || Arc::strong_count(&self.drains) > DRAINS_MAX {
            return;
        }
        let busy = self.drains.clone();
        let answer = move || {
            if let Some(mut writer) = corpse.into_writer() {
                send(&mut *writer, &bytes, 0);
            }
            drop(busy);
        };
        if let Err(error) = thread::Builder::new().name("door-drain".into()).spawn(answer) {
            log::debug!("cannot start a thread: {error}");
        }
    }

    fn cut(&mut self, peer: Peer, corpse: Option<Corpse>, sockets: &mut Option<Sockets>, now: Instant) {
        if self.hand.is_none() {
            return;
        }
        if let Some(line) = self.shared.register.find(peer) {
            self.shared.bury_line(&line);
        }
        let stream = self.grasp(peer, sockets);
        if stream.is_some() {
            self.shared.tally.cut.fetch_add(1, Ordering::Relaxed);
        }
        self.closing.cut(peer, stream, corpse, now);
    }

    /// Closes a connection that has done nothing wrong.
    fn end(&mut self, peer: Peer, sockets: &mut Option<Sockets>, now: Instant) {
        if let Some(stream) = self.grasp(peer, sockets) {
            self.shared.tally.cut.fetch_add(1, Ordering::Relaxed);
            if let Some(line) = self.shared.register.find(peer) {
                self.shared.bury_line(&line);
            }
            self.closing.end(peer, stream, now);
        }
    }

    /// A duplicate of the peer's connection; the list of descriptors is read once a look.
    fn grasp(&self, peer: Peer, sockets: &mut Option<Sockets>) -> Option<TcpStream> {
        let inode = self.rows.get(&peer)?.inode?;
        let hand = self.hand.as_ref()?;
        let sockets = sockets.get_or_insert_with(|| self::sockets().unwrap_or_default());
        hand.grasp(*sockets.get(&inode)?, peer)
    }

    fn judge(&mut self, sockets: &mut Option<Sockets>, now: Instant) {
        let limits = self.shared.limits;
        let mut candidates = Vec::new();
        let (mut going, mut offenders, mut forgotten) = (Vec::new(), Vec::new(), 0);
        self.seen.retain(|peer, _| self.rows.contains_key(peer));
        let before = self.seen.len();
        for (peer, row) in &self.rows {
            if row.inode.is_none() || self.closing.has(*peer) {
                continue;
            }
            let standing: Option<Standing> = self.shared.register.find(*peer).map(|line| line.standing());
            let seen = self.seen.entry(*peer).or_insert_with(|| Seen::new(row, now));
            seen.update(row, standing.as_ref(), now);
            if let Some(offence) = seen.judge(row, standing.as_ref(), &limits, now) {
                log::debug!("{}: {offence:?}", peer.address);
                let polite = matches!(offence, Offence::Idle | Offence::HungUp);
                if polite {
                    going.push(*peer)
                } else {
                    offenders.push(*peer)
                }
                continue;
            }
            if seen.is_forgotten(row, now) && forgotten < KICKS_MAX {
                forgotten += 1;
                seen.kicked(now);
            }
            // Who has hung up is about to be closed, and crowds nobody.
            if row.state != State::HungUp {
                candidates.push(Candidate::new(*peer, seen, standing.as_ref()));
            }
        }
        let connected = candidates.len();
        let crowds = crowded(&candidates, limits.connections_per_address);
        self.crowds.retain(|_, seen| now.saturating_duration_since(*seen) < CROWD_HELD);
        self.crowds.extend(crowds.into_iter().map(|address| (address, now)));
        let (excess, held) = make_room(candidates, self.room_for(connected), limits.connections_per_address);
        // Who came between the count of descriptors and the table is in both for the doorman, and once is
        // enough: 24 at once would look like 48.
        let twice = (open_descriptors().saturating_sub(self.descriptors) / 2) as usize;
        let fresh = self.seen.len().saturating_sub(before);
        self.known.set(connected.saturating_sub(twice.min(fresh)), self.descriptors);
        self.valve.hold(held.and(self.crowds.keys().copied()));
        self.shared.tally.connections.store(connected as u64, Ordering::Relaxed);
        for peer in offenders {
            self.cut(peer, None, sockets, now);
        }
        for peer in going.into_iter().chain(excess) {
            self.end(peer, sockets, now);
        }
        for _ in 0..forgotten {
            self.kick();
        }
    }

    /// Connections that may be: the setting, or what the limit of descriptors leaves.
    fn room_for(&self, connected: usize) -> usize {
        let others = self.descriptors.saturating_sub(2 * connected as u64) + DESCRIPTORS_SPARE;
        let left = descriptor_limit().saturating_sub(others) / 2;
        self.shared.limits.connections.min(usize::try_from(left).unwrap_or(usize::MAX)).max(4)
    }

    /// Comes and goes, so that tiny_http starts a thread, which then finds whom it had forgotten.
    fn kick(&self) {
        self.shared.tally.kicks.fetch_add(1, Ordering::Relaxed);
        // Refused or late: the next look kicks again.
        drop(TcpStream::connect_timeout(&home(self.census.at()), KICK_TIMEOUT));
    }

    fn forget_lines(&mut self, now: Instant) {
        for line in self.shared.register.all() {
            let connected = self.rows.get(&line.peer).is_some_and(|row| row.inode.is_some());
            let standing = line.standing();
            let fresh = |at: Instant| now.saturating_duration_since(at) < LINE_KEPT;
            if connected || standing.last_request.is_none_or(fresh) {
                continue;
            }
            self.shared.bury_line(&line);
            if standing.unanswered == 0 {
                self.shared.register.forget(line.peer);
            }
        }
    }

    /// A dead accept thread makes no sound; connections that nobody takes betray it.
    fn listen(&mut self, now: Instant) -> Result<(), String> {
        let waits = |row: &&Row| row.inode.is_none() && row.state != State::Closing;
        let waiting: Vec<Peer> = self.rows.values().filter(waits).map(|row| row.peer).collect();
        self.unaccepted.retain(|peer, _| waiting.contains(peer));
        for peer in waiting {
            let since = *self.unaccepted.entry(peer).or_insert(now);
            if now.saturating_duration_since(since) > DEAF_AFTER {
                return Err("tiny_http accepts no connections any more".into());
            }
        }
        Ok(())
    }

    /// Descriptors of connections that are over: tiny_http waits for ever on a thread of each.
    fn count_lost(&mut self, now: Instant) -> Result<(), String> {
        if now.saturating_duration_since(self.lost_counted_at) < LOST_PAUSE {
            return Ok(());
        }
        self.lost_counted_at = now;
        let (Some(hand), Ok(sockets)) = (&self.hand, sockets()) else { return Ok(()) };
        let open: Vec<u64> = self.rows.values().filter_map(|row| row.inode).collect();
        let mut over = HashMap::new();
        for (inode, descriptor) in sockets {
            let since = self.over.get(&inode).copied();
            if !open.contains(&inode)
                && (since.is_some() || hand.is_over(descriptor, self.census.at().port()))
            {
                over.insert(inode, since.unwrap_or(now));
            }
        }
        self.over = over;
        let settled = |since: &&Instant| now.saturating_duration_since(**since) >= LOST_AFTER;
        let lost = self.over.values().filter(settled).count();
        for _ in 0..(self.over.len() - lost).min(KICKS_MAX) {
            self.kick();
        }
        let lost = lost + self.closing.lost(now);
        self.shared.tally.lost.store(lost as u64, Ordering::Relaxed);
        match lost > self.shared.limits.lost {
            true => Err(format!("{lost} connections are over and cannot be closed")),
            false => Ok(()),
        }
    }

    fn choose_pause(&mut self, news: bool, now: Instant) {
        if !self.rows.is_empty() || !self.closing.is_empty() {
            self.connected_at = now;
        }
        let busy = self.rows.len() > self.shared.limits.connections / 2
            || self.rows.keys().any(|peer| self.shared.register.find(*peer).is_none());
        let longest = match now.saturating_duration_since(self.connected_at) {
            quiet if quiet > AFTERMATH => IDLE_PAUSE,
            _ if self.closing.lingers() => 8 * ALERT_PAUSE,
            _ if busy => BUSY_PAUSE,
            _ => CALM_PAUSE,
        };
        // Whoever is held back waits a second for the next try; not one more than must.
        let alert = news || self.valve.holds();
        self.pause = if alert { ALERT_PAUSE } else { (self.pause * 2).min(longest) };
        if longest == IDLE_PAUSE && !alert {
            self.pause = IDLE_PAUSE;
        }
    }

    /// Sleeps until it is time or somebody rings; rests first, so that a flood of connections does not
    /// make a flood of looks. A crowd held back does not wait for the rest.
    fn rest(&self, started: Instant) {
        let took = started.elapsed();
        let rested = started + (took * REST_FACTOR).min(REST_MAX);
        let hurried = started + took * REST_FACTOR_URGENT;
        while Instant::now() < rested {
            let urgent = self.shared.errands.are_urgent() && Instant::now() >= hurried;
            if urgent || self.known.crowd() || self.shared.shut.load(Ordering::Acquire) {
                return;
            }
            thread::sleep(NAP);
        }
        let pause = Timespec { tv_sec: self.pause.as_secs() as _, tv_nsec: self.pause.subsec_nanos() as _ };
        let mut bell = [PollFd::new(self.shared.errands.bell(), PollFlags::IN)];
        // Interrupted or not, the next look sees what there is.
        let _ = poll(&mut bell, Some(&pause));
    }
}
