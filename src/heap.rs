//! Memory that was freed, back to the system. Owns the two calls of C that see to it; musl, which the
//! static binaries use, does so by itself.
//!
//! Measured on three renders at once under a budget of 40 MB: glibc left alone reached 121 MB, because
//! each thread's arena keeps what it has freed, and after the largest originals under a limit of 192 MB
//! it kept 60 where 20 were in use.

#![allow(unsafe_code)]

/// Pieces from this size on are returned to the system when they are freed, and not kept by the thread
/// that had them: planes and pixels, coefficients, originals. 1 MiB, for smaller ones are many, and each
/// return costs the next user its page faults. Bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: std::ffi::c_int = 1 << 20;

/// For the start of the program.
pub fn return_large_pieces() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::ffi::c_int;
        unsafe extern "C" {
            fn mallopt(parameter: c_int, value: c_int) -> c_int;
        }
        /// malloc.h of glibc. Once set, the threshold no longer grows by itself.
        const M_MMAP_THRESHOLD: c_int = -3;
        // SAFETY: it takes no pointer and may be called at any time.
        unsafe { mallopt(M_MMAP_THRESHOLD, LARGE) };
    }
}

/// For a process that has come to rest: takes a millisecond or two.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> std::ffi::c_int;
        }
        // SAFETY: it takes no pointer, may be called at any time from any thread, and touches free memory
        // only; the number is how much to keep at the top.
        unsafe { malloc_trim(0) };
    }
}
