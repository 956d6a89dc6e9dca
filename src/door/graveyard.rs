//! Requests that must not simply be dropped. Owns the rule when they may be.
//!
//! tiny_http's destructor of a request with an unread body allocates the *declared* length and reads it
//! from the client: one line of text can block a thread, or end the process where the memory is not
//! there (an allocation failure cannot be caught). So such a request lies here until its socket is
//! shut down, and for ever when its length is beyond what may be allocated on a small machine.

use std::io::Write;
use std::mem::ManuallyDrop;
use tiny_http::Request;

/// What a destructor may allocate. It touches only what has arrived, so this is address space;
/// 16 MB is no matter on a 32-bit Pi either.
const RELEASED_MAX: u64 = 16 * 1024 * 1024;

/// A request with a body on the wire. Dropping the corpse leaks it, on purpose.
pub(super) struct Corpse {
    request: ManuallyDrop<Request>,
    length: u64,
}

impl Corpse {
    pub fn new(request: Request, length: u64) -> Corpse {
        Corpse { request: ManuallyDrop::new(request), length }
    }

    /// To be called once the socket is shut down: then reading the rest ends at once. What cannot be
    /// released stays: a thread of tiny_http and two descriptors with it.
    pub fn release(self) {
        drop(self.into_writer());
    }

    /// Reads the rest of the body; `None` when its length may not be allocated, and the request stays.
    pub fn into_writer(self) -> Option<Box<dyn Write + Send>> {
        // Not `drop(request)`: that would write a 500, and wait for its turn to do so.
        (self.length <= RELEASED_MAX).then(|| ManuallyDrop::into_inner(self.request).into_writer())
    }
}
