//! The terminal while a command paints on all of it: the other screen, no cursor, no echo, and the
//! duty to put everything back, kept by `Drop`. Knows escape sequences, not what they are used for.

use super::sheet::{Line, Look};
use rustix::termios::{LocalModes, OptionalActions, Termios};
use std::io::{self, IsTerminal, Write};

/// xterm's names: the alternate screen with the cursor saved, no cursor, no wrapping of long lines.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// A terminal that does not say, and one that says nonsense, is an old one.
const ROWS: u16 = 24;
const COLUMNS: u16 = 80;

/// How much fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub rows: u16,
    pub columns: u16,
}

/// Whether looks may have a colour (no-color.org).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Palette {
    Colours,
    Plain,
}

/// The whole terminal; dropping it leaves it as it was found.
pub(super) struct Screen<W: Write> {
    out: W,
    palette: Palette,
    /// What standard input was like, if it is a terminal.
    found: Option<Termios>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ours,
    Left,
}

/// Whether standard output is a terminal that can be painted on.
pub(super) fn is_paintable() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    io::stdout().is_terminal() && !is_dumb
}

impl Palette {
    pub fn of_environment() -> Palette {
        match std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) {
            true => Palette::Colours,
            false => Palette::Plain,
        }
    }

    fn sgr(self, look: Look) -> &'static str {
        match (look, self) {
            (Look::Plain, _) => "",
            (Look::Strong, _) => "\x1b[1m",
            (Look::Faint, _) => "\x1b[2m",
            (Look::Alarm, Palette::Colours) => "\x1b[1;31m",
            (Look::Alarm, Palette::Plain) => "\x1b[1m",
        }
    }
}

impl Size {
    /// Of the terminal behind standard output, now.
    pub fn now() -> Size {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
        let size = size.filter(|size| size.ws_row > 0 && size.ws_col > 0);
        size.map_or(Size { rows: ROWS, columns: COLUMNS }, |size| Size {
            rows: size.ws_row,
            columns: size.ws_col,
        })
    }
}

impl<W: Write> Screen<W> {
    pub fn enter(out: W, palette: Palette) -> io::Result<Screen<W>> {
        let mut screen = Screen { out, palette, found: None, state: State::Left };
        screen.resume()?;
        Ok(screen)
    }

    /// Takes the terminal again after [`Screen::leave`].
    pub fn resume(&mut self) -> io::Result<()> {
        self.state = State::Ours;
        self.found = rustix::termios::tcgetattr(io::stdin()).ok();
        if let Some(found) = &self.found {
            let mut quiet = found.clone();
            // Keys come one by one and unseen; those of signals still do what they do.
            quiet.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            // A terminal that refuses shows what is typed on it, until the next painting.
            let _ = rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &quiet);
        }
        self.out.write_all(ENTER.as_bytes())?;
        self.out.flush()
    }

    /// Shows these lines, cut to what fits; the last of them is the last of the screen.
    pub fn paint(&mut self, lines: &[Line], size: Size) -> io::Result<()> {
        let (rows, columns) = (usize::from(size.rows), usize::from(size.columns));
        let (body, foot) = lines.split_at(lines.len().saturating_sub(1));
        let mut picture = String::from("\x1b[H");
        for line in body.iter().take(rows.saturating_sub(1)) {
            picture += &line.painted(columns, |look| self.palette.sgr(look));
            picture += "\x1b[K\r\n";
        }
        picture += "\x1b[J";
        if let Some(foot) = foot.first() {
            picture += &format!("\x1b[{rows};1H");
            picture += &foot.painted(columns, |look| self.palette.sgr(look));
            picture += "\x1b[K";
        }
        // One write: a terminal that shows half a picture flickers.
        self.out.write_all(picture.as_bytes())?;
        self.out.flush()
    }

    /// Leaves everything as it was found. A second call does nothing.
    pub fn leave(&mut self) {
        if self.state == State::Left {
            return;
        }
        self.state = State::Left;
        // A terminal that is gone needs nothing put back.
        let _ = self.out.write_all(LEAVE.as_bytes()).and_then(|()| self.out.flush());
        if let Some(found) = self.found.take() {
            // Flushed: keys that were typed at us are not for the shell.
            let _ = rustix::termios::tcsetattr(io::stdin(), OptionalActions::Flush, &found);
        }
    }
}

impl<W: Write> Drop for Screen<W> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn a_panic_while_painting_leaves_the_terminal_as_it_was() {
        let mut bytes = Vec::new();
        let painted = catch_unwind(AssertUnwindSafe(|| {
            let mut screen = Screen::enter(&mut bytes, Palette::Plain).unwrap();
            screen.paint(&[Line::of(Look::Strong, "x")], Size { rows: 3, columns: 9 }).unwrap();
            panic!("this message is part of the test");
        }));
        assert!(painted.is_err());
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with(ENTER) && text.ends_with(LEAVE), "{text:?}");
    }

    #[test]
    fn what_does_not_fit_is_cut_and_the_foot_stays() {
        let mut bytes = Vec::new();
        let mut screen = Screen::enter(&mut bytes, Palette::Plain).unwrap();
        let lines: Vec<Line> = (0..9).map(|n| Line::of(Look::Plain, format!("line {n}"))).collect();
        screen.paint(&lines, Size { rows: 3, columns: 4 }).unwrap();
        drop(screen);
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches("line ").count(), 0);
        assert_eq!(text.matches("line").count(), 3, "{text:?}");
        assert!(text.contains("\x1b[3;1Hline"), "{text:?}");
    }
}
