//! What a front end of its own is built from.

use std::collections::BTreeMap;

use atelier_events::gallery_metadata::{Entry, GalleryMetadata, Images};
use atelier_events::{ArtworkId, RenditionKind};
use time::OffsetDateTime;

use super::Site;
use crate::gallery::{Artwork, Image};

impl Site {
    /// `gallery-metadata.json` of what is shown, newest first. Addresses are those of the release's own copies, relative to
    /// its folder. `last_updated` is when one of them changed last.
    #[must_use]
    pub fn metadata(&self, last_updated: Option<OffsetDateTime>) -> GalleryMetadata {
        let newest = self.catalogue.all().newest();
        GalleryMetadata { artworks: newest.map(|slot| entry(&self.shown(slot).artwork)).collect(), last_updated }
    }
}

fn entry(artwork: &Artwork) -> Entry {
    let medium = |of: &[Image], folder| of.iter().find(|image| image.key.starts_with(folder)).cloned();
    let images = [
        (RenditionKind::Display, Some(artwork.display.clone())),
        (RenditionKind::Thumb, Some(artwork.thumb.clone())),
        (RenditionKind::Icon, Some(artwork.icon.clone())),
        (RenditionKind::Preview, Some(artwork.preview.clone())),
        (RenditionKind::Card, artwork.card.clone()),
        (RenditionKind::Medium640, medium(&artwork.mediums, "medium/640/")),
        (RenditionKind::Medium640Webp, medium(&artwork.webp_mediums, "medium/640/")),
        (RenditionKind::Medium1280, medium(&artwork.mediums, "medium/1280/")),
        (RenditionKind::Medium1280Webp, medium(&artwork.webp_mediums, "medium/1280/")),
        (RenditionKind::Lossless, artwork.lossless.clone()),
        (RenditionKind::Animation, artwork.animation.clone()),
    ];
    let keys: BTreeMap<RenditionKind, String> =
        images.into_iter().filter_map(|(kind, image)| Some((kind, image?.key))).collect();
    Entry {
        id: ArtworkId(artwork.id),
        images: Images::of("media", &keys),
        title: artwork.title.clone(),
        source_url: artwork.source_url.clone(),
        created_at: artwork.created_at,
        video_url: artwork.video_url.clone(),
        artist: artwork.artist.clone(),
        description: artwork.description.clone(),
        category: artwork.category.clone(),
        tags: artwork.tags.clone(),
        featured: artwork.featured,
        prompt: artwork.prompt.clone(),
        width: artwork.width.into(),
        height: artwork.height.into(),
        palette: artwork.palette.clone(),
        placeholder: artwork.placeholder.clone().unwrap_or_default(),
    }
}
