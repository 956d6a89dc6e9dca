//! Entropy-coded data as bits: stuffing taken out, markers respected (T.81, F.2.2.5). Owns the place
//! in the data; knows no codes.

/// Reads the bits of one scan. Behind its end come zeros, and [`Bits::is_short`] tells that some were
/// used: the check is then once a block and not once a bit.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bit is the highest one.
    buffer: u64,
    /// How many bits of the buffer are data; negative when zeros were used instead.
    held: i32,
    ended: bool,
}

/// What a code and the value behind it take at the most: 16 and 15 bits.
const SYMBOL_BITS: i32 = 32;

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Bits<'a> {
        Bits { bytes, at: 0, buffer: 0, held: 0, ended: false }
    }

    /// Sees to it that a code and its value are in the buffer, as far as there is data.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        if self.held >= SYMBOL_BITS || self.ended {
            return;
        }
        if let Some(Ok(next)) = self.bytes.get(self.at..self.at + 8).map(<[u8; 8]>::try_from) {
            let word = u64::from_be_bytes(next);
            if !has_ff(word) {
                // The bits of a byte that fits in part are put there again the next time, the same.
                self.buffer |= word >> self.held;
                self.at += (63 - self.held as usize) >> 3;
                self.held |= 56;
                return;
            }
        }
        self.refill_slowly();
    }

    #[cold]
    #[inline(never)]
    fn refill_slowly(&mut self) {
        while self.held <= 56 {
            let (byte, length) = match self.bytes.get(self.at..) {
                Some([0xff, 0, ..]) => (0xff, 2),
                Some([byte, ..]) if *byte != 0xff => (*byte, 1),
                _ => {
                    self.ended = true;
                    return;
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.held);
            self.held += 8;
            self.at += length;
        }
    }

    /// The next `count` bits, 1 to 16, which stay.
    #[inline(always)]
    pub(super) fn peek(&self, count: u32) -> usize {
        (self.buffer >> (64 - count)) as usize
    }

    #[inline(always)]
    pub(super) fn drop(&mut self, count: u32) {
        self.buffer <<= count;
        self.held -= count as i32;
    }

    /// `count` bits, 0 to 15, as they stand.
    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) -> i32 {
        // In two steps, for a shift by 64 is none.
        let value = (self.buffer >> 1 >> (63 - count)) as i32;
        self.drop(count);
        value
    }

    /// A value of `size` bits, 0 to 15, its sign unfolded (T.81, figure F.12).
    #[inline(always)]
    pub(super) fn signed(&mut self, size: u32) -> i32 {
        let value = self.take(size);
        if value < (1 << size) >> 1 { value - (1 << size) + 1 } else { value }
    }

    pub(super) fn bit(&mut self) -> bool {
        self.refill();
        self.take(1) == 1
    }

    /// Whether bits were used that the data does not have.
    pub(super) fn is_short(&self) -> bool {
        self.held < 0
    }

    /// Goes on behind the restart marker that is due here; false when it is not there.
    pub(super) fn restart(&mut self) -> bool {
        // Unread whole bytes are given back: they may hold nothing but padding.
        let Some(marker) = self.marker() else { return false };
        if !matches!(self.bytes[marker], 0xd0..=0xd7) {
            return false;
        }
        *self = Bits { at: marker + 1, ..Bits::new(self.bytes) };
        true
    }

    /// The place behind the data: that of the next marker's 0xff, or the end.
    pub(super) fn end(&self) -> usize {
        self.marker().map_or(self.bytes.len(), |marker| marker - 1)
    }

    /// The place of the next marker's second byte. What stands before it was skipped by every decoder
    /// since the first one.
    fn marker(&self) -> Option<usize> {
        // The buffer may have read up to eight bytes ahead of the bits in use, but never past a marker.
        let rest = self.bytes.get(self.at..)?;
        let pair = rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff))?;
        Some(self.at + pair + 1)
    }
}

fn has_ff(word: u64) -> bool {
    let inverse = !word;
    inverse.wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], sizes: &[u32]) -> Vec<i32> {
        let mut bits = Bits::new(bytes);
        sizes
            .iter()
            .map(|&size| {
                bits.refill();
                bits.take(size)
            })
            .collect()
    }

    #[test]
    fn bits_come_in_order_across_stuffing_and_words() {
        let data: Vec<u8> = (0..40).flat_map(|n| if n % 7 == 0 { vec![0xff, 0] } else { vec![n] }).collect();
        let plain: Vec<u8> = (0..40).map(|n| if n % 7 == 0 { 0xff } else { n }).collect();
        let expected: Vec<i32> =
            plain.iter().flat_map(|&byte| [i32::from(byte >> 3), i32::from(byte & 7)]).collect();
        assert_eq!(read(&data, &[5, 3].repeat(40)), expected);
    }

    #[test]
    fn a_marker_ends_the_data_and_zeros_behind_it_are_told() {
        let mut bits = Bits::new(&[0xab, 0xff, 0xd9, 0x55]);
        bits.refill();
        assert_eq!(bits.take(8), 0xab);
        assert!(!bits.is_short());
        assert_eq!(bits.take(1), 0);
        assert!(bits.is_short());
        assert_eq!(bits.end(), 1);
        assert!(!bits.restart());
    }

    #[test]
    fn data_goes_on_behind_a_restart_marker() {
        let mut bits = Bits::new(&[0x80, 0xff, 0xd3, 0xc1, 0xff, 0xd9]);
        assert!(bits.bit());
        assert!(bits.restart());
        bits.refill();
        assert_eq!(bits.take(8), 0xc1);
        assert!(!bits.is_short());
    }

    #[test]
    fn signs_unfold_as_the_standard_says() {
        // Figure F.12: of two bits 00 is -3, 01 is -2, 10 is 2, 11 is 3.
        let mut bits = Bits::new(&[0b0001_1011, 0b0100_0000]);
        bits.refill();
        let values: Vec<i32> = (0..4).map(|_| bits.signed(2)).collect();
        assert_eq!(values, [-3, -2, 2, 3]);
        assert_eq!([bits.signed(1), bits.signed(1), bits.signed(0)], [-1, 1, 0]);
    }

    #[test]
    fn a_byte_of_ones_is_found_in_every_place() {
        for place in 0..8 {
            assert!(has_ff(0xff << (8 * place)), "{place}");
            assert!(has_ff(0x0101_0101_0101_0101 | 0xff << (8 * place)), "{place}");
        }
        assert!(!has_ff(0xfefe_fefe_7f80_00fe));
    }
}
