//! The read model, which the index daemon writes and the API reads.

mod artworks;
mod exports;
mod progress;
mod variants;

use std::sync::Arc;
use std::time::Duration;

use atelier_events::{ExportId, Position, VariantId};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) use artworks::{ArtworkFilter, ArtworkRow, RenditionRow};
pub(crate) use exports::ExportRow;
pub(crate) use variants::{LineageRow, VariantRow, VariantsOf};

use crate::problem::{Kind, Problem};
use progress::Progress;

/// The variants that one artwork's page shows at the most.
const VARIANTS_LIMIT: i64 = 500;

/// The read model of one database. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Index {
    pool: PgPool,
    progress: Arc<Progress>,
}

impl Index {
    /// Reads from this database.
    pub(crate) fn new(pool: PgPool) -> Self {
        let progress = Progress::start(pool.clone());
        Self { pool, progress }
    }

    /// How far it has got, as far as is known; changes soon after it gets further. Register before reading.
    pub(crate) fn progress(&self) -> watch::Receiver<Position> {
        self.progress.subscribe()
    }

    /// Waits until everything up to the position has been applied.
    pub(crate) async fn reach(&self, position: Position, patience: Duration) -> Result<(), Problem> {
        let mut progress = self.progress();
        let deadline = Instant::now() + patience;
        loop {
            // Registered before reading: what is applied from here on ends the wait below.
            progress.borrow_and_update();
            let at = self.checkpoint().await?;
            if at >= position {
                return Ok(());
            }
            if !matches!(tokio::time::timeout_at(deadline, progress.changed()).await, Ok(Ok(()))) {
                let detail = format!("the index is at position {at} and not yet at {position}: ask again shortly");
                return Err(Problem::new(Kind::IndexBehind, detail));
            }
        }
    }

    /// How far it has got.
    pub(crate) async fn checkpoint(&self) -> Result<Position, Problem> {
        let position: Option<Position> =
            sqlx::query_scalar(include_str!("../sql/read_index_checkpoint.sql")).fetch_optional(&self.pool).await?;
        Ok(position.unwrap_or_default())
    }

    /// A page of artworks, newest first.
    pub(crate) async fn find_artworks(&self, filter: &ArtworkFilter, limit: i64) -> Result<Vec<ArtworkRow>, Problem> {
        Ok(artworks::find(&self.pool, filter, limit).await?)
    }

    /// The ids of artworks, newest first, each with where to go on.
    pub(crate) async fn find_artwork_ids(
        &self,
        filter: &ArtworkFilter,
        limit: i64,
    ) -> Result<Vec<(uuid::Uuid, i64)>, Problem> {
        Ok(artworks::find_ids(&self.pool, filter, limit).await?)
    }

    /// One artwork and its variants, both as of the same moment.
    pub(crate) async fn find_artwork(&self, id: uuid::Uuid) -> Result<Option<(ArtworkRow, Vec<VariantRow>)>, Problem> {
        let filter = ArtworkFilter { id: Some(id), ..ArtworkFilter::default() };
        let mut tx = self.pool.begin_with("begin isolation level repeatable read read only").await?;
        let artwork = artworks::find(&mut *tx, &filter, 1).await?.pop();
        let variants = variants::find(&mut *tx, VariantsOf::Artwork(id), VARIANTS_LIMIT).await?;
        tx.commit().await?;
        Ok(artwork.map(|artwork| (artwork, variants)))
    }

    /// The variants that one request asked for.
    pub(crate) async fn find_generation(&self, id: uuid::Uuid) -> Result<Vec<VariantRow>, Problem> {
        Ok(variants::find(&self.pool, VariantsOf::Generation(id), VARIANTS_LIMIT).await?)
    }

    /// Those of these variants that there are.
    pub(crate) async fn find_known_variants(&self, ids: &[VariantId]) -> Result<Vec<VariantId>, Problem> {
        let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
        let known: Vec<uuid::Uuid> =
            sqlx::query_scalar(include_str!("../sql/find_known_variants.sql")).bind(ids).fetch_all(&self.pool).await?;
        Ok(known.into_iter().map(VariantId).collect())
    }

    /// One export.
    pub(crate) async fn find_export(&self, id: ExportId) -> Result<Option<ExportRow>, Problem> {
        let row = sqlx::query_as(include_str!("../sql/find_export.sql")).bind(id.0).fetch_optional(&self.pool).await?;
        Ok(row)
    }
}
