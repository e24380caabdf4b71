//! Providers: whatever turns a recipe into a picture.

use std::collections::BTreeMap;
use std::time::Duration;

use atelier_events::Recipe;
use bytes::Bytes;
use futures::future::BoxFuture;

use crate::sketch;

/// Turns recipes into pictures.
pub trait Provider: Send + Sync {
    /// Makes the picture that a recipe asks for. The future may be dropped when the picture is not wanted any more.
    fn make<'a>(&'a self, recipe: &'a Recipe) -> BoxFuture<'a, Result<Made, ProviderError>>;
}

/// A picture that a provider made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The file.
    pub bytes: Bytes,
    /// What it is.
    pub media_type: &'static str,
    /// What it cost, in millionths of a US dollar.
    pub cost_micros: u64,
}

/// Why there is no picture; the variant is what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The same recipe will never be made: the words are for the owner.
    #[error("{0}")]
    Refused(String),
    /// Too much was asked at once: again after this pause.
    #[error("the provider asks to wait {} s", .0.as_secs())]
    Throttled(Duration),
    /// It went wrong and may go right the next time.
    #[error("the provider failed")]
    Failed(#[source] anyhow::Error),
}

/// The providers of this daemon, by the name that recipes call them.
pub struct Providers {
    by_name: BTreeMap<&'static str, Box<dyn Provider>>,
}

impl Providers {
    /// Those that need no key and no network.
    #[must_use]
    pub fn built_in() -> Self {
        let mut by_name: BTreeMap<&'static str, Box<dyn Provider>> = BTreeMap::new();
        by_name.insert("sketch", Box::new(Sketch));
        Self { by_name }
    }

    /// The provider of this name; the error is for the owner.
    pub fn get(&self, name: &str) -> Result<&dyn Provider, String> {
        let known = || self.by_name.keys().copied().collect::<Vec<_>>().join(", ");
        let provider = self.by_name.get(name).map(AsRef::as_ref);
        provider.ok_or_else(|| format!("there is no provider {name:?} here; there are: {}", known()))
    }
}

/// Paints on this machine.
struct Sketch;

impl Provider for Sketch {
    fn make<'a>(&'a self, recipe: &'a Recipe) -> BoxFuture<'a, Result<Made, ProviderError>> {
        let (prompt, seed, width, height) = (recipe.prompt.clone(), recipe.seed, recipe.width, recipe.height);
        Box::pin(async move {
            let sides = sketch::MIN_SIDE..=sketch::MAX_SIDE;
            if !sides.contains(&width) || !sides.contains(&height) {
                return Err(ProviderError::Refused(format!(
                    "sketch paints {} to {} pixels a side, not {width} x {height}",
                    sketch::MIN_SIDE,
                    sketch::MAX_SIDE
                )));
            }
            let painted = tokio::task::spawn_blocking(move || sketch::paint(&prompt, seed, width, height)).await;
            let bytes = painted.map_err(|panic| ProviderError::Failed(panic.into()))?;
            Ok(Made { bytes: Bytes::from(bytes), media_type: "image/png", cost_micros: 0 })
        })
    }
}
