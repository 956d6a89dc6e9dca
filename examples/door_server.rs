//! The door alone, for `benches/peers/hits.py` and for trying things by hand.

#[path = "../tests/door/server.rs"]
mod server;

fn main() {
    server::main();
}
