//! Commands that may be sent twice: the same `Idempotency-Key` with the same request has the same answer, also across
//! crashes and also when two arrive at once.

use atelier_events::log::{Keyed, Write};
use atelier_events::{Append, Appended, Log, Position};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde_json::Value;
use uuid::Uuid;

use crate::auth::Asking;
use crate::problem::{Flaws, Kind, Problem};

const HEADER: &str = "idempotency-key";
const LONGEST: usize = 255;

/// The `Idempotency-Key` header, when there is one: visible ASCII, as a bare word or in quotes.
pub(crate) struct IdempotencyKey(Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(HEADER) else { return Ok(Self(None)) };
        let visible = |text: &&str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let key = value.to_str().ok().map(unquoted).filter(visible).filter(|key| (1..=LONGEST).contains(&key.len()));
        let Some(key) = key else {
            let mut flaws = Flaws::default();
            flaws.parameter("Idempotency-Key", format!("is not 1 to {LONGEST} visible ASCII characters"));
            return Err(Problem::flawed(Kind::Invalid, flaws));
        };
        Ok(Self(Some(key.to_owned())))
    }
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// What a command answers.
pub(crate) struct Answered {
    /// The position of its last event.
    pub(crate) position: Position,
    /// The answer, without the position.
    pub(crate) answer: Value,
    /// Whether it was given before.
    pub(crate) replayed: bool,
}

/// A command under a key, or without one. Two callers with the same key do not meet.
pub(crate) struct Command {
    key: Option<String>,
    fingerprint: [u8; 32],
}

impl Command {
    /// The command that this caller sent with this key.
    pub(crate) fn new(asking: &Asking, key: IdempotencyKey, fingerprint: [u8; 32]) -> Self {
        Self { key: key.0.map(|key| format!("{}/{key}", asking.owner)), fingerprint }
    }

    /// The one command of this name, whoever sends it: no caller's key begins with a slash.
    pub(crate) fn unique(name: &str, fingerprint: [u8; 32]) -> Self {
        Self { key: Some(format!("/{name}")), fingerprint }
    }

    /// An id that the same request with the same key has again, for a command that leaves nothing in the log. None
    /// without a key.
    pub(crate) fn derived_id(&self) -> Option<Uuid> {
        let key = self.key.as_ref()?;
        Some(Uuid::new_v5(&Uuid::NAMESPACE_OID, &[key.as_bytes(), b"\n", &self.fingerprint].concat()))
    }

    /// What it was answered before, when it was. To be asked before anything else is looked at: what a command was
    /// about may have changed since.
    pub(crate) async fn answered(&self, log: &Log) -> Result<Option<Answered>, Problem> {
        let Some(key) = &self.key else { return Ok(None) };
        Ok(match log.answered(key, &self.fingerprint).await? {
            Some(Appended::Before { position, answer }) => Some(Answered { position, answer, replayed: true }),
            Some(Appended::Now { .. }) | None => None,
        })
    }

    /// Appends what it makes happen, unless another with its key was faster: then that one's answer is given.
    pub(crate) async fn append(self, log: &Log, writes: Vec<Write>, answer: Value) -> Result<Answered, Problem> {
        let keyed = |key| Keyed { key, fingerprint: self.fingerprint, answer: answer.clone() };
        let append = Append { key: self.key.map(keyed), writes };
        Ok(match log.append(append).await? {
            Appended::Now { position } => Answered { position, answer, replayed: false },
            Appended::Before { position, answer } => Answered { position, answer, replayed: true },
        })
    }
}
