//! Waiting for a thing and not only for a condition: what [`atelier_e2e::until`] is for conditions.

use std::time::Duration;

use anyhow::Context;
use atelier_e2e::PATIENCE;

/// The first thing that the search comes up with, looking every few milliseconds; an error after [`PATIENCE`].
pub(crate) async fn eventually<T>(
    what: &str,
    mut search: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let searching = async {
        loop {
            if let Some(found) = search().await? {
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, searching).await.with_context(|| format!("waited too long for {what}"))?
}
