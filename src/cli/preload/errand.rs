//! One batch as a job of the running server: begun, followed, begun again when a restart lost it,
//! cancelled when somebody wants the command to end. Owns the waiting, and with it the manners:
//! never more often than once a second, and as long as the server asks for.

use super::course::Course;
use super::tally::Tally;
use crate::cli::Failure;
use crate::cli::server::{Answer, Found, Server};
use crate::cli::stop::Stop;
use crate::config::Config;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Between two looks at a job: half of what the server grants one address.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The first look at a job: a batch that is cached has ended by then.
const LOOK_FIRST: Duration = Duration::from_millis(250);
/// After a refusal that does not say for how long.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// No answer asks for more patience: the server's windows are a minute long.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(90);
/// Refusals in a row: a server that is busy for so long is not about to be free.
const BUSY_TIMES_MAX: u32 = 60;
/// A server that restarts, or a Pi that does, is back within this.
const AWAY_MAX: Duration = Duration::from_secs(180);
/// Jobs that may get lost in a row without a cover fetched: a server that ends again and again.
const LOST_TIMES_MAX: u32 = 10;

/// How a batch, and with it the command, went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Done,
    /// Somebody wanted it; the server fetches no more.
    Stopped,
    /// Somebody wanted it, and the server does not know.
    Abandoned,
}

pub(super) struct Errand<'a> {
    config: &'a Config,
    server: Server,
    stop: &'a Stop,
    next: Option<i64>,
}

/// What became of a job that was followed.
enum Followed {
    Over,
    Stopped,
    /// The server does not know it any more.
    Lost,
}

impl<'a> Errand<'a> {
    pub fn new(config: &'a Config, server: Server, stop: &'a Stop) -> Errand<'a> {
        Errand { config, server, stop, next: None }
    }

    /// The album before which the collection goes on after the batch that was begun last.
    pub fn next(&self) -> Option<i64> {
        self.next
    }

    /// Posts `batch` and returns when every cover of it is here or has failed, or when it was stopped.
    ///
    /// # Errors
    /// When the server refuses, goes and does not come back, or never gets anywhere.
    pub fn run(&mut self, batch: &Value, tally: &mut Tally, course: &mut Course) -> Result<Ended, Failure> {
        let mut lost_in_vain = 0;
        while lost_in_vain < LOST_TIMES_MAX {
            let Some(taken) = self.begin(batch, course)? else { return Ok(Ended::Stopped) };
            tally.begin(&taken);
            self.next = taken["next"].as_i64();
            let job = format!("/api/jobs/{}", taken["job"].as_str().unwrap_or_default());
            let fetched = tally.counts().fetched();
            match self.follow(&job, tally, course)? {
                Followed::Over => {
                    tally.end();
                    return Ok(Ended::Done);
                }
                Followed::Stopped => return Ok(self.cancel(&job, tally)),
                Followed::Lost => {
                    let is_vain = tally.counts().fetched() <= fetched;
                    lost_in_vain = if is_vain { lost_in_vain + 1 } else { 0 };
                    tally.lose();
                    course.note("the server was restarted; beginning again with what is missing")?;
                }
            }
        }
        Err(Failure::Failed(format!(
            "cannot preload: the server ended {LOST_TIMES_MAX} times and fetched nothing"
        )))
    }

    /// The answer that names the job; `None`: stopped before there was one.
    fn begin(&mut self, batch: &Value, course: &mut Course) -> Result<Option<Value>, Failure> {
        let answer = self.ask(course, |server| server.post("/api/cache/preload", batch))?;
        answer.map(|answer| answer.success("preload")).transpose()
    }

    fn follow(&mut self, job: &str, tally: &mut Tally, course: &mut Course) -> Result<Followed, Failure> {
        let mut pause = LOOK_FIRST;
        loop {
            if self.stop.wait(pause) {
                return Ok(Followed::Stopped);
            }
            pause = LOOK_EVERY;
            let Some(answer) = self.ask(course, |server| server.get(job))? else {
                return Ok(Followed::Stopped);
            };
            if answer.status == 404 {
                return Ok(Followed::Lost);
            }
            let progress = answer.success("follow the preload")?;
            let now = Instant::now();
            tally.hear(&progress, now);
            course.show(tally, now)?;
            // `cancelled`: by somebody else, who wants no more of it either.
            match progress["state"].as_str() {
                Some("done") => return Ok(Followed::Over),
                Some("cancelled") => {
                    return Err(Failure::Failed("somebody else cancelled the preload".to_owned()));
                }
                _ => {}
            }
        }
    }

    /// Tells the server to begin no further cover.
    fn cancel(&self, job: &str, tally: &mut Tally) -> Ended {
        let answer = self.server.delete(job);
        match answer {
            Ok(answer) if answer.status == 200 => {
                tally.hear(&answer.body, Instant::now());
                Ended::Stopped
            }
            // A server that does not know the job does nothing for it.
            Ok(answer) if answer.status == 404 => Ended::Stopped,
            _ => Ended::Abandoned,
        }
    }

    /// One question, put again while the server is busy or away; `None`: stopped meanwhile.
    fn ask(
        &mut self,
        course: &mut Course,
        question: impl Fn(&Server) -> Result<Answer, Failure>,
    ) -> Result<Option<Answer>, Failure> {
        for _ in 0..BUSY_TIMES_MAX {
            if self.stop.is_asked() {
                return Ok(None);
            }
            let answer = match question(&self.server) {
                Ok(answer) => answer,
                Err(cause) => match self.reach_again(cause, course)? {
                    true => continue,
                    false => return Ok(None),
                },
            };
            if !matches!(answer.status, 429 | 503) {
                return Ok(Some(answer));
            }
            let wait = answer.retry_after.unwrap_or(BUSY_WAIT).min(BUSY_WAIT_MAX);
            if wait > LOOK_EVERY {
                course.note(&format!("the server is busy; asking again in {} s", wait.as_secs()))?;
            }
            if self.stop.wait(wait) {
                return Ok(None);
            }
        }
        Err(Failure::Failed("cannot preload: the server has been too busy for a long time".to_owned()))
    }

    /// Waits for a server that does not answer; `false`: stopped meanwhile. It may come back at
    /// another address.
    fn reach_again(&mut self, cause: Failure, course: &mut Course) -> Result<bool, Failure> {
        course.note("the server does not answer; waiting for it")?;
        let deadline = Instant::now() + AWAY_MAX;
        while Instant::now() < deadline {
            if self.stop.wait(LOOK_EVERY) {
                return Ok(false);
            }
            if let Ok(Found::Server(server)) = Server::find(self.config) {
                self.server = server;
                return Ok(true);
            }
        }
        Err(cause)
    }
}
