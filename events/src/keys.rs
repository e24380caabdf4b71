//! Where blobs lie in the bucket. Keys follow from ids alone, so that writing one again writes the same place.

use crate::id::{ArtworkId, ExportId, VariantId};
use crate::variant::RenditionKind;

/// The list of all artworks that a front end can be built from.
pub const GALLERY_METADATA: &str = "gallery-metadata.json";

/// Where an owner puts a file before it becomes an artwork: `uploads/<upload>/<filename>`.
#[must_use]
pub fn upload(upload: uuid::Uuid, filename: &str) -> String {
    format!("uploads/{upload}/{filename}")
}

/// A variant's original: `originals/<owner>/<variant>.<extension>`.
#[must_use]
pub fn original(owner: &str, variant: VariantId, extension: &str) -> String {
    format!("originals/{owner}/{variant}.{extension}")
}

/// An artwork's metadata, beside its originals: `originals/<owner>/<artwork>.json`.
#[must_use]
pub fn sidecar(owner: &str, artwork: ArtworkId) -> String {
    format!("originals/{owner}/{artwork}.json")
}

/// A rendition: `display/<owner>/<variant>.jpg` or `.webp`, `medium/1280/…`, `medium/640/…`, `thumbnails/…`, `icons/…`,
/// `previews/….webp`, `cards/…`, `animations/….webp`.
#[must_use]
pub fn rendition(owner: &str, variant: VariantId, kind: RenditionKind) -> String {
    let (folder, extension) = match kind {
        RenditionKind::Display => ("display", "jpg"),
        RenditionKind::Lossless => ("display", "webp"),
        RenditionKind::Medium1280 => ("medium/1280", "jpg"),
        RenditionKind::Medium1280Webp => ("medium/1280", "webp"),
        RenditionKind::Medium640 => ("medium/640", "jpg"),
        RenditionKind::Medium640Webp => ("medium/640", "webp"),
        RenditionKind::Thumb => ("thumbnails", "jpg"),
        RenditionKind::Icon => ("icons", "jpg"),
        RenditionKind::Preview => ("previews", "webp"),
        RenditionKind::Card => ("cards", "jpg"),
        RenditionKind::Animation => ("animations", "webp"),
    };
    format!("{folder}/{owner}/{variant}.{extension}")
}

/// An export's ZIP.
#[must_use]
pub fn export(export: ExportId) -> String {
    format!("exports/{export}.zip")
}

/// The extension of a media type that an original can have.
#[must_use]
pub fn extension(media_type: &str) -> &'static str {
    match media_type {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/webp" => "webp",
        "image/gif" => "gif",
        _ => "bin",
    }
}
