//! The scan's symbols, the codes that fit them, and their bits.

use super::transform::Kept;

/// Symbols and the bits that go with them, in order, and how often each symbol is there.
#[derive(Default)]
pub(super) struct Symbols {
    /// The table in the highest byte, then the symbol, then the bits: the symbol's lower half says how many.
    all: Vec<u32>,
    counts: Counts,
}

/// By table: the first and the other numbers of blocks of brightness, then those of colour.
struct Counts([[u32; 256]; 4]);

impl Default for Counts {
    fn default() -> Self {
        Self([[0; 256]; 4])
    }
}

/// Codes by symbol.
pub(super) struct Table {
    /// How many codes there are of each length from 1 to 16.
    pub(super) counts: [u8; 16],
    /// In the order of their codes.
    pub(super) symbols: Vec<u8>,
    /// The code, and its length in the upper half.
    codes: [u32; 256],
}

/// So many zeros in a row have a symbol of their own.
const SIXTEEN_ZEROS: u32 = 0xF0;
const END_OF_BLOCK: u32 = 0x00;

impl Symbols {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// A block in the order of the zigzag: the first number as its difference from the block before, of the others those
    /// that are not zero, each with how many zeros are before it.
    #[inline(always)]
    pub(super) fn add(&mut self, kind: u32, block: &Kept, last: &mut i32) {
        let first = block.number(0);
        let difference = first - *last;
        *last = first;
        self.push(kind * 2, 0, difference);
        let mut filled = block.filled & !1;
        let mut before = 0;
        while filled != 0 {
            let at = filled.trailing_zeros();
            filled &= filled - 1;
            let mut zeros = at - before - 1;
            before = at;
            while zeros > 15 {
                self.push(kind * 2 + 1, SIXTEEN_ZEROS, 0);
                zeros -= 16;
            }
            self.push(kind * 2 + 1, zeros << 4, block.number(at as usize));
        }
        if before < 63 {
            self.push(kind * 2 + 1, END_OF_BLOCK, 0);
        }
    }

    /// A symbol's lower half is how many bits the value has; those of a negative value are its own, less one.
    #[inline(always)]
    #[expect(clippy::cast_sign_loss, reason = "the mask leaves the bits that are meant")]
    fn push(&mut self, table: u32, symbol: u32, value: i32) {
        let length = 32 - value.unsigned_abs().leading_zeros();
        let bits = (value - i32::from(value < 0)) as u32 & ((1 << length) - 1);
        let symbol = symbol | length;
        self.counts.0[table as usize][symbol as usize & 0xFF] += 1;
        self.all.push(table << 24 | symbol << 16 | bits);
    }

    pub(super) fn tables(&self) -> [Table; 4] {
        self.counts.0.each_ref().map(Table::fitting)
    }

    /// The scan. A byte of all ones is followed by a zero, so that none looks like a marker.
    pub(super) fn write(&self, tables: &[Table; 4], file: &mut Vec<u8>) {
        let mut held: u64 = 0;
        let mut count = 0;
        for packed in &self.all {
            let [table, symbol, high, low] = packed.to_be_bytes();
            let code = tables[usize::from(table)].codes[usize::from(symbol)];
            let bits = u32::from(symbol & 15);
            held = held << (code >> 16) | u64::from(code & 0xFFFF);
            held = held << bits | u64::from(u16::from_be_bytes([high, low]));
            count += (code >> 16) + bits;
            // At most 31 bits stay, and a symbol has at most 31.
            if count >= 32 {
                count -= 32;
                let [.., a, b, c, d] = (held >> count).to_be_bytes();
                let bytes = [a, b, c, d];
                if bytes.contains(&0xFF) {
                    for byte in bytes {
                        stuffed(byte, file);
                    }
                } else {
                    file.extend(bytes);
                }
            }
        }
        // The last byte is filled with ones.
        let rest = (8 - count % 8) % 8;
        held = held << rest | ((1 << rest) - 1);
        count += rest;
        while count > 0 {
            count -= 8;
            stuffed((held >> count).to_be_bytes()[7], file);
        }
    }
}

fn stuffed(byte: u8, file: &mut Vec<u8>) {
    file.push(byte);
    if byte == 0xFF {
        file.push(0);
    }
}

impl Table {
    /// Codes of at most 16 bits, none of them all ones, the shorter the more often their symbol is there.
    fn fitting(counts: &[u32; 256]) -> Self {
        let mut lengths = lengths(counts);
        // Too long codes are made shorter in pairs, and one that is short makes room for them.
        for length in (17..lengths.len()).rev() {
            while lengths[length] > 0 {
                let shorter = (1..length - 1).rev().find(|at| lengths[*at] > 0).expect("a tree has short codes, too");
                lengths[length] -= 2;
                lengths[length - 1] += 1;
                lengths[shorter] -= 1;
                lengths[shorter + 1] += 2;
            }
        }
        // The longest code was for nothing but to be all ones.
        if let Some(longest) = (1..=16).rev().find(|at| lengths[*at] > 0) {
            lengths[longest] -= 1;
        }
        let mut symbols: Vec<u8> = (0..=255).filter(|symbol| counts[usize::from(*symbol)] > 0).collect();
        symbols.sort_by_key(|symbol| std::cmp::Reverse(counts[usize::from(*symbol)]));
        let mut codes = [0; 256];
        let mut code = 0;
        let mut next = symbols.iter();
        for (length, count) in (1_u32..).zip(&lengths[1..=16]) {
            for symbol in next.by_ref().take(*count) {
                codes[usize::from(*symbol)] = length << 16 | code;
                code += 1;
            }
            code <<= 1;
        }
        let counts = std::array::from_fn(|at| u8::try_from(lengths[at + 1]).expect("at most 256 symbols"));
        Self { counts, symbols, codes }
    }
}

/// How many codes of each length the best tree has, with one more symbol than there are, as rare as can be.
fn lengths(counts: &[u32; 256]) -> Vec<usize> {
    let mut weights: Vec<(u64, Vec<usize>)> = vec![(1, vec![256])];
    weights.extend((0..256).filter(|at| counts[*at] > 0).map(|at| (u64::from(counts[at]) + 1, vec![at])));
    let mut depth = [0_usize; 257];
    while weights.len() > 1 {
        weights.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        let (Some(one), Some(other)) = (weights.pop(), weights.pop()) else { break };
        let members = [one.1, other.1].concat();
        for member in &members {
            depth[*member] += 1;
        }
        weights.push((one.0 + other.0, members));
    }
    let longest = depth.iter().copied().max().unwrap_or(0).max(16);
    let mut lengths = vec![0; longest + 1];
    for depth in depth.into_iter().filter(|depth| *depth > 0) {
        lengths[depth] += 1;
    }
    lengths
}
