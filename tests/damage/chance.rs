//! Random choices that can be made again: each round prints its seed when it fails.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

pub struct Chance(u64);

impl Chance {
    pub fn seeded(seed: u64) -> Chance {
        // Neighbouring seeds must not begin alike.
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 20).unwrap() % limit
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| (self.next() >> 32) as u8).collect()
    }

    /// At least one and at most `most` of them.
    pub fn some_bytes(&mut self, most: usize) -> Vec<u8> {
        let count = 1 + self.below(most);
        self.bytes(count)
    }
}

/// Runs a round for each seed; a failure names the one it was.
pub fn rounds(seeds: std::ops::Range<u64>, mut round: impl FnMut(u64, &mut Chance)) {
    for seed in seeds {
        let done = catch_unwind(AssertUnwindSafe(|| round(seed, &mut Chance::seeded(seed))));
        if let Err(panic) = done {
            eprintln!("--- the seed was {seed}");
            resume_unwind(panic);
        }
    }
}
