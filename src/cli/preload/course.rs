//! How far a preload is, as somebody sees it: a bar on a terminal, a line each tenth in a pipe,
//! nothing where JSON is expected and nobody watches. Owns the drawing; counts nothing.

use super::tally::{Tally, spelled};
use crate::cli::server::Server;
use crate::cli::sheet::Ink;
use crate::cli::{Failure, print};
use crate::figures;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

/// Lines in a pipe, one each so many percent.
const STEP_PERCENT: u64 = 10;

pub(super) struct Course {
    manner: Manner,
}

enum Manner {
    /// On standard error, so that standard output has the facts alone.
    Bar(ProgressBar),
    /// On standard output; the next line is due at this share.
    Lines {
        next_percent: u64,
    },
    Silent,
}

impl Course {
    pub fn begin(is_json: bool, tally: &Tally, server: &Server) -> Result<Course, Failure> {
        let total = tally.counts().total;
        if (is_json || io::stdout().is_terminal())
            && let Some(bar) = bar(total)
        {
            return Ok(Course { manner: Manner::Bar(bar) });
        }
        if is_json {
            return Ok(Course { manner: Manner::Silent });
        }
        let covers = figures::counted(total, "cover", "covers");
        print(&format!("{covers}, asked of the server at {}\n", server.address()))?;
        Ok(Course { manner: Manner::Lines { next_percent: STEP_PERCENT } })
    }

    pub fn show(&mut self, tally: &Tally, now: Instant) -> Result<(), Failure> {
        let counts = tally.counts();
        match &mut self.manner {
            Manner::Silent => Ok(()),
            Manner::Bar(bar) => {
                bar.set_length(counts.total);
                bar.set_position(counts.done);
                bar.set_message(facts(tally, now));
                Ok(())
            }
            Manner::Lines { next_percent } => {
                let percent = counts.done * 100 / counts.total.max(1);
                // The end has its own line.
                if percent < *next_percent || percent >= 100 {
                    return Ok(());
                }
                *next_percent = percent - percent % STEP_PERCENT + STEP_PERCENT;
                let (done, total) = (counts.done, counts.total);
                print(&format!("{percent:>3} %  {done} of {total}, {}\n", facts(tally, now)))
            }
        }
    }

    /// Something that somebody who watches should know.
    pub fn note(&mut self, sentence: &str) -> Result<(), Failure> {
        match &self.manner {
            Manner::Bar(bar) => bar.println(sentence),
            Manner::Lines { .. } => print(&format!("{sentence}\n"))?,
            // Nobody is left to tell when standard error is gone.
            Manner::Silent => drop(writeln!(io::stderr(), "{sentence}")),
        }
        Ok(())
    }

    /// The bar makes room for the result.
    pub fn end(&mut self) {
        if let Manner::Bar(bar) = &self.manner {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        self.end();
    }
}

/// `None` where it could not be drawn: no terminal, or one that cannot move its cursor.
fn bar(total: u64) -> Option<ProgressBar> {
    let target = ProgressDrawTarget::stderr();
    if target.is_hidden() {
        return None;
    }
    let chars = if Ink::of_locale() == Ink::Unicode { "█▉▊▋▌▍▎▏ " } else { "#- " };
    let style = ProgressStyle::with_template("[{wide_bar}] {percent:>3} %  {pos} of {len}  {msg}");
    let style = style.expect("the template is well formed").progress_chars(chars);
    let bar = ProgressBar::with_draw_target(Some(total), target).with_style(style);
    bar.set_message("asking the server");
    Some(bar)
}

/// `3 failed, 2.4 a second, 4 min 5 s left`.
fn facts(tally: &Tally, now: Instant) -> String {
    let counts = tally.counts();
    let mut facts = format!("{} failed", counts.failed);
    if let Some(pace) = tally.pace(now) {
        facts += &format!(", {pace:.1} a second");
    }
    if let Some(eta) = tally.eta(now) {
        facts += &format!(", {} left", spelled(eta));
    }
    facts
}
