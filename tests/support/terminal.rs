//! A real pseudo-terminal with a program in it: what it shows (read by the crate `vt100`), which keys are
//! pressed, how large it is, and what the program made of its settings. Knows no command.

use super::{PATIENCE, until};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// What stands on the terminal before the program starts.
pub const PROMPT: &str = "pi@raspberrypi:~ $ ";

/// Ended with the value, as is the program.
pub struct Terminal {
    pub child: Child,
    /// The side of whoever sits in front of it.
    keyboard: File,
    /// The program's side, kept open to see how it was left.
    line: File,
    shown: Arc<Mutex<vt100::Parser>>,
}

/// Rows and columns.
#[derive(Clone, Copy, Debug)]
pub struct Size(pub u16, pub u16);

impl Terminal {
    /// Runs a command in a terminal of its own, as its foreground job: Ctrl-C reaches it.
    #[track_caller]
    pub fn start(command: &Command, size: Size) -> Terminal {
        Terminal::start_behind(PROMPT, command, size)
    }

    /// [`Terminal::start`], with what stands on the terminal before: a prompt and what was typed there.
    #[track_caller]
    pub fn start_behind(shown_before: &str, command: &Command, size: Size) -> Terminal {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let keyboard = openpt(flags).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let line = File::from(ioctl_tiocgptpeer(&keyboard, flags).unwrap());
        let keyboard = File::from(keyboard);
        tcsetwinsize(&keyboard, winsize(size)).unwrap();
        let shown = Arc::new(Mutex::new(vt100::Parser::new(cells(size.0), cells(size.1), 0)));
        shown.lock().unwrap().process(shown_before.as_bytes());

        // util-linux' setsid: a session of its own with this line as its terminal, then the program.
        let mut session = Command::new("setsid");
        session.arg("--ctty").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => session.env(name, value),
                None => session.env_remove(name),
            };
        }
        let end = || Stdio::from(line.try_clone().unwrap());
        let child = session.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        follow(keyboard.try_clone().unwrap(), shown.clone());
        Terminal { child, keyboard, line, shown }
    }

    /// What stands on it now, line by line, without spaces at the ends.
    pub fn text(&self) -> String {
        self.screen().contents()
    }

    /// The same row by row as a person sees it. [`Terminal::text`] joins a row to the next one where something was
    /// once too long for it: what a program painted just before it heard of a narrower window.
    pub fn rows(&self) -> Vec<String> {
        let screen = self.screen();
        screen.rows(0, screen.size().1.get()).map(|row| row.trim_end().to_owned()).collect()
    }

    /// Colours and all, to be looked at or drawn.
    pub fn screen(&self) -> vt100::Screen {
        self.shown.lock().unwrap().screen().clone()
    }

    /// Waits until it shows something; panics with what it shows instead.
    #[track_caller]
    pub fn until_shows(&self, what: &str) {
        self.until(what, |text| text.contains(what));
    }

    #[track_caller]
    pub fn until(&self, what: &str, condition: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(&self.text()) {
            assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}; there is\n{}", self.text());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    #[track_caller]
    pub fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    #[track_caller]
    pub fn resize(&self, size: Size) {
        self.shown.lock().unwrap().screen_mut().set_size(cells(size.0), cells(size.1));
        tcsetwinsize(&self.keyboard, winsize(size)).unwrap();
    }

    /// Echo, line editing and the rest, as the program has them now.
    pub fn settings(&self) -> Termios {
        tcgetattr(&self.line).unwrap()
    }

    #[track_caller]
    pub fn until_ended(&mut self) -> ExitStatus {
        until("the program in the terminal ends", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the terminal\n{}\n---", self.text());
        }
    }
}

/// Ends with the last end of the line.
fn follow(mut keyboard: File, shown: Arc<Mutex<vt100::Parser>>) {
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = keyboard.read(&mut bytes) {
            shown.lock().unwrap().process(&bytes[..count]);
        }
    });
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}

fn winsize(Size(rows, columns): Size) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}
