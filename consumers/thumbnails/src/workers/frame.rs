//! How daemon and worker talk: a header in JSON, then bytes.
//!
//! ```text
//! request   u32 length of the header │ u64 length of the original │ header: Task   │ original
//! answer    u32 length of the header │ u64 length of the files    │ header: Answer │ the files, one after the other
//! ```
//!
//! Lengths are little-endian. What a worker answers is bounded and checked before it is believed: it may be in the hands
//! of the file that it was given.

use serde::{Deserialize, Serialize};

use crate::cut::Cut;
use crate::refused::Refused;

/// Bytes before the header.
pub(super) const PREFIX_BYTES: usize = 12;
/// The most that a header may have: palettes, sizes and words.
pub(super) const MAX_HEADER_BYTES: usize = 1 << 20;
/// The most that all files of a set may have together.
pub(super) const MAX_FILES_BYTES: u64 = 128 << 20;

/// What a worker says before the files.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    /// CPU time for this picture, in microseconds.
    pub(super) cpu_us: u64,
}

/// What came of a picture.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// Its renditions without their bytes, which follow in this order, each of this length.
    Cut { cut: Box<Cut>, lengths: Vec<u64> },
    /// The gate or a decoder says no.
    Refused(Refused),
    /// A bug of ours or of a decoder's, in the words of its panic; the worker ends.
    Panicked(String),
}

/// What goes before a header.
pub(super) fn prefix(header: &[u8], bytes: u64) -> [u8; PREFIX_BYTES] {
    let mut prefix = [0; PREFIX_BYTES];
    let length = u32::try_from(header.len()).expect("a header is shorter than 4 GiB");
    prefix[..4].copy_from_slice(&length.to_le_bytes());
    prefix[4..].copy_from_slice(&bytes.to_le_bytes());
    prefix
}

/// The lengths of header and bytes that a prefix tells.
pub(super) fn lengths([a, b, c, d, bytes @ ..]: [u8; PREFIX_BYTES]) -> (usize, u64) {
    (u32::from_le_bytes([a, b, c, d]) as usize, u64::from_le_bytes(bytes))
}

impl Answer {
    /// The answer to a picture, and its files.
    pub(super) fn new(outcome: Result<Cut, Refused>, cpu_us: u64) -> (Self, Vec<Vec<u8>>) {
        let (outcome, files) = match outcome {
            Ok(mut cut) => {
                let files: Vec<_> =
                    cut.renditions.iter_mut().map(|picture| std::mem::take(&mut picture.bytes)).collect();
                let lengths = files.iter().map(|file| file.len() as u64).collect();
                (Outcome::Cut { cut: Box::new(cut), lengths }, files)
            }
            Err(refused) => (Outcome::Refused(refused), Vec::new()),
        };
        (Self { outcome, cpu_us }, files)
    }
}

/// Gives the pictures their bytes; nothing when the lengths do not add up.
pub(super) fn with_files(mut cut: Cut, lengths: &[u64], mut files: &[u8]) -> Option<Cut> {
    if lengths.len() != cut.renditions.len() {
        return None;
    }
    for (picture, length) in cut.renditions.iter_mut().zip(lengths) {
        let (file, rest) = files.split_at_checked(usize::try_from(*length).ok()?)?;
        picture.bytes = file.to_vec();
        files = rest;
    }
    files.is_empty().then_some(cut)
}
