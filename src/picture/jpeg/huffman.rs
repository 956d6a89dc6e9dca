//! Codes of variable length (T.81, annex C and F.2.2.3), looked up by their first bits. Owns the
//! tables; reads no segments.

use super::bits::Bits;

/// First bits of the data by which a code is looked up: nearly every code that occurs is shorter.
const LOOKUP_BITS: u32 = 9;

/// One table, of either class.
pub(super) struct Table {
    /// By the next bits: length of the code above, symbol below; 0 where the code is longer.
    short: [u16; 1 << LOOKUP_BITS],
    /// By the next bits, of a run and a value that fit into them whole: the value above, then four
    /// bits of run and four of length; 0 where they do not.
    whole: [i16; 1 << LOOKUP_BITS],
    /// The first code of 16 bits that is longer than this many; its place is the length.
    ends: [u32; 18],
    /// What takes a code of this length to its symbol's place.
    offsets: [i32; 17],
    symbols: [u8; 256],
}

/// A coefficient that is not zero, or the lack of more.
pub(super) enum Run {
    /// So many zeros and then this value.
    Value(u32, i32),
    /// Sixteen zeros, or the end of the block.
    Zeros(u32),
}

impl Table {
    /// From the counts of codes by length, 1 to 16, and the symbols in order. `None`: there are more
    /// codes than bits can tell apart.
    pub(super) fn new(counts: &[u8; 16], listed: &[u8]) -> Option<Table> {
        let mut table = Table {
            short: [0; 1 << LOOKUP_BITS],
            whole: [0; 1 << LOOKUP_BITS],
            ends: [0; 18],
            offsets: [0; 17],
            symbols: [0; 256],
        };
        table.symbols.get_mut(..listed.len())?.copy_from_slice(listed);
        let (mut code, mut place) = (0u32, 0usize);
        for length in 1..=16u32 {
            table.offsets[length as usize] = place as i32 - code as i32;
            for _ in 0..counts[length as usize - 1] {
                let symbol = *listed.get(place)?;
                if length <= LOOKUP_BITS && code < 1 << length {
                    let first = (code << (LOOKUP_BITS - length)) as usize;
                    let last = first + (1 << (LOOKUP_BITS - length));
                    table.short[first..last].fill((length as u16) << 8 | u16::from(symbol));
                }
                code += 1;
                place += 1;
            }
            if code > 1 << length {
                return None;
            }
            table.ends[length as usize] = code << (16 - length);
            code <<= 1;
        }
        table.ends[17] = u32::MAX;
        table.look_further();
        Some(table)
    }

    /// Fills `whole` from `short`.
    fn look_further(&mut self) {
        for bits in 0..1u32 << LOOKUP_BITS {
            let [length, symbol] = self.short[bits as usize].to_be_bytes().map(u32::from);
            let (run, size) = (symbol >> 4, symbol & 15);
            if length == 0 || size == 0 || length + size > LOOKUP_BITS {
                continue;
            }
            let value = (bits >> (LOOKUP_BITS - length - size) & ((1 << size) - 1)) as i32;
            let value = if value < 1 << (size - 1) { value - (1 << size) + 1 } else { value };
            if (-128..128).contains(&value) {
                self.whole[bits as usize] = (value << 8) as i16 | (run << 4 | (length + size)) as i16;
            }
        }
    }

    /// The next symbol; `None` where the bits are no code.
    #[inline(always)]
    pub(super) fn symbol(&self, bits: &mut Bits<'_>) -> Option<u32> {
        bits.refill();
        let entry = self.short[bits.peek(LOOKUP_BITS)];
        if entry != 0 {
            bits.drop(u32::from(entry >> 8));
            return Some(u32::from(entry & 0xff));
        }
        self.long_symbol(bits)
    }

    #[cold]
    fn long_symbol(&self, bits: &mut Bits<'_>) -> Option<u32> {
        let next = bits.peek(16) as u32;
        let length = (1..17).find(|&length| next < self.ends[length])?;
        let place = (next >> (16 - length)) as i32 + self.offsets[length];
        bits.drop(length as u32);
        self.symbols.get(usize::try_from(place).ok()?).map(|&symbol| u32::from(symbol))
    }

    /// The next run of a block's AC coefficients (T.81, F.2.2.2).
    #[inline(always)]
    pub(super) fn run(&self, bits: &mut Bits<'_>) -> Option<Run> {
        bits.refill();
        let whole = self.whole[bits.peek(LOOKUP_BITS)];
        if whole != 0 {
            bits.drop(whole as u32 & 15);
            return Some(Run::Value(whole as u32 >> 4 & 15, i32::from(whole >> 8)));
        }
        let symbol = self.symbol(bits)?;
        match symbol & 15 {
            0 => Some(Run::Zeros(symbol >> 4)),
            size => Some(Run::Value(symbol >> 4, bits.signed(size))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes 00, 01, 100, 1010, and one of sixteen bits.
    fn table() -> Table {
        let mut counts = [0; 16];
        (counts[1], counts[2], counts[3], counts[15]) = (2, 1, 1, 1);
        Table::new(&counts, &[0x01, 0x00, 0x12, 0xf0, 0x77]).unwrap()
    }

    #[test]
    fn codes_of_every_length_give_their_symbols() {
        let table = table();
        // 00 01 100 1010, 1011 0000 0000 0000, ones that are no code.
        let mut bits =
            Bits::new(&[0b0001_1001, 0b0101_0110, 0b0000_0000, 0b0001_1111, 0xff, 0, 0xff, 0, 0xff, 0]);
        let symbols: Vec<_> = (0..6).map(|_| table.symbol(&mut bits)).collect();
        assert_eq!(symbols, [Some(0x01), Some(0x00), Some(0x12), Some(0xf0), Some(0x77), None]);
    }

    #[test]
    fn a_run_and_its_value_are_the_same_looked_up_or_read() {
        let table = table();
        let mut bits = Bits::new(&[0b1001_1100, 0b0000_1000, 0, 0]);
        let Some(Run::Value(run, value)) = table.run(&mut bits) else { panic!("a value was due") };
        assert_eq!((run, value), (1, 3));
        let Some(Run::Value(run, value)) = table.run(&mut bits) else { panic!("a value was due") };
        assert_eq!((run, value), (1, -3));
        let Some(Run::Value(run, value)) = table.run(&mut bits) else { panic!("a value was due") };
        assert_eq!((run, value), (0, 1));
    }

    #[test]
    fn more_codes_than_bits_can_tell_apart_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Table::new(&counts, &[1, 2, 3]).is_none());
        counts[0] = 2;
        assert!(Table::new(&counts, &[1, 2]).is_some());
        assert!(Table::new(&counts, &[1]).is_none(), "a symbol is missing");
    }
}
