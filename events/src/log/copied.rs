//! Events as `COPY … (format binary)` sends them, and whether each is what its digest covers. Nothing is allocated for a
//! row, and rows far apart can be checked at the same time.

use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use uuid::Uuid;

use super::digest::Content;
use crate::id::{Position, Version};

/// What a binary copy begins with: its signature, flags, and the length of an extension that is not there.
pub(super) const HEADER_BYTES: usize = 19;

/// Microseconds from 1970, from which events count, to 2000, from which Postgres does.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// What the chain needs of an event.
pub(super) struct Checked {
    pub(super) position: Position,
    pub(super) version: Version,
    /// Its stream's name, hashed: streams are told apart and take no more memory than that.
    pub(super) stream: u128,
    /// As stored.
    pub(super) digest: [u8; 32],
    /// Whether it is the digest of what is stored beside it.
    pub(super) fits: bool,
    /// When it was taken, in microseconds since 1970.
    pub(super) micros: i64,
}

/// Hashes names with keys of its own, so that nobody can choose two names that are taken for one.
#[derive(Clone, Default)]
pub(super) struct Names(RandomState, RandomState);

impl Names {
    pub(super) fn hash(&self, name: &[u8]) -> u128 {
        u128::from(self.0.hash_one(name)) << 64 | u128::from(self.1.hash_one(name))
    }
}

/// Checks whole rows, one piece each as the server sends them. An error says what is not as `copy_digests.sql` has it.
pub(super) fn check(pieces: &[Bytes], names: &Names) -> Result<Vec<Checked>, &'static str> {
    let mut checked = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let mut row = Row(piece);
        // The end of the copy is a row of -1 columns.
        match row.number::<2>().map(i16::from_be_bytes)? {
            12 => checked.push(row.check(names)?),
            -1 => {}
            _ => return Err("a row has another number of columns"),
        }
    }
    Ok(checked)
}

/// What has not been read yet of a row.
struct Row<'a>(&'a [u8]);

impl<'a> Row<'a> {
    fn check(mut self, names: &Names) -> Result<Checked, &'static str> {
        let position = i64::from_be_bytes(self.value()?);
        let stream = self.column()?.unwrap_or_default();
        let version = i64::from_be_bytes(self.value()?);
        let id = Uuid::from_bytes(self.value()?);
        let event_type = self.column()?.unwrap_or_default();
        let schema = i16::from_be_bytes(self.value()?);
        let actor = self.column()?.unwrap_or_default();
        let correlation_id = Uuid::from_bytes(self.value()?);
        let causation_id = self.column()?.and_then(|id| Uuid::from_slice(id).ok());
        let micros = i64::from_be_bytes(self.value()?).saturating_add(EPOCH_MICROS);
        // A digest of another length, which a constraint forbids, fits nothing.
        let digest: Option<[u8; 32]> = self.column()?.and_then(|digest| digest.try_into().ok());
        let data = self.column()?.unwrap_or_default();
        let content = Content { stream, id, event_type, schema, actor, correlation_id, causation_id, data };
        Ok(Checked {
            position: Position(position),
            version: Version(version),
            stream: names.hash(stream),
            digest: digest.unwrap_or_default(),
            fits: digest == Some(content.digest()),
            micros,
        })
    }

    fn number<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], &'static str> {
        let (number, rest) = self.0.split_first_chunk().ok_or("a row ends early")?;
        self.0 = rest;
        Ok(*number)
    }

    /// The next column; none when it is null.
    fn column(&mut self) -> Result<Option<&'a [u8]>, &'static str> {
        let Ok(length) = usize::try_from(i32::from_be_bytes(self.number()?)) else {
            return Ok(None);
        };
        let (column, rest) = self.0.split_at_checked(length).ok_or("a row ends early")?;
        self.0 = rest;
        Ok(Some(column))
    }

    /// The next column, which has a fixed length; zeros when it is null, which a constraint forbids.
    fn value<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], &'static str> {
        match self.column()? {
            Some(value) => value.try_into().map_err(|_| "a column has another type"),
            None => Ok([0; LENGTH]),
        }
    }
}
