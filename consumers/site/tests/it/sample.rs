//! Galleries to test with.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use atelier_events::Swatch;
use atelier_site::gallery::{Artwork, Image, PixelRendering, SiteMeta};
use atelier_site::pages::{Site, media_path};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

pub(crate) fn meta() -> SiteMeta {
    SiteMeta {
        title: "Sample".to_owned(),
        description: "Pictures to test with".to_owned(),
        base_url: "https://art.example/gallery".to_owned(),
        author: "Somebody".to_owned(),
        language: "en".to_owned(),
        about: "Made to be tested".to_owned(),
        links: vec!["https://social.example/@somebody".to_owned()],
        pixel_rendering: PixelRendering::Auto,
        likes: true,
    }
}

/// The bytes that [`image`] describes.
pub(crate) fn image_bytes(key: &str) -> Vec<u8> {
    format!("bytes of {key}").into_bytes()
}

pub(crate) fn image(key: &str, width: u32, height: u32) -> Image {
    let bytes = image_bytes(key);
    Image {
        key: key.to_owned(),
        width,
        height,
        media_type: "image/jpeg".to_owned(),
        length: bytes.len() as u64,
        sha256: hex(&Sha256::digest(&bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The `number`-th artwork ever published: later ones are newer.
pub(crate) fn artwork(number: u32) -> Artwork {
    let id = Uuid::from_u128(u128::from(number) + 1);
    Artwork {
        id,
        title: format!("Work {number}"),
        description: format!("First line of {number}\nSecond line"),
        artist: format!("Artist {}", number % 3),
        tags: vec!["every".to_owned(), format!("mod {}", number % 7)],
        category: "other".to_owned(),
        materials: Some("ink".to_owned()),
        dimensions: None,
        featured: number.is_multiple_of(5),
        source_url: Some(format!("https://posts.example/{number}?a=1&b=2")),
        video_url: None,
        created_on: None,
        created_at: OffsetDateTime::UNIX_EPOCH + Duration::hours(i64::from(number)),
        published_at: OffsetDateTime::UNIX_EPOCH + Duration::hours(i64::from(number)),
        prompt: Some("a quiet harbour".to_owned()),
        provider: Some("sketch".to_owned()),
        model: None,
        seed: Some(u64::MAX),
        width: 1600,
        height: 1200,
        display: image(&format!("display/{id}/v 1.jpg"), 1600, 1200),
        thumb: image(&format!("thumb/{id}.jpg"), 300, 300),
        icon: image(&format!("icon/{id}.jpg"), 128, 128),
        preview: image(&format!("preview/{id}.webp"), 256, 192),
        mediums: Vec::new(),
        webp_mediums: Vec::new(),
        lossless: None,
        animation: None,
        card: None,
        pixelated: false,
        palette: vec![Swatch { colour: "#102030".to_owned(), per_mille: 1000 }],
        placeholder: Some("3OcRJYB4d3h/iIeHeEh3eIhw+j2w".to_owned()),
        cover: version(number),
        lineage: vec![],
        variants: vec![],
    }
}

/// The variant that the `number`-th artwork shows.
pub(crate) fn version(number: u32) -> Uuid {
    Uuid::from_u128(u128::from(number) + (1 << 64))
}

/// A site that shows them, the last one as the newest.
pub(crate) fn site(artworks: Vec<Artwork>) -> Arc<Site> {
    site_of(meta(), artworks)
}

pub(crate) fn site_of(meta: SiteMeta, artworks: impl IntoIterator<Item = Artwork>) -> Arc<Site> {
    let mut site = Site::new(meta).expect("the sample can be rendered");
    for artwork in artworks {
        site.show(artwork).expect("the sample can be shown");
    }
    Arc::new(site)
}

/// Every page of a site by path.
pub(crate) fn rendered(site: &Site) -> BTreeMap<String, Vec<u8>> {
    let mut pages = BTreeMap::new();
    for file in site.files() {
        let page = site.render(file).expect("every page of the sample renders");
        let before = pages.insert(page.path.clone(), page.bytes);
        assert!(before.is_none(), "{} is written once", page.path);
    }
    pages
}

/// Every image that a site shows, by path.
pub(crate) fn images(site: &Site) -> BTreeMap<String, Vec<u8>> {
    let images = site.everything().images;
    images.into_iter().map(|image| (media_path(&image.key), image_bytes(&image.key))).collect()
}

/// What a bucket answers.
pub(crate) async fn from_bucket(image: Image) -> anyhow::Result<Bytes> {
    Ok(image_bytes(&image.key).into())
}

/// Everything below `root` by its path.
pub(crate) fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder can be listed") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).expect("the file lies below").to_str().expect("UTF-8").to_owned();
                found.insert(name, fs::read(path).expect("a file can be read"));
            }
        }
    }
    found
}
