//! The promises of the program, tested from outside: the real binary, a scripted origin, real
//! files. Each file below holds one promise's tests.

#[path = "../support/mod.rs"]
mod support;

mod api;
mod corpus;
mod covers;
mod crash;
mod evict;
mod exposition;
mod failures;
mod flight;
mod gates;
mod history;
mod log;
mod machines;
mod metrics;
mod nginx;
mod notify;
mod own_network;
mod promtool;
mod ready;
mod redirects;
mod small;
mod stage;
mod stop;
mod wear;
