//! What the API knows files by. A hash is over the whole file, so it is kept from release to release:
//! `site.releases/target-hashes.json`.

use std::collections::BTreeMap;
use std::num::NonZero;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::assets::hex;
use crate::release::{Folder, Held, Identity, keep, kept};
use crate::target::served::extension;
use crate::target::{Look, TargetError};

const NAME: &str = "target-hashes.json";
/// Bytes of a hash that count.
const HASH_BYTES: usize = 16;

/// A file as the API is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hashed {
    pub hash: String,
    pub size: u64,
}

/// All files of a release.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hashes {
    of: Identity,
    /// By path.
    pub files: BTreeMap<String, Hashed>,
}

impl Hashes {
    /// Those of the live release. What has not changed since they were kept has the hash that it had, unless each byte is
    /// asked about. `check` is asked before anything is hashed: how many files there are, and the longest of those that are
    /// not known yet. Blocks.
    pub(super) fn of(
        folder: &Folder,
        held: &Held,
        look: Look,
        check: impl FnOnce(usize, Option<(&str, u64)>) -> Result<(), TargetError>,
    ) -> Result<Self, TargetError> {
        let place = folder.beside(NAME);
        let known = kept(&place)?.and_then(|text| serde_json::from_slice::<Self>(&text).ok());
        let known = known.filter(|_| look == Look::Changes);
        let touched = known.as_ref().map(|known| held.touched_since(&known.of)).transpose()?.flatten();
        let (mut files, new) = match (known, touched) {
            (Some(mut known), Some(touched)) => {
                known.files.retain(|path, _| !touched.contains(path));
                (known.files, touched)
            }
            _ => (BTreeMap::new(), held.paths()?.into_iter().collect()),
        };
        let new: Vec<(String, u64)> =
            new.into_iter().filter_map(|path| held.length(&path).map(|length| (path, length))).collect();
        let known = files.iter().map(|(path, file)| (path.as_str(), file.size));
        let longest = new.iter().map(|(path, length)| (path.as_str(), *length)).chain(known);
        check(files.len() + new.len(), longest.max_by_key(|(_, length)| *length))?;
        let changed = !new.is_empty();
        files.extend(hashed(held, &new)?);
        let hashes = Self { of: Identity::from(held.release()), files };
        if changed || look == Look::Everything {
            keep(&place, &serde_json::to_vec(&hashes)?)?;
        }
        Ok(hashes)
    }
}

fn hashed(held: &Held, files: &[(String, u64)]) -> Result<Vec<(String, Hashed)>, TargetError> {
    let of = |(path, size): &(String, u64)| {
        let hash = hash(&held.read(path)?, extension(path));
        Ok((path.clone(), Hashed { hash, size: *size }))
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = files.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let parts: Vec<_> = files
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(of).collect::<Result<Vec<_>, TargetError>>()))
            .collect();
        let mut all = Vec::with_capacity(files.len());
        for part in parts {
            all.extend(part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(all)
    })
}

/// Of the content as it is sent, and of the extension: files that are served as another type are other files.
fn hash(content: &[u8], extension: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(STANDARD.encode(content).as_bytes());
    hasher.update(extension.as_bytes());
    hex(&hasher.finalize().as_bytes()[..HASH_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_first_half_of_blake3_over_base64_and_extension() {
        let whole = blake3::hash(b"aGVsbG8=html").to_hex();
        assert_eq!(hash(b"hello", "html"), whole.as_str()[..32]);
        assert_ne!(hash(b"hello", "html"), hash(b"hello", "txt"));
    }
}
