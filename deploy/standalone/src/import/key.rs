//! What makes the import of a picture the same command as before.

use std::path::Path;

use anyhow::Context;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

/// A key made from the file's bytes and the title, read piece by piece.
pub(super) async fn of(path: &Path, title: &str) -> anyhow::Result<String> {
    let mut file = tokio::fs::File::open(path).await.context("it cannot be opened")?;
    let mut sha256 = Sha256::new();
    let mut piece = vec![0; 256 * 1024];
    loop {
        let length = file.read(&mut piece).await.context("it cannot be read")?;
        if length == 0 {
            break;
        }
        sha256.update(&piece[..length]);
    }
    // The content has a digest of its own first, so that no bytes can pass for a title.
    let content = sha256.finalize();
    let both = Sha256::new().chain_update(content).chain_update(title).finalize();
    let hex: Vec<String> = both.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("import-{}", hex.concat()))
}
