//! VinylVault keeps a vinyl collector's covers on a Raspberry Pi and shows the collection as a
//! fast page. This note is the map of its source; start here.
//!
//! # Bird's-eye view
//!
//! ```text
//!             accept loop (door)                        pool (4)                fetch workers (3)
//! browser ──▶ check head, ticket ──▶ in memory? ──no──▶ on disk? ──no──▶ park ─▶ queue ─▶ download
//!                                       │yes               │yes           ▲                │ once
//!                                       ▼                  ▼              │ deliver        ▼
//!                                    one write          one write ◀───────┴──────────── render both
//!                                                                                          │
//!                                            index thread: row, commit, rename, evict ◀────┘
//! ```
//!
//! A **source** is the URL of a cover, an **original** the bytes its origin sent (never stored), a
//! **variant** a named size, a **rendition** one original at one variant. The **key** is the SHA-1
//! of the source's canonical string, so that the same picture under another address is the same
//! cover. A **flight** is one download under way; who waits for it is a **waiter**.
//!
//! # The rooms, in reading order
//!
//! * [`figures`]: numbers as people read them. Pure. [`heap`]: memory back to the system.
//! * [`key`], [`source`], [`guard`]: what things are called and whom we may contact. Pure.
//! * [`sqlite`]: what SQLite says of a file: damage, or only a card, a lock, a right.
//! * [`config`]: every setting, declared once.
//! * [`owner`]: whose a data folder is, and how they get what root made in it.
//! * [`database`]: what every SQLite file goes through, whatever its tables.
//! * [`picture`]: bytes in, renditions out, within a budget of memory.
//! * [`cache`]: memory, disk and index; flights and preloads; pace, downloads and the queue; the audit.
//! * [`collection`]: the owner's albums, how they are imported, and the copies they come back from.
//! * [`door`]: tiny_http and everything that it leaves undone.
//! * [`web`]: routes, covers, pages and the API over the door.
//! * [`serve`], [`demo`]: the rooms put together.
//! * [`backup`]: everything into one tar and back.
//! * [`report`]: the last 30 days as a page, from facts that it is given. Pure.
//! * [`cli`]: the commands.
//!
//! Imports point up this list only. Threads: the accept loop, the pool, the lane, the warden and
//! the doorman (`door`), `fetch-N`, `attendant` and `index` (`cache`), `copies` (`collection`),
//! `signals` (`serve`), also `watchdog` where a service manager wants one, and tiny_http's own, one a
//! connection. A command that watches has `asker`, `reader`, `keys` and `signals` (`cli`).
//!
//! # Invariants, each with the test that holds it
//!
//! 1. Every file under `covers/` has a row, at every instant (`suite::crash`, `storage`). In: row
//!    committed, then rename. Out: unlink, then row deleted. Only the index thread does either.
//! 2. The sum of the rows is never under the sum of the files, and never over the budget
//!    (`suite::evict`).
//! 3. A waiter is answered exactly once, on every path: a flight answers in its `Drop`
//!    (`cache::flight`, `suite::flight`).
//! 4. Nobody ever blocks on a connection's earlier answer: answers to parked requests are written
//!    in order of acceptance, and requests behind an unanswered one wait with it (`door`).
//! 5. A lock is a leaf: no I/O, no send, no log line, no second lock under one (`tidy::invariants`, as
//!    far as the text shows it). The one exception is a database connection, whose lock is the connection.
//! 6. A page view and a repeated hit write nothing (`suite::wear`).
//! 7. No byte of a file is served that was not read whole and compared with its digest
//!    (`suite::crash`, `storage`).
//! 8. No connection is made to an address that was not checked on that very connection
//!    (`downloads`, `suite::failures`).
//! 9. Every queue, body, wait, cache, list and loop has a named limit beside its reason
//!    (`tidy::invariants` for the reasons and for channels; that the limits hold: `door`, `suite::gates`).
//! 10. Imports point one way, files stay under 400 lines, and nothing outside tests unwraps
//!     (`tidy`).
//! 11. No damage keeps the server from starting, what is damaged is set aside and never deleted with
//!     the next breath, and a card, a lock or a right is not taken for damage (`damage`).
//!
//! # Deliberately absent
//!
//! Async. `unsafe`, but for calls of C in two files. Traits with one implementor. A stored `Config`:
//! each part takes its own small `Settings` by value. Globals, but for the logger. A walk of the disk
//! at start: the index is the truth, and where it is damaged it is rebuilt from the files once.

// Allowed in two files, each with its proof: `picture/libwebp.rs` and `heap.rs` (`tidy`).
#![deny(unsafe_code)]

pub mod figures;

pub mod heap;

pub mod key;

pub mod source;

pub mod guard;

pub mod sqlite;

pub mod config;

pub mod owner;

pub mod database;

pub mod picture;

pub mod cache;

pub mod collection;

pub mod door;

pub mod web;

pub mod serve;

pub mod demo;

pub mod backup;

pub mod report;

pub mod cli;
