//! Asking again and again: a reading each interval, and whatever ends or disturbs the wait. Owns the
//! threads that can be kept waiting (the server's answer, signals, the reader of standard output, the
//! keyboard), so that the command itself never is.

use super::Failure;
use super::facts::Facts;
use crate::config::Config;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rustix::event::{PollFd, PollFlags};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::Signals;
use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant};

/// Events that wait for the command: it takes each at once.
const EVENTS_MAX: usize = 16;

/// What a watching command is told.
pub(super) enum Event {
    Read(Result<Facts, Failure>),
    /// Nothing happened for as long as the command wanted to wait.
    Tick,
    Resized,
    /// Ctrl-Z.
    Suspend,
    /// Ctrl-C, SIGTERM, `q`, a terminal or a reader that is gone.
    End,
}

/// What the command does beside reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Lines for whoever reads.
    Lines,
    /// A terminal that changes its size, is suspended and has a keyboard.
    Terminal,
}

pub(super) struct Watch {
    events: Receiver<Event>,
    questions: Sender<()>,
    interval: Duration,
    /// When the last question was asked.
    asked_at: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Asked,
    Answered,
}

impl Watch {
    /// Asks the first question at once.
    pub fn start(config: Config, interval: Duration, stage: Stage) -> Result<Watch, Failure> {
        let failed = |cause: io::Error| Failure::Failed(format!("cannot watch the server: {cause}"));
        let (sender, events) = bounded(EVENTS_MAX);
        let (questions, asked) = bounded::<()>(1);
        let mut watched = vec![SIGINT, SIGTERM, SIGHUP];
        if stage == Stage::Terminal {
            watched.extend([SIGWINCH, SIGTSTP]);
        }
        let signals = Signals::new(watched).map_err(failed)?;
        let start = |name: &str, work: Box<dyn FnOnce(Sender<Event>) + Send>| {
            let sender = sender.clone();
            thread::Builder::new().name(name.to_owned()).spawn(move || work(sender)).map_err(failed)
        };
        start("signals", Box::new(move |sender| listen(signals, &sender)))?;
        start("reader", Box::new(|sender| await_hang_up(&sender)))?;
        start("asker", Box::new(move |sender| ask(&config, &asked, &sender)))?;
        if stage == Stage::Terminal {
            start("keys", Box::new(|sender| await_quit(&sender)))?;
        }
        let mut watch =
            Watch { events, questions, interval, asked_at: Instant::now(), state: State::Answered };
        watch.ask();
        Ok(watch)
    }

    /// The next event, [`Event::Tick`] after `wait` at the latest.
    pub fn next(&mut self, wait: Duration) -> Event {
        let tick_at = Instant::now() + wait;
        loop {
            let due = self.asked_at + self.interval;
            if self.state == State::Answered && Instant::now() >= due {
                self.ask();
            }
            let wake_at = if self.state == State::Answered { tick_at.min(due) } else { tick_at };
            match self.events.recv_deadline(wake_at) {
                Ok(event) => {
                    if matches!(event, Event::Read(_)) {
                        self.state = State::Answered;
                    }
                    return event;
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() < tick_at => {}
                Err(RecvTimeoutError::Timeout) => return Event::Tick,
                Err(RecvTimeoutError::Disconnected) => return Event::End,
            }
        }
    }

    /// Until the next question; `None` while one is being answered.
    pub fn next_in(&self) -> Option<Duration> {
        let left = (self.asked_at + self.interval).saturating_duration_since(Instant::now());
        (self.state == State::Answered).then_some(left)
    }

    /// For how long the question that was asked last has been waiting for its answer.
    pub fn waiting_for(&self) -> Option<Duration> {
        (self.state == State::Asked).then(|| self.asked_at.elapsed())
    }

    fn ask(&mut self) {
        self.asked_at = Instant::now();
        self.state = State::Asked;
        // The last one has been answered, so there is room.
        let _ = self.questions.try_send(());
    }
}

fn ask(config: &Config, asked: &Receiver<()>, sender: &Sender<Event>) {
    while asked.recv().is_ok() {
        // Found anew each time: a restarted server may listen elsewhere.
        if sender.send(Event::Read(Facts::read(config))).is_err() {
            return;
        }
    }
}

fn listen(mut signals: Signals, sender: &Sender<Event>) {
    let mut asked_to_end = false;
    for signal in signals.forever() {
        let event = match signal {
            SIGWINCH => Event::Resized,
            SIGTSTP => Event::Suspend,
            // The first one may find the command writing to somebody who does not read.
            _ if asked_to_end => std::process::exit(0),
            _ => Event::End,
        };
        asked_to_end |= matches!(event, Event::End);
        if sender.send(event).is_err() {
            return;
        }
    }
}

/// A pipe says at once that its reader is gone; finding it out by writing may take an interval.
fn await_hang_up(sender: &Sender<Event>) {
    let stdout = io::stdout();
    loop {
        let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
        match rustix::event::poll(&mut watched, None) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) if watched[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) => {
                let _ = sender.send(Event::End);
                return;
            }
            // What cannot be watched has no reader that could leave.
            _ => return,
        }
    }
}

fn await_quit(sender: &Sender<Event>) {
    let mut keys = io::stdin().lock().bytes();
    // Ctrl-D is a key like others where the terminal hands them out one by one.
    while let Some(Ok(key)) = keys.next() {
        if matches!(key, b'q' | b'Q' | 0x04) {
            let _ = sender.send(Event::End);
            return;
        }
    }
}
