//! Events into rows. A batch is folded in memory, artwork by artwork, and what came of it is written in one statement a
//! table: the same code for the live schema and for a replay.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, bail};
use atelier_events::site::{Deployed, SiteEvent};
use atelier_events::variant::VariantEvent;
use atelier_events::{Event, Log, Position, Recorded, Stream, Unreadable, Variant, VariantId};
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::{Json, Uuid};

use crate::folded::{FoldedArtwork, FoldedVariant};
use crate::rows::{ArtworkRow, ExportRow, FoldedExport, LineageRow, RenditionRow, VariantRow, bigint};
use crate::schema::MODEL_VERSION;
use crate::vocabulary::{self, Unknown};

/// Artworks kept folded between batches, unless the settings say another number, so that the next event of one need not
/// read its stream again. At about ten kilobytes each.
pub(crate) const KEPT_LIMIT: usize = 1_000;

/// Applies batches to the schema that the caller's transaction has entered.
pub(crate) struct Applier {
    log: Log,
    /// Between batches those with the newest events; within one all that it needs.
    kept: HashMap<Stream, FoldedArtwork>,
    kept_limit: usize,
    /// What `kept` is folded up to, once the transaction that applied it is known to be committed.
    kept_at: Option<Position>,
}

/// What a batch changes.
#[derive(Default)]
struct Changes {
    artworks: BTreeSet<Stream>,
    variants: BTreeSet<(Stream, VariantId)>,
    rendered: BTreeSet<VariantId>,
    exports: BTreeSet<Stream>,
    deployed: Vec<(Recorded, Deployed)>,
    /// The first event of each type that this version does not know.
    unknown: BTreeMap<Unknown, Position>,
}

impl Applier {
    pub(crate) fn new(log: Log, kept_limit: usize) -> Self {
        Self { log, kept: HashMap::new(), kept_limit, kept_at: None }
    }

    /// Applies what the schema has not seen yet of a batch in log order, and answers how far the schema is then. To be
    /// called inside a transaction; when that is committed, tell [`Applier::committed`].
    pub(crate) async fn apply(
        &mut self,
        transaction: &mut PgConnection,
        events: &[Recorded],
    ) -> anyhow::Result<Position> {
        let checkpoint = lock_checkpoint(transaction).await?;
        if self.kept_at.take() != Some(checkpoint) {
            self.kept.clear();
        }
        let events: Vec<&Recorded> = events.iter().filter(|event| event.position > checkpoint).collect();
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return Ok(checkpoint);
        };
        if first.position.0 != checkpoint.0 + 1 {
            bail!("the read model is at position {checkpoint} and was given events from {} on", first.position);
        }
        self.recall(&events, checkpoint).await?;
        let changes = self.fold(&events)?;
        for (unknown, first) in &changes.unknown {
            vocabulary::pass_over(transaction, unknown, *first).await?;
        }
        self.write(transaction, &changes, last.position).await?;
        sqlx::query(include_str!("../sql/move_checkpoint.sql")).bind(last.position).execute(transaction).await?;
        Ok(last.position)
    }

    /// What was applied up to here has been committed.
    pub(crate) fn committed(&mut self, position: Position) {
        self.forget();
        self.kept_at = Some(position);
    }

    /// Lets those go to which nothing has happened for longest.
    fn forget(&mut self) {
        let Some(surplus) = self.kept.len().checked_sub(self.kept_limit).filter(|surplus| *surplus > 0) else { return };
        let mut last: Vec<Position> = self.kept.values().map(|folded| folded.updated_position).collect();
        let (_, newest_to_go, _) = last.select_nth_unstable(surplus - 1);
        let newest_to_go = *newest_to_go;
        self.kept.retain(|_, folded| folded.updated_position > newest_to_go);
    }

    /// Folds the artworks of the batch up to the checkpoint, as far as they are not kept.
    async fn recall(&mut self, events: &[&Recorded], checkpoint: Position) -> anyhow::Result<()> {
        let earlier = |event: &&&Recorded| event.version.0 > 1 && event.stream.artwork_id().is_some();
        let streams: BTreeSet<&Stream> = events.iter().filter(earlier).map(|event| &event.stream).collect();
        let missing: Vec<Stream> =
            streams.into_iter().filter(|stream| !self.kept.contains_key(*stream)).cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        for (stream, events) in self.log.read_streams(&missing, checkpoint).await? {
            if let Some(folded) = FoldedArtwork::of(&events)? {
                self.kept.insert(stream, folded);
            }
        }
        Ok(())
    }

    fn fold(&mut self, events: &[&Recorded]) -> anyhow::Result<Changes> {
        let mut changes = Changes::default();
        for recorded in events {
            let event = match recorded.event() {
                Ok(event) => event,
                Err(Unreadable::UnknownType(_)) => {
                    changes.unknown.entry(Unknown::of(recorded)).or_insert(recorded.position);
                    continue;
                }
                Err(error) => return Err(error).with_context(|| format!("event at position {}", recorded.position)),
            };
            match &event {
                Event::Artwork(_) => self.fold_artwork(&event, recorded, &mut changes),
                Event::Variant(variant) => {
                    changes.variants.insert((recorded.stream.clone(), variant.variant_id()));
                    if matches!(variant, VariantEvent::Rendered(_) | VariantEvent::Restored(_)) {
                        changes.rendered.insert(variant.variant_id());
                    }
                    self.fold_artwork(&event, recorded, &mut changes);
                }
                Event::Export(_) => drop(changes.exports.insert(recorded.stream.clone())),
                Event::Site(SiteEvent::Deployed(deployed)) => {
                    changes.deployed.push(((*recorded).clone(), deployed.clone()));
                }
            }
        }
        Ok(changes)
    }

    fn fold_artwork(&mut self, event: &Event, recorded: &Recorded, changes: &mut Changes) {
        let before = self.kept.remove(&recorded.stream);
        if let Some(folded) = FoldedArtwork::fold(before, event, recorded) {
            self.kept.insert(recorded.stream.clone(), folded);
            changes.artworks.insert(recorded.stream.clone());
        }
    }

    async fn write(&self, transaction: &mut PgConnection, changes: &Changes, up_to: Position) -> anyhow::Result<()> {
        let artworks = changes.artworks.iter().filter_map(|stream| self.kept.get(stream));
        let artworks: Vec<ArtworkRow> = artworks.map(ArtworkRow::of).collect();
        insert(transaction, include_str!("../sql/upsert_artworks.sql"), &artworks).await?;

        let variants = changes.variants.iter();
        let variants = variants.filter_map(|(stream, id)| self.kept.get(stream)?.variant(*id));
        let variants: Vec<FoldedVariant> = variants.collect();
        let rows: Vec<VariantRow> = variants.iter().map(VariantRow::of).collect();
        insert(transaction, include_str!("../sql/upsert_variants.sql"), &rows).await?;
        let rows: Vec<LineageRow> = variants.iter().flat_map(|folded| LineageRow::of(folded.variant)).collect();
        insert(transaction, include_str!("../sql/insert_lineage.sql"), &rows).await?;

        let rendered = variants.iter().map(|folded| folded.variant);
        let rendered: Vec<&Variant> = rendered.filter(|variant| changes.rendered.contains(&variant.id)).collect();
        if !rendered.is_empty() {
            let ids: Vec<Uuid> = rendered.iter().map(|variant| variant.id.0).collect();
            let delete = sqlx::query(include_str!("../sql/delete_renditions.sql")).bind(ids);
            delete.execute(&mut *transaction).await?;
            let rows: Vec<RenditionRow> = rendered.into_iter().flat_map(RenditionRow::of).collect();
            insert(transaction, include_str!("../sql/insert_renditions.sql"), &rows).await?;
        }
        self.write_exports(transaction, &changes.exports, up_to).await?;
        for (recorded, deployed) in &changes.deployed {
            put_site(transaction, recorded, deployed).await?;
        }
        Ok(())
    }

    /// Exports are few and their streams three events at most: they are read whole each time.
    async fn write_exports(
        &self,
        transaction: &mut PgConnection,
        streams: &BTreeSet<Stream>,
        up_to: Position,
    ) -> anyhow::Result<()> {
        if streams.is_empty() {
            return Ok(());
        }
        let streams: Vec<Stream> = streams.iter().cloned().collect();
        let mut exports = Vec::new();
        for events in self.log.read_streams(&streams, up_to).await?.values() {
            exports.extend(folded_export(events)?);
        }
        let rows: Vec<ExportRow> = exports.iter().map(ExportRow::of).collect();
        insert(transaction, include_str!("../sql/upsert_exports.sql"), &rows).await
    }
}

