//! What was exported and is to be again what it was.

use atelier_events::{Artwork, ArtworkId, Lineage, Recipe, Stream, VariantId};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, UtcOffset};
use utoipa::ToSchema;
use uuid::Uuid;

use super::LINE_CHARS;
use crate::api::generations::PROMPT_CHARS;
use crate::app::App;
use crate::auth::Asking;
use crate::input::{check_count, check_line, check_text};
use crate::problem::{Flaws, Kind, Problem};

/// What a variant may come from, at the most.
const PARENTS: usize = 100;
const FILENAME_CHARS: usize = 255;

/// What the manifest of an export says of a picture beside the artwork's details.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restore {
    pub(super) artwork_id: Uuid,
    /// Of the variant that the upload is.
    pub(super) variant_id: Uuid,
    /// When the artwork was added first; now, when nothing is said.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-11-21T20:00:00.5Z")]
    pub(super) created_at: Option<OffsetDateTime>,
    /// When the variant was asked for or uploaded first; now, when nothing is said. The newest stands for the artwork.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-11-21T20:00:00.5Z")]
    pub(super) requested_at: Option<OffsetDateTime>,
    /// What made it; none of an upload.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(super) recipe: Option<Recipe>,
    /// What it comes from.
    #[serde(default)]
    #[schema(value_type = Vec<Object>, max_items = 100)]
    pub(super) lineage: Vec<Lineage>,
    /// The name it had at its owner's, of an upload.
    #[serde(default)]
    #[schema(max_length = 255)]
    pub(super) filename: Option<String>,
}

impl Restore {
    pub(super) fn check(&self, flaws: &mut Flaws) {
        check_count("/restore/lineage", self.lineage.len(), PARENTS, flaws);
        check_line("/restore/filename", self.filename.as_deref().unwrap_or_default(), FILENAME_CHARS, flaws);
        for (at, time) in [("/restore/created_at", self.created_at), ("/restore/requested_at", self.requested_at)] {
            if let Some(reason) = time.and_then(not_a_past) {
                flaws.at(at, reason);
            }
        }
        if let Some(recipe) = &self.recipe {
            check_line("/restore/recipe/provider", &recipe.provider, LINE_CHARS, flaws);
            check_text("/restore/recipe/prompt", &recipe.prompt, PROMPT_CHARS, flaws);
        }
    }

    /// Answers the artwork when it is there, and refuses another's and a variant that is there. Artworks are asked for in the
    /// log; of which artwork a variant is, the index knows.
    pub(super) async fn find_artwork(&self, app: &App, asking: &Asking) -> Result<Option<Artwork>, Problem> {
        let (artwork_id, variant_id) = (ArtworkId(self.artwork_id), VariantId(self.variant_id));
        let events = app.log.read_stream(&Stream::artwork(artwork_id)).await?;
        let artwork = Artwork::of(&events).map_err(Problem::internal)?;
        if let Some(artwork) = &artwork {
            if artwork.owner != *asking.owner {
                let detail =
                    format!("artwork {artwork_id} is there already and is not yours: only its owner adds to it");
                return Err(Problem::new(Kind::Forbidden, detail));
            }
            if artwork.variant(variant_id).is_some() {
                let detail = format!("artwork {artwork_id} is there already, with variant {variant_id}");
                return Err(Problem::new(Kind::Conflict, detail));
            }
        }
        app.caught_up(Some(app.log.head().await?.0)).await?;
        if !app.index.find_known_variants(&[variant_id]).await?.is_empty() {
            let detail = format!("variant {variant_id} is there already, of another artwork");
            return Err(Problem::new(Kind::Conflict, detail));
        }
        Ok(artwork)
    }
}

/// What is wrong with a time at which something is said to have been added.
fn not_a_past(time: OffsetDateTime) -> Option<&'static str> {
    if time > OffsetDateTime::now_utc() {
        return Some("is yet to come: it was added before now");
    }
    // Postgres knows no year 0.
    let is_kept = time.checked_to_offset(UtcOffset::UTC).is_some_and(|time| time.year() > 0);
    (!is_kept).then_some("is before the year 1")
}
