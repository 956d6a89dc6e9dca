//! `backup` and `restore` from outside: the real binary over real folders. Each file below holds the
//! tests of one promise.

#[path = "../support/mod.rs"]
mod support;

mod busy;
mod disks;
mod forge;
mod hostile;
mod kill;
mod place;
mod round_trip;
mod stage;
mod target;
