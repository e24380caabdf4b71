//! What a file of the site is to who reads it: when it has to be there, and how it is served.

use serde::Serialize;

/// The name in which a file's bytes never change is the digest of them, or a key of the bucket.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// Kept, and asked for every time.
const FRESH: &str = "public, max-age=0, must-revalidate";
/// Readers of feeds and crawlers ask by themselves, and often.
const POLLED: &str = "public, max-age=300";

/// Kinds of files, in the order in which they are put where a deploy cannot be one step: nothing leads to what is not
/// there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Style sheets and scripts, named by their digest.
    Assets,
    /// Pictures, named by their key.
    Media,
    /// The page of an artwork.
    Artworks,
    /// Whatever leads to artworks, and is led to from the home page.
    Listings,
    /// Feeds, the sitemap, the search index, and the worker that keeps pages.
    Feeds,
    /// The home page.
    Home,
}

impl Kind {
    /// All of them, in that order.
    pub const ALL: [Self; 6] = [Self::Assets, Self::Media, Self::Artworks, Self::Listings, Self::Feeds, Self::Home];

    /// The kind of the file at `path`.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let (folder, _) = path.split_once('/').unwrap_or_default();
        match (folder, extension(path)) {
            ("assets", _) => Self::Assets,
            ("media", _) => Self::Media,
            ("artworks", _) => Self::Artworks,
            // The index of the search names its chunks, so they go before it.
            ("search", _) => Self::Listings,
            (_, "xml") | ("", "json" | "js" | "txt") => Self::Feeds,
            _ if path.ends_with("/feed.json") => Self::Feeds,
            ("", _) if path == "index.html" => Self::Home,
            _ => Self::Listings,
        }
    }

    /// As operators read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Assets => "assets",
            Self::Media => "media",
            Self::Artworks => "artworks",
            Self::Listings => "listings",
            Self::Feeds => "feeds",
            Self::Home => "home",
        }
    }
}

/// `Cache-Control` of the file at `path`.
#[must_use]
pub fn cache_control(path: &str) -> &'static str {
    match Kind::of(path) {
        Kind::Assets | Kind::Media => IMMUTABLE,
        // A worker that is kept would go on serving what it knows.
        Kind::Feeds if matches!(extension(path), "xml" | "txt") || path.ends_with("feed.json") => POLLED,
        Kind::Artworks | Kind::Listings | Kind::Feeds | Kind::Home => FRESH,
    }
}

/// `Content-Type` of the file at `path`.
#[must_use]
pub fn media_type(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    match (name, extension(path)) {
        ("feed.xml", _) => "application/atom+xml; charset=utf-8",
        ("rss.xml", _) => "application/rss+xml; charset=utf-8",
        ("feed.json", _) => "application/feed+json",
        (_, "html") => "text/html; charset=utf-8",
        (_, "css") => "text/css; charset=utf-8",
        (_, "js") => "text/javascript; charset=utf-8",
        (_, "txt") => "text/plain; charset=utf-8",
        (_, "xml") => "application/xml; charset=utf-8",
        (_, "json") => "application/json",
        (_, "webmanifest") => "application/manifest+json",
        (_, "svg") => "image/svg+xml",
        (_, "jpg" | "jpeg") => "image/jpeg",
        (_, "png") => "image/png",
        (_, "webp") => "image/webp",
        (_, "avif") => "image/avif",
        (_, "gif") => "image/gif",
        (_, "ico") => "image/x-icon",
        (_, "woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// Without its dot; empty where there is none.
#[must_use]
pub fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_a_file_is_put_after_it() {
        let order = [
            "assets/gallery.0123456789ab.css",
            "media/display/ann/1.jpg",
            "artworks/0199fd2e/index.html",
            "page/1/index.html",
            "search/0.bin",
            "search.json",
            "index.html",
        ];
        assert!(order.is_sorted_by_key(|path| Kind::of(path)), "{:?}", order.map(Kind::of));
        let feeds = ["feed.xml", "rss.xml", "feed.json", "tags/a/feed.xml", "tags/a/rss.xml", "tags/a/feed.json"];
        for path in ["worker.js", "robots.txt", "sitemap/1.xml"].iter().chain(&feeds) {
            assert_eq!(Kind::of(path), Kind::Feeds, "{path}");
        }
        for path in ["404.html", "tags/index.html", "tags/home/index.html", "about/index.html"] {
            assert_eq!(Kind::of(path), Kind::Listings, "{path}");
        }
    }

    #[test]
    fn only_what_never_changes_is_kept_for_ever() {
        assert_eq!(cache_control("media/a.jpg"), IMMUTABLE);
        assert_eq!(cache_control("assets/a.js"), IMMUTABLE);
        for path in ["feed.xml", "feed.json", "tags/a/feed.json", "artists/b/rss.xml"] {
            assert_eq!(cache_control(path), POLLED, "{path}");
        }
        for path in ["index.html", "artworks/1/index.html", "worker.js", "search.json", "search/1.bin"] {
            assert_eq!(cache_control(path), FRESH, "{path}");
        }
        assert_eq!(media_type("media/a/b.webp"), "image/webp");
        assert_eq!(media_type("artworks/1/index.html"), "text/html; charset=utf-8");
    }
}
