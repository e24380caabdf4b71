//! An answer that was no.

use std::fmt;

use reqwest::Response;
use serde::Deserialize;

/// The most of an answer that is shown when it is no problem document.
const SHOWN: usize = 200;

/// A request that the server refused, with everything that it said is wrong.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Refused {
    /// Which kind of problem (`urn:atelier:problem:…`); empty when the server did not say.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, in words.
    pub detail: String,
    /// Each thing that is wrong.
    pub errors: Vec<Flaw>,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Flaw {
    /// JSON pointer into the body.
    pub pointer: Option<String>,
    /// Parameter or header, when it is not in the body.
    pub parameter: Option<String>,
    /// What is wrong with it.
    pub detail: String,
}

impl Refused {
    pub(super) async fn of(response: Response) -> Self {
        let status = response.status();
        // An answer that breaks off still has its status, which says the most.
        let body = response.bytes().await.unwrap_or_default();
        let problem: Option<Self> = serde_json::from_slice(&body).ok();
        let problem = problem.filter(|problem| !problem.kind.is_empty() || !problem.detail.is_empty());
        let mut refused = problem.unwrap_or_else(|| Self {
            detail: String::from_utf8_lossy(&body).chars().take(SHOWN).collect(),
            ..Self::default()
        });
        refused.status = status.as_u16();
        refused
    }

    /// Whether the problem is of this kind: `not-found` for `urn:atelier:problem:not-found`.
    #[must_use]
    pub fn is(&self, kind: &str) -> bool {
        self.kind.rsplit(':').next() == Some(kind)
    }

    /// Whether this value of the body is one of those that are wrong.
    #[must_use]
    pub fn names(&self, pointer: &str) -> bool {
        self.errors.iter().any(|flaw| flaw.pointer.as_deref() == Some(pointer))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<String> = self.errors.iter().map(Flaw::to_string).collect();
        let said = if named.is_empty() { self.detail.clone() } else { named.join("; ") };
        write!(f, "refused with status {}: {said}", self.status)
    }
}

impl std::error::Error for Refused {}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.pointer.as_deref().map(|pointer| pointer.trim_start_matches('/')).or(self.parameter.as_deref());
        match at {
            Some(at) => write!(f, "{at}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}
