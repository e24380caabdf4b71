//! Pictures mangled in every way that breaks decoders, the same on every run: what `fuzz/` does for hours, for seconds.
//!
//! `ATELIER_FUZZ_ROUNDS` times as many are tried when it is set; a file that breaks a promise is named by its seed and
//! round, which give the same bytes again.

use std::panic::catch_unwind;

#[path = "../../fuzz/promises.rs"]
mod promises;
#[path = "../../fuzz/seeds.rs"]
mod seeds;

/// Values at which lengths, counts and sizes go wrong.
const EDGES: [u32; 12] = [0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF];

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64*: enough to be different, and the same everywhere.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).expect("31 bits") % bound.max(1)
    }
}

/// One step of damage.
fn mangle(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let at = dice.below(bytes.len());
    let to = at + dice.below(64.min(bytes.len() - at) + 1);
    match dice.below(8) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => bytes[at] = dice.below(256).to_le_bytes()[0],
        2 => {
            let value = EDGES[dice.below(EDGES.len())];
            let length = [1, 2, 4][dice.below(3)].min(bytes.len() - at);
            let place = &mut bytes[at..at + length];
            if dice.below(2) == 0 {
                place.copy_from_slice(&value.to_le_bytes()[..length]);
            } else {
                place.copy_from_slice(&value.to_be_bytes()[4 - length..]);
            }
        }
        3 => drop(bytes.drain(at..to)),
        4 => {
            let piece = bytes[at..to].to_vec();
            let into = dice.below(bytes.len());
            bytes.splice(into..into, piece);
        }
        5 => bytes.truncate(at.max(1)),
        6 => {
            let from = dice.below(other.len());
            let piece = &other[from..(from + 1 + dice.below(64)).min(other.len())];
            bytes.splice(at..at, piece.iter().copied());
        }
        _ => bytes[at..to].fill([0, 0xFF][dice.below(2)]),
    }
    if bytes.is_empty() {
        bytes.push(0);
    }
}

fn mangled(seed: usize, round: usize, seeds: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15 ^ ((seed as u64 + 1) << 32 | (round as u64 + 1)));
    // The first draws of neighbouring rounds are alike.
    (0..4).for_each(|_| {
        dice.below(2);
    });
    let mut bytes = seeds[seed].1.clone();
    for _ in 0..=dice.below(4) {
        let other = dice.below(seeds.len());
        mangle(&mut bytes, &seeds[other].1, &mut dice);
    }
    bytes
}

fn hold(rounds: usize, promise: fn(&[u8])) {
    let more: usize = std::env::var("ATELIER_FUZZ_ROUNDS").map_or(1, |times| times.parse().expect("a number"));
    let seeds = seeds::seeds();
    for (at, (name, whole)) in seeds.iter().enumerate() {
        promise(whole);
        for round in 0..rounds * more {
            let bytes = mangled(at, round, &seeds);
            assert!(catch_unwind(|| promise(&bytes)).is_ok(), "{name}, round {round}");
        }
    }
}

#[test]
fn the_gate_holds_its_promises_on_any_bytes() {
    hold(5_000, promises::gate);
}

#[test]
fn rendering_holds_its_promises_on_any_bytes() {
    hold(150, promises::render);
}

#[test]
fn the_seeds_are_pictures_that_the_gate_lets_through() {
    for (name, bytes) in seeds::seeds() {
        let refused = atelier_thumbnails::gate::inspect(&bytes, &promises::limits()).err();
        assert_eq!(refused, None, "{name}");
    }
}
