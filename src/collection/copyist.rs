//! The thread that looks for a day without a copy: at the start and once an hour. It asks SQLite
//! whether anything was committed since it last looked, so an idle server reads and writes nothing.

use super::Collection;
use super::copies::{Copies, Kept};
use crate::key::Timestamp;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::io;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

/// Midnight is noticed so late at most.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);

/// Keeps copies while it lives. Dropping it does not wait: a copy half made is a part that the next
/// one removes, and a server that is asked to stop has 5 seconds.
pub struct Copyist {
    _alive: Sender<()>,
}

impl Copyist {
    pub fn start(collection: &Arc<Collection>) -> io::Result<Copyist> {
        let (alive, dropped) = bounded(0);
        // Weak: whoever stops the server closes the collection, and SQLite puts its log away.
        let collection = Arc::downgrade(collection);
        let attend = move || attend(&collection, &dropped);
        thread::Builder::new().name("copies".to_owned()).spawn(attend)?;
        Ok(Copyist { _alive: alive })
    }
}

fn attend(collection: &Weak<Collection>, dropped: &Receiver<()>) {
    let mut diary = Diary { settled: None, last_error: None };
    while let Some(collection) = collection.upgrade() {
        diary.look(&collection, Timestamp::now());
        drop(collection);
        if dropped.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// What the last looks came to.
struct Diary {
    /// The version of the collection that is in a copy or needs none.
    settled: Option<i64>,
    last_error: Option<String>,
}

impl Diary {
    fn look(&mut self, collection: &Collection, now: Timestamp) {
        let version = collection.version().ok();
        if version.is_some() && version == self.settled {
            return;
        }
        match Copies::beside(collection.path()).keep(now) {
            // Tomorrow it may need one.
            Ok(Kept::Today) => {}
            Ok(kept) => {
                if let Kept::Made(path) = kept {
                    log::info!("the collection is copied to {}", path.display());
                }
                self.settled = version;
                self.last_error = None;
            }
            Err(error) => {
                let error = collection.noticed(error).to_string();
                // Said when it changes, not once an hour.
                if self.last_error.as_ref() != Some(&error) {
                    log::warn!("the collection is not copied: {error}");
                }
                self.last_error = Some(error);
            }
        }
    }
}
