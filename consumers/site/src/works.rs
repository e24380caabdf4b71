//! The works of the log, as far as the site needs them: the state of those to which something may still happen, and what is
//! to be shown of it.
//!
//! The state (all variants, recipes, originals, attempts) is several times as large as what is shown and needed only when
//! an event comes, so that of few is kept, and read again from the log for the others.

use std::collections::{BTreeSet, HashMap};

use atelier_events::{ArtworkId, Log, Look, Position, Recorded, Rendition, RenditionKind, Stream, Unreadable};

use crate::gallery::{Artwork, Image, Variant};

/// What [`Works::fold`] is not told of.
const PUBLISHED: &str = "artwork.published";

/// Folded works. Those with the newest events are kept whole.
pub(crate) struct Works {
    log: Log,
    /// With the last event of each. Between batches at most `kept_limit` of them; within one all that it needs.
    kept: HashMap<ArtworkId, (atelier_events::Artwork, Position)>,
    kept_limit: usize,
}

impl Works {
    pub(crate) fn new(log: Log, kept_limit: usize) -> Self {
        Self { log, kept: HashMap::new(), kept_limit }
    }

    /// Makes ready for a batch: works of it that are not kept are folded up to where the log has been read. That a page is
    /// live changes nothing of what it shows: what is told of thousands after a first deploy recalls none of them.
    pub(crate) async fn recall(&mut self, events: &[Recorded], folded: Position) -> anyhow::Result<()> {
        let missing: BTreeSet<&Stream> = events
            .iter()
            .filter(|event| event.version.0 > 1 && event.event_type != PUBLISHED)
            .filter(|event| event.stream.artwork_id().is_some_and(|id| !self.kept.contains_key(&id)))
            .map(|event| &event.stream)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let missing: Vec<Stream> = missing.into_iter().cloned().collect();
        for events in self.log.read_streams(&missing, folded).await?.into_values() {
            let mut state = None;
            for event in &events {
                state = folded_by(state, event)?;
            }
            self.keep(state, events.last());
        }
        Ok(())
    }

    /// Folds an event of one of them, which [`Self::recall`] has been told of. Answers what is to be shown of it then.
    pub(crate) fn fold(&mut self, id: ArtworkId, recorded: &Recorded) -> Result<Option<Artwork>, Unreadable> {
        let before = self.kept.remove(&id).map(|(artwork, _)| artwork);
        let state = folded_by(before, recorded)?;
        let shown = state.as_ref().and_then(shown);
        self.keep(state, Some(recorded));
        Ok(shown)
    }

    fn keep(&mut self, state: Option<atelier_events::Artwork>, last: Option<&Recorded>) {
        if let (Some(artwork), Some(last)) = (state, last) {
            self.kept.insert(artwork.id, (artwork, last.position));
        }
    }

    /// The batch is done: lets those go to which nothing has happened for longest.
    pub(crate) fn forget(&mut self) {
        let Some(surplus) = self.kept.len().checked_sub(self.kept_limit).filter(|surplus| *surplus > 0) else { return };
        let mut last: Vec<Position> = self.kept.values().map(|(_, last)| *last).collect();
        let (_, newest_to_go, _) = last.select_nth_unstable(surplus - 1);
        let newest_to_go = *newest_to_go;
        self.kept.retain(|_, (_, last)| *last > newest_to_go);
    }
}

/// The next state; an event of a newer version is for who knows it.
fn folded_by(
    state: Option<atelier_events::Artwork>,
    recorded: &Recorded,
) -> Result<Option<atelier_events::Artwork>, Unreadable> {
    match recorded.event() {
        Ok(event) => Ok(atelier_events::Artwork::apply(state, &event, recorded)),
        Err(Unreadable::UnknownType(_)) => Ok(state),
        Err(error) => Err(error),
    }
}

/// An artwork as the site shows it; none while it has no complete variant.
fn shown(artwork: &atelier_events::Artwork) -> Option<Artwork> {
    let cover = artwork.cover()?;
    let rendered = cover.rendered.as_ref()?;
    let image = |kind| cover.rendition(kind).map(image_of);
    let details = artwork.details.clone();
    let others = artwork.variants.iter().filter(|variant| variant.id != cover.id);
    Some(Artwork {
        id: artwork.id.0,
        title: details.title,
        description: details.description,
        artist: details.artist,
        tags: details.tags,
        category: details.category,
        materials: details.materials,
        dimensions: details.dimensions,
        featured: details.featured,
        source_url: details.source_url,
        video_url: details.video_url,
        created_on: details.created_on.filter(|day| day.year() > 0),
        created_at: artwork.created_at,
        published_at: artwork.ready_at?,
        prompt: cover.recipe.as_ref().map(|recipe| recipe.prompt.clone()),
        provider: cover.recipe.as_ref().map(|recipe| recipe.provider.clone()),
        model: cover.recipe.as_ref().and_then(|recipe| recipe.params.get("model")?.as_str().map(str::to_owned)),
        seed: cover.recipe.as_ref().map(|recipe| recipe.seed),
        width: rendered.width,
        height: rendered.height,
        display: image(RenditionKind::Display)?,
        thumb: image(RenditionKind::Thumb)?,
        icon: image(RenditionKind::Icon)?,
        preview: image(RenditionKind::Preview)?,
        mediums: [RenditionKind::Medium640, RenditionKind::Medium1280].into_iter().filter_map(image).collect(),
        webp_mediums: [RenditionKind::Medium640Webp, RenditionKind::Medium1280Webp]
            .into_iter()
            .filter_map(image)
            .collect(),
        lossless: image(RenditionKind::Lossless),
        animation: image(RenditionKind::Animation),
        card: image(RenditionKind::Card),
        pixelated: rendered.look == Look::Pixels,
        palette: rendered.palette.clone(),
        placeholder: Some(rendered.placeholder.clone()),
        cover: cover.id.0,
        lineage: cover.lineage.clone(),
        variants: others.filter_map(other_version).collect(),
    })
}

fn other_version(variant: &atelier_events::Variant) -> Option<Variant> {
    Some(Variant {
        id: variant.id.0,
        display: variant.rendition(RenditionKind::Display).map(image_of)?,
        thumb: variant.rendition(RenditionKind::Thumb).map(image_of)?,
        prompt: variant.recipe.as_ref().map(|recipe| recipe.prompt.clone()),
        lineage: variant.lineage.clone(),
    })
}

fn image_of(rendition: &Rendition) -> Image {
    Image {
        key: rendition.blob.key.clone(),
        width: rendition.width,
        height: rendition.height,
        media_type: rendition.blob.media_type.clone(),
        length: rendition.blob.length,
        sha256: rendition.blob.sha256.clone(),
    }
}
