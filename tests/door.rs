//! The door from outside: a real server process on loopback, honest clients and every abuse of
//! notes on tiny_http that could be had. Times are those of a slow machine that builds meanwhile.

#[path = "door/attacks.rs"]
mod attacks;
#[path = "door/client.rs"]
mod client;
#[path = "door/manners.rs"]
mod manners;
#[path = "door/server.rs"]
mod server;
#[path = "door/witness.rs"]
mod witness;

/// Not a test: the process that the tests start.
#[test]
fn the_server_itself() {
    if std::env::var_os("DOOR_SERVER").is_some() {
        server::main();
    }
}
