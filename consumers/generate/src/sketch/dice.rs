//! Seeded randomness: xoshiro256++ whose state is the SHA-256 of the prompt and the seed.
//!
//! A generator of our own, since pictures are pinned byte for byte: a library may change how it draws a number from a
//! range between releases, and every artwork painted before would then come out differently.

use sha2::{Digest, Sha256};

/// A stream of random numbers that is the same on every machine.
pub(super) struct Dice {
    state: [u64; 4],
}

impl Dice {
    /// The label keeps this use of the hash apart from any other digest of a prompt.
    pub(super) fn new(prompt: &str, seed: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"atelier sketch\0");
        hash.update(seed.to_be_bytes());
        hash.update(prompt.as_bytes());
        let digest = hash.finalize();
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(digest.chunks_exact(8)) {
            *word = bytes.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        }
        Self { state }
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A fresh salt for a noise field.
    pub(super) fn salt(&mut self) -> u32 {
        (self.next() >> 32) as u32
    }

    /// From 0 up to but without 1.
    pub(super) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / 16_777_216.0
    }

    /// From `low` up to `high`.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// From `-reach` up to `reach`, small values more likely.
    pub(super) fn around(&mut self, reach: f32) -> f32 {
        (self.unit() + self.unit() - 1.0) * reach
    }

    /// From 0 up to but without `count`; the bias of the multiplication is far below what an eye could see.
    pub(super) fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.next()) * count as u128) >> 64) as usize
    }

    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// -1 or 1.
    pub(super) fn side(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    pub(super) fn pick<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        choices[self.below(N)]
    }
}