async fn lock_checkpoint(transaction: &mut PgConnection) -> anyhow::Result<Position> {
    let (checkpoint, model_version): (Position, i32) =
        sqlx::query_as(include_str!("../sql/lock_checkpoint.sql")).fetch_one(transaction).await?;
    if model_version != MODEL_VERSION {
        bail!(
            "the read model is of version {model_version} and this program writes version {MODEL_VERSION}: another \
             version of atelier-index has replayed it; start this one again"
        );
    }
    Ok(checkpoint)
}

async fn insert<T: Serialize>(
    transaction: &mut PgConnection,
    statement: &'static str,
    rows: &[T],
) -> anyhow::Result<()> {
    if !rows.is_empty() {
        sqlx::query(statement).bind(Json(rows)).execute(transaction).await?;
    }
    Ok(())
}

/// Makes a release the one that is live, unless it was overtaken.
pub(crate) async fn put_site(
    transaction: &mut PgConnection,
    recorded: &Recorded,
    deployed: &Deployed,
) -> anyhow::Result<()> {
    sqlx::query(include_str!("../sql/deploy_site.sql"))
        .bind(deployed.position)
        .bind(bigint(deployed.artworks))
        .bind(bigint(deployed.files))
        .bind(bigint(deployed.files_written))
        .bind(bigint(deployed.bytes_written))
        .bind(&deployed.url)
        .bind(recorded.occurred_at)
        .execute(transaction)
        .await?;
    Ok(())
}

fn folded_export(events: &[Recorded]) -> anyhow::Result<Option<FoldedExport>> {
    let mut state = None;
    for recorded in events {
        match recorded.event() {
            Ok(event) => state = FoldedExport::fold(state, &event, recorded),
            Err(Unreadable::UnknownType(_)) => {}
            Err(error) => return Err(error).with_context(|| format!("event at position {}", recorded.position)),
        }
    }
    Ok(state)
}
