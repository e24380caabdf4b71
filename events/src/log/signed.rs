//! Signed checkpoints: a statement, kept elsewhere than the log, of how far the log went and with which link. Whoever can
//! write to the database can write its history anew with all its links, or cut off its end, and nothing inside it tells;
//! the statement does, and cannot be made to fit without the key.

use std::fmt::{self, Write as _};

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::verify::Anchor;
use crate::id::Position;

/// Signs checkpoints and recognises its own. An Ed25519 key.
pub struct Key(Ed25519KeyPair);

/// A signed checkpoint as it is written to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedCheckpoint {
    /// The last position of a commit.
    pub position: Position,
    /// The link of that commit, in hexadecimal.
    pub link: String,
    /// When it was signed, by the signer's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub signed_at: OffsetDateTime,
    /// The public half of the key, in hexadecimal. For people; it proves nothing.
    pub key: String,
    /// Over all of the above but the key, in hexadecimal.
    pub signature: String,
}

/// Why a key or a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// Not 32 bytes in hexadecimal.
    #[error("the key is not 64 hexadecimal digits: it was damaged, or is not a key for checkpoints")]
    Key,
    /// Not what [`Key::sign`] makes.
    #[error("this is not a signed checkpoint of Atelier")]
    NotACheckpoint(#[source] serde_json::Error),
    /// A part of it is not the hexadecimal it should be.
    #[error("the checkpoint's {0} is damaged")]
    Damaged(&'static str),
    /// Signed by someone else.
    #[error(
        "the checkpoint was signed with the key {theirs}, and this installation's is {ours}: give it the key it was signed with"
    )]
    AnotherKey {
        /// The key it names.
        theirs: String,
        /// The one there is.
        ours: String,
    },
    /// It names this key, and the signature is not of what it says.
    #[error("the checkpoint's signature does not fit: position, link or time were edited after it was signed")]
    Edited,
}

impl Key {
    /// A key from its 32 secret bytes in hexadecimal.
    pub fn from_hex(secret: &str) -> Result<Self, SignError> {
        let seed: [u8; 32] = bytes(secret.trim()).ok_or(SignError::Key)?;
        Ed25519KeyPair::from_seed_unchecked(&seed).map(Self).map_err(|_| SignError::Key)
    }

    /// States that the log held this at this time.
    #[must_use]
    pub fn sign(&self, anchor: &Anchor, signed_at: OffsetDateTime) -> SignedCheckpoint {
        // Whole seconds are written and read the same everywhere.
        let signed_at = signed_at.replace_nanosecond(0).unwrap_or(signed_at);
        let (position, link) = (anchor.position, hex(&anchor.link));
        let signature = hex(self.0.sign(statement(position, &link, signed_at).as_bytes()).as_ref());
        SignedCheckpoint { position, link, signed_at, key: self.public(), signature }
    }

    /// The anchor that a checkpoint's text states, if it was signed with this key.
    pub fn open(&self, checkpoint: &str) -> Result<Anchor, SignError> {
        let checkpoint: SignedCheckpoint = serde_json::from_str(checkpoint).map_err(SignError::NotACheckpoint)?;
        let SignedCheckpoint { position, link, signed_at, key, signature } = checkpoint;
        if key != self.public() {
            return Err(SignError::AnotherKey { theirs: key, ours: self.public() });
        }
        let signature: [u8; 64] = bytes(&signature).ok_or(SignError::Damaged("signature"))?;
        UnparsedPublicKey::new(&ED25519, self.0.public_key().as_ref())
            .verify(statement(position, &link, signed_at).as_bytes(), &signature)
            .map_err(|_| SignError::Edited)?;
        Ok(Anchor { position, link: bytes(&link).ok_or(SignError::Damaged("link"))? })
    }

    fn public(&self) -> String {
        hex(self.0.public_key().as_ref())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.public()).finish()
    }
}

/// What is signed: lines, of which the first says what this is, so that no other statement is taken for one.
fn statement(position: Position, link: &str, signed_at: OffsetDateTime) -> String {
    format!("atelier checkpoint\n{position}\n{link}\n{}\n", signed_at.format(&Rfc3339).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

fn bytes<const LENGTH: usize>(hex: &str) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    if hex.len() != 2 * LENGTH || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
