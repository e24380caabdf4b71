//! Whether anything that a gallery's visitors are shown, or that lists artworks, says where an original lies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aho_corasick::AhoCorasick;
use anyhow::{Context as _, anyhow, ensure};
use atelier_e2e::until;
use atelier_events::{Blobs, keys};
use miniz_oxide::inflate::decompress_to_vec_zlib;

use crate::harness::Processes;

/// More than any list of a test.
const LIST_LIMIT: u64 = 16 << 20;

/// Checks that neither the published folder, nor `gallery-metadata.json`, nor a list of artworks from the API has a key of an
/// original or of an upload in it; and that there were originals to be named.
pub(crate) async fn check(processes: &Processes) -> anyhow::Result<()> {
    let blobs = &processes.connections.blobs;
    let secrets = secrets(blobs).await?;
    let mut shown = BTreeMap::new();
    published(&processes.site, &mut shown)?;
    for ending in ["feed.xml", ".bin"] {
        ensure!(shown.keys().any(|name| name.ends_with(ending)), "no {ending} among {:?}", shown.keys());
    }
    let written = || async { Ok(blobs.head(keys::GALLERY_METADATA).await?.is_some()) };
    until("the list of all artworks is in the bucket", written).await?;
    shown.insert(keys::GALLERY_METADATA.to_owned(), blobs.get(keys::GALLERY_METADATA, LIST_LIMIT).await?.to_vec());
    let list = reqwest::Client::new().get(format!("{}/v1/artworks?limit=100", processes.api_url));
    let list = list.bearer_auth(&processes.api_key).send().await?.error_for_status()?.text().await?;
    ensure!(list.contains("display/"), "the list of the API shows nothing: {list}");
    shown.insert("/v1/artworks".to_owned(), list.into_bytes());
    // All at once: tens of thousands of files, and a secret of each artwork to look for.
    let searched: Vec<&String> = secrets.iter().collect();
    let secret = AhoCorasick::new(&searched)?;
    for (name, content) in &shown {
        // Slashes may be written as they are, as an address has them, or as JSON may.
        let content = String::from_utf8_lossy(content).replace("%2F", "/").replace("%2f", "/").replace("\\/", "/");
        let named = secret.find(&content).or_else(|| secret.find(name)).map(|found| searched[found.pattern()]);
        ensure!(named.is_none(), "{name} says where an original lies: {named:?}");
    }
    Ok(())
}

/// The keys of all originals and uploads, and the folders they lie in.
async fn secrets(blobs: &Blobs) -> anyhow::Result<BTreeSet<String>> {
    let mut secrets = BTreeSet::from(["originals/".to_owned(), "uploads/".to_owned()]);
    let folders = secrets.clone();
    for folder in folders {
        let mut continuation = None;
        loop {
            let page = blobs.page(&folder, continuation).await?;
            // Without its folder: a link may be relative.
            let names = page.entries.iter().filter_map(|entry| entry.key.strip_prefix(&folder));
            secrets.extend(
                names.filter(|name| Path::new(name).extension().is_none_or(|kind| kind != "json")).map(str::to_owned),
            );
            continuation = page.next;
            if continuation.is_none() {
                break;
            }
        }
    }
    ensure!(secrets.len() > 2, "there is no original");
    Ok(secrets)
}

/// Every file below a folder, by its path.
fn published(folder: &Path, into: &mut BTreeMap<String, Vec<u8>>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            published(&path, into)?;
        } else {
            let content = std::fs::read(&path)?;
            // A part of the search is read as browsers read it.
            let is_packed = path.extension().is_some_and(|kind| kind == "bin");
            let unpacked = is_packed.then(|| decompress_to_vec_zlib(&content)).transpose();
            let unpacked = unpacked.map_err(|error| anyhow!("{}: {error}", path.display()))?;
            into.insert(path.display().to_string(), unpacked.unwrap_or(content));
        }
    }
    Ok(())
}
