//! Signed checkpoints as files. They belong where whoever can write to the database cannot: on another machine, on paper.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use atelier_events::Position;
use atelier_events::log::Anchor;
use atelier_events::log::signed::Key;
use time::OffsetDateTime;

use super::Args;
use crate::home::Home;

/// How far back a verification goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The whole log.
    Whole,
    /// The whole log, which must be the one that was signed.
    Against(Anchor),
    /// What came after the checkpoint, and that the log still holds the checkpoint itself.
    Since(Anchor),
}

/// What the arguments say about checkpoints: how far back to go, and where to put the next one, signed with which key.
pub struct Checkpoints {
    /// How far back.
    pub extent: Extent,
    /// The new one.
    pub sign: Option<(PathBuf, Key)>,
}

impl Checkpoints {
    /// Reads what is named. A key is made at the first signature.
    pub fn open(args: &Args, home: &Home) -> anyhow::Result<Self> {
        let key = || -> anyhow::Result<Key> {
            let Some(path) = &args.key else {
                return Key::from_hex(&home.checkpoint_key()?).context("checkpoint-key in the data directory");
            };
            let secret = fs::read_to_string(path).with_context(|| format!("cannot read the key {}", path.display()))?;
            Key::from_hex(&secret).with_context(|| path.display().to_string())
        };
        let anchor = |path: &Path| -> anyhow::Result<Anchor> {
            let text = fs::read_to_string(path);
            let text = text.with_context(|| format!("cannot read the checkpoint {}", path.display()))?;
            key()?.open(&text).with_context(|| path.display().to_string())
        };
        let extent = match (&args.since, &args.against) {
            (Some(path), _) => Extent::Since(anchor(path)?),
            (None, Some(path)) => Extent::Against(anchor(path)?),
            (None, None) => Extent::Whole,
        };
        let sign = args.sign.as_ref().map(|path| anyhow::Ok((path.clone(), key()?))).transpose()?;
        Ok(Self { extent, sign })
    }
}

/// Signs how far the log went. The file is replaced as a whole: the one before stays until the new one is written.
pub(super) fn sign(path: &Path, key: &Key, reached: &Anchor) -> anyhow::Result<()> {
    ensure!(reached.position > Position(0), "the log is empty: there is nothing to sign");
    let mut text = serde_json::to_string_pretty(&key.sign(reached, OffsetDateTime::now_utc()))?;
    text.push('\n');
    let beside = path.with_added_extension("new");
    let written = fs::File::create(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    written.with_context(|| format!("cannot write the checkpoint {}", path.display()))
}
