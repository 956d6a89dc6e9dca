//! How far a backup or a restore is: a bar on a terminal's standard error, nothing in a pipe. Notes too
//! when somebody wants it to stop.

use super::sheet::Ink;
use super::stop::Stop;
use crate::backup::{Phase, Progress};
use crate::figures;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::ops::ControlFlow;

pub(super) struct Meter<'a> {
    stop: &'a Stop,
    /// Hidden where it could not be drawn: no terminal, or one that cannot move its cursor.
    bar: ProgressBar,
    phase: Option<Phase>,
}

impl Meter<'_> {
    pub fn new(stop: &Stop) -> Meter<'_> {
        Meter { stop, bar: ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()), phase: None }
    }

    /// For [`crate::backup::Watch`].
    pub fn tell(&mut self, progress: Progress) -> ControlFlow<()> {
        if self.phase != Some(progress.phase) {
            self.phase = Some(progress.phase);
            self.bar.set_style(style(progress.covers_total.is_some()));
            self.bar.set_prefix(act(progress.phase));
        }
        if let Some(total) = progress.covers_total {
            self.bar.set_length(total);
        }
        self.bar.set_position(progress.covers);
        self.bar.set_message(figures::bytes(progress.bytes));
        match self.stop.is_asked() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

impl Drop for Meter<'_> {
    /// The bar makes room for the result.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn act(phase: Phase) -> &'static str {
    match phase {
        Phase::Writing => "writing",
        Phase::Verifying => "verifying",
        Phase::Unpacking => "unpacking",
    }
}

fn style(has_end: bool) -> ProgressStyle {
    let chars = if Ink::of_locale() == Ink::Unicode { "█▉▊▋▌▍▎▏ " } else { "#- " };
    let template = match has_end {
        true => "{prefix} [{wide_bar}] {percent:>3} %  {pos} of {len} covers, {msg}",
        false => "{prefix}  {pos} covers, {msg}",
    };
    ProgressStyle::with_template(template).expect("the template is well formed").progress_chars(chars)
}
