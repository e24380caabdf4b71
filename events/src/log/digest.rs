//! What an event's digest covers.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What of an event its writer knows: all but its version, position and time, which the log gives it.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// The stream's name.
    pub stream: &'a [u8],
    /// The event's id.
    pub id: Uuid,
    /// The serialised name of its type.
    pub event_type: &'a [u8],
    /// The schema of `data`.
    pub schema: i16,
    /// Who asked.
    pub actor: &'a [u8],
    /// The command at the start of the chain.
    pub correlation_id: Uuid,
    /// The event that this one answers.
    pub causation_id: Option<Uuid>,
    /// The content as stored, to the byte.
    pub data: &'a [u8],
}

impl Content<'_> {
    /// sha256 over each part in turn, those of variable length after their length (32 bits, big-endian): what belongs to
    /// one part can never be taken for the next.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
            hash.update(bytes);
        };
        part(self.stream);
        part(self.id.as_bytes());
        part(self.event_type);
        part(&self.schema.to_be_bytes());
        part(self.actor);
        part(self.correlation_id.as_bytes());
        part(self.causation_id.as_ref().map_or(&[], |id| id.as_bytes()));
        part(self.data);
        hash.finalize().into()
    }
}
