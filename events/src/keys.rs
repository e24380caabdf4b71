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

/// A set of renditions: of one variant, from these bytes, by this recipe. Its keys follow from nothing else, so that a key
/// never stands for two different files, and a set that is there need not be cut again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenditionSet<'a> {
    /// Whose.
    pub owner: &'a str,
    /// Of which variant.
    pub variant: VariantId,
    /// SHA-256 of the original.
    pub original: &'a str,
    /// Hash of the recipe.
    pub recipe: &'a str,
}

/// Digits of the original's SHA-256 in the keys of its renditions.
const ORIGINAL_DIGITS: usize = 16;

/// The folders that hold nothing but renditions and their manifests.
pub const RENDITION_FOLDERS: [&str; 8] =
    ["display/", "medium/", "thumbnails/", "icons/", "previews/", "cards/", "animations/", "manifests/"];

impl RenditionSet<'_> {
    /// A rendition: `display/<owner>/<variant>-<original>-<recipe>.jpg` or `.webp`, `medium/1280/…`, `medium/640/…`,
    /// `thumbnails/…`, `icons/…`, `previews/….webp`, `cards/…`, `animations/….webp`.
    #[must_use]
    pub fn rendition(&self, kind: RenditionKind) -> String {
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
        self.key(folder, extension)
    }

    /// What the set holds, written when all of it is there: `manifests/<owner>/<variant>-<original>-<recipe>.json`.
    #[must_use]
    pub fn manifest(&self) -> String {
        self.key("manifests", "json")
    }

    fn key(&self, folder: &str, extension: &str) -> String {
        let Self { owner, variant, original, recipe } = self;
        let original = original.get(..ORIGINAL_DIGITS).unwrap_or(original);
        format!("{folder}/{owner}/{variant}-{original}-{recipe}.{extension}")
    }
}

/// Whether a key lies in a folder of renditions.
#[must_use]
pub fn is_rendition(key: &str) -> bool {
    RENDITION_FOLDERS.iter().any(|folder| key.starts_with(folder))
}

/// The manifest of the set that a rendition is of. Of one whose key names no recipe there is none, and this is where it
/// would be.
#[must_use]
pub fn manifest_of(rendition: &str) -> Option<String> {
    let (path, name) = rendition.rsplit_once('/')?;
    let owner = path.rsplit('/').next()?;
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    Some(format!("manifests/{owner}/{stem}.json"))
}

/// An export's ZIP.
#[must_use]
pub fn export(export: ExportId) -> String {
    format!("exports/{export}.zip")
}

/// The folder of exports and of what they need.
pub const EXPORTS: &str = "exports/";

/// Which artworks an export is of, where a query found them: an id a line.
#[must_use]
pub fn export_list(export: ExportId) -> String {
    format!("exports/{export}.txt")
}

/// Which ZIP holds this content, by its digest: `exports/contents/<digest>.json`.
#[must_use]
pub fn export_contents(digest: &str) -> String {
    format!("exports/contents/{digest}.json")
}

/// The extension of a media type that an original can have.
#[must_use]
pub fn extension(media_type: &str) -> &'static str {
    match media_type {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/webp" => "webp",
        "image/gif" => "gif",
        "image/avif" => "avif",
        _ => "bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: [RenditionKind; 11] = [
        RenditionKind::Display,
        RenditionKind::Lossless,
        RenditionKind::Medium1280,
        RenditionKind::Medium1280Webp,
        RenditionKind::Medium640,
        RenditionKind::Medium640Webp,
        RenditionKind::Thumb,
        RenditionKind::Icon,
        RenditionKind::Preview,
        RenditionKind::Card,
        RenditionKind::Animation,
    ];

    #[test]
    fn every_rendition_has_a_key_of_its_own_in_a_folder_of_renditions_and_leads_to_its_manifest() {
        let (owner, original) = ("o".repeat(40), "a1".repeat(32));
        let set =
            RenditionSet { owner: &owner, variant: VariantId::new(), original: &original, recipe: "0123456789ab" };
        let mut keys: Vec<String> = EVERY.map(|kind| set.rendition(kind)).to_vec();
        for key in &keys {
            assert!(is_rendition(key), "{key}");
            assert!(key.len() <= crate::blobs::MAX_KEY_BYTES, "{key}");
            assert_eq!(manifest_of(key), Some(set.manifest()), "{key}");
        }
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), EVERY.len());
        let other = RenditionSet { recipe: "ba9876543210", ..set };
        assert_ne!(set.rendition(RenditionKind::Display), other.rendition(RenditionKind::Display));
    }
}
