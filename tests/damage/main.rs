//! Damage of every kind, by seed: of cover files, of `index.db`, of `vinylvault.db`; what `verify` says of
//! it, what a start makes of it, and the copies that the collection comes back from. Real files, real
//! SQLite, and the real binary where the whole program is promised.

#[path = "../support/mod.rs"]
mod support;

mod beside;
mod chance;
mod collection;
mod command;
mod copies;
mod files;
mod index;
mod start;
mod store;
