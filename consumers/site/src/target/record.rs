//! What is known here of the target: `site.releases/target.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::TargetError;
use crate::release::{Folder, Identity, blocking, keep, kept};

const NAME: &str = "target.json";

/// Written when the target has a release, and not before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Which target: of another one this says nothing.
    pub target: String,
    /// What it has.
    pub has: Identity,
    /// Files that it has and the release has not, each with the time since which it is so.
    #[serde(default)]
    pub leaving: BTreeMap<String, Since>,
}

/// A time of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Since(#[serde(with = "time::serde::rfc3339")] pub OffsetDateTime);

impl Record {
    /// What was written of this target. What cannot be read is taken for nothing: the target is compared with then.
    pub(super) async fn read(folder: &Folder, target: &str) -> Result<Option<Self>, TargetError> {
        let path = folder.beside(NAME);
        let Some(text) = blocking(move || kept(&path)).await? else { return Ok(None) };
        match serde_json::from_slice::<Self>(&text) {
            Ok(record) => Ok(Some(record).filter(|record| record.target == target)),
            Err(error) => {
                tracing::warn!(%error, "{NAME} is damaged; the target is compared with the release");
                Ok(None)
            }
        }
    }

    pub(super) async fn write(&self, folder: &Folder) -> Result<(), TargetError> {
        let (path, text) = (folder.beside(NAME), serde_json::to_vec(self)?);
        Ok(blocking(move || keep(&path, &text)).await?)
    }
}
