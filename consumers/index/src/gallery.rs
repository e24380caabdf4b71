//! `gallery-metadata.json`, kept up to date from the read model without listing the bucket.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use atelier_events::blobs::{Blobs, Upload};
use atelier_events::gallery_metadata::{Entry, Images};
use atelier_events::{ArtworkId, Log, Position, RenditionKind, Swatch, keys, lead};
use futures::TryStreamExt as _;
use sqlx::FromRow;
use sqlx::types::Json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::schema::GALLERY_LOCK;
use crate::settings::IndexSettings;

/// The name of its checkpoint: the last event that the written list shows.
const CHECKPOINT: &str = "gallery";

/// How often the read model is looked at when no hint came: another process may have moved it.
const POLL: Duration = Duration::from_secs(10);

/// Keeps the list up to date until shutdown. What happens within [`IndexSettings::gallery_interval_ms`] goes into one
/// write. A store that does not answer holds up nothing but the list.
pub async fn keep(
    log: Log,
    blobs: Blobs,
    settings: IndexSettings,
    mut moved: watch::Receiver<Position>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let interval = Duration::from_millis(settings.gallery_interval_ms);
    // The settings or the shape of the file may have changed while nobody ran.
    let mut force = true;
    while !shutdown.is_cancelled() {
        moved.mark_unchanged();
        // The transaction that is dropped with a write has only read; a store that does not answer may take minutes.
        let written = tokio::select! {
            () = shutdown.cancelled() => break,
            written = write(&log, &blobs, &settings.media_url, force) => written,
        };
        match written {
            Ok(written) => {
                force = false;
                if let Some(position) = written {
                    tracing::info!(position = position.0, "wrote {}", keys::GALLERY_METADATA);
                }
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(error, "could not write {}; will try again", keys::GALLERY_METADATA);
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(interval) => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            // When the read model's projection has ended, so will this task.
            Ok(()) = moved.changed() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
    Ok(())
}

/// Writes the list if an artwork has changed since it was written last, or when there is one and it is forced. Answers the event
/// up to which it is; none when nothing was written.
pub async fn write(log: &Log, blobs: &Blobs, media_url: &str, force: bool) -> anyhow::Result<Option<Position>> {
    let mut tx = log.pool().begin().await?;
    // Two writers would overtake each other between reading and putting, and leave the older list in the bucket.
    sqlx::query(include_str!("../sql/lock_gallery.sql")).bind(GALLERY_LOCK).execute(&mut *tx).await?;
    let written = lead::checkpoint(log.pool(), CHECKPOINT).await?;
    let last = sqlx::query_scalar(include_str!("../sql/read_last_shown.sql")).fetch_one(&mut *tx).await?;
    // With nothing to show, the list of a bucket that has outlived its database is left as it is.
    let Some(last): Option<Position> = last else {
        return Ok(None);
    };
    if last <= written && !force {
        return Ok(None);
    }
    let mut document = List::begin(blobs)?;
    let mut position = Position(0);
    let mut rows = sqlx::query_as::<_, Row>(include_str!("../sql/read_gallery.sql")).fetch(&mut *tx);
    while let Some(row) = rows.try_next().await? {
        position = position.max(row.shown_position);
        document.add(row.shown_at, &row.entry(media_url)).await?;
    }
    drop(rows);
    document.finish().await?;
    lead::advance(log.pool(), CHECKPOINT, position).await?;
    tx.commit().await?;
    Ok(Some(position))
}

/// The list on its way to the bucket, artwork by artwork: it takes no more memory when there are more. The same bytes for the
/// same artworks, those of a [`GalleryMetadata`].
///
/// [`GalleryMetadata`]: atelier_events::gallery_metadata::GalleryMetadata
pub(crate) struct List {
    upload: Upload,
    /// What has not been handed on.
    text: Vec<u8>,
    last_updated: Option<OffsetDateTime>,
}

/// So many bytes are handed on at once.
const HANDED_ON: usize = 64 * 1024;

impl List {
    pub(crate) fn begin(blobs: &Blobs) -> anyhow::Result<Self> {
        let upload = blobs.upload_mutable(keys::GALLERY_METADATA, "application/json")?;
        Ok(Self { upload, text: br#"{"artworks":["#.to_vec(), last_updated: None })
    }

    /// The next artwork, and when it changed last.
    pub(crate) async fn add(&mut self, updated_at: OffsetDateTime, entry: &Entry) -> anyhow::Result<()> {
        if self.last_updated.is_some() {
            self.text.push(b',');
        }
        self.last_updated = self.last_updated.max(Some(updated_at));
        serde_json::to_writer(&mut self.text, entry)?;
        if self.text.len() >= HANDED_ON {
            let text = std::mem::replace(&mut self.text, Vec::with_capacity(2 * HANDED_ON));
            self.upload.write(text.into()).await.with_context(writing)?;
        }
        Ok(())
    }

    /// Puts it in the place of the one that is there.
    pub(crate) async fn finish(mut self) -> anyhow::Result<()> {
        let updated = self.last_updated.map(|time| time.format(&Rfc3339)).transpose()?;
        self.text.extend_from_slice(br#"],"lastUpdated":"#);
        serde_json::to_writer(&mut self.text, &updated)?;
        self.text.push(b'}');
        self.upload.write(self.text.into()).await.with_context(writing)?;
        self.upload.finish().await.with_context(writing)?;
        Ok(())
    }
}

fn writing() -> String {
    format!("writing {}", keys::GALLERY_METADATA)
}

#[derive(FromRow)]
struct Row {
    id: uuid::Uuid,
    title: String,
    description: String,
    artist: String,
    category: String,
    tags: Vec<String>,
    featured: bool,
    source_url: Option<String>,
    video_url: Option<String>,
    created_at: OffsetDateTime,
    shown_position: Position,
    shown_at: OffsetDateTime,
    prompt: Option<String>,
    source_width: i64,
    source_height: i64,
    palette: Json<Vec<Swatch>>,
    placeholder: String,
    keys: Json<BTreeMap<RenditionKind, String>>,
}

impl Row {
    fn entry(self, media_url: &str) -> Entry {
        Entry {
            id: ArtworkId(self.id),
            images: Images::of(media_url, &self.keys),
            title: self.title,
            source_url: self.source_url,
            created_at: self.created_at,
            video_url: self.video_url,
            artist: self.artist,
            description: self.description,
            category: self.category,
            tags: self.tags,
            featured: self.featured,
            prompt: self.prompt,
            width: self.source_width,
            height: self.source_height,
            palette: self.palette.0,
            placeholder: self.placeholder,
        }
    }
}
