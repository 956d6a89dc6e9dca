//! Collections in CSV: whatever the file says, it is read or refused within its own limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vinylvault::collection::import::{ALBUMS_MAX, BAD_LINES_MAX, read_bytes};

fuzz_target!(|bytes: &[u8]| {
    let Ok(reading) = read_bytes(bytes, "collection.csv") else { return };
    assert!(reading.albums.len() <= ALBUMS_MAX);
    assert!(reading.skipped.len() <= BAD_LINES_MAX && reading.warnings.len() <= BAD_LINES_MAX);
    for error in reading.skipped.iter().chain(&reading.warnings) {
        assert!(!error.to_string().contains('\n'), "{error:?}");
    }
});
