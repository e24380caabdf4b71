//! How a page shows the video of an artwork.

use serde::Serialize;

use crate::untrusted::{WebLink, web_link};

/// Shown as what it is: a file plays in the page, a known player is framed once the reader opens it (nobody's server is
/// contacted before), anything else is a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Video {
    /// A file that browsers play.
    File {
        /// The file.
        link: WebLink,
        /// By its extension.
        media_type: &'static str,
    },
    /// A page of a known player.
    Player {
        /// The page.
        link: WebLink,
        /// What to frame, built from the video's id alone.
        src: String,
    },
    /// Any other page.
    Link {
        /// The page.
        link: WebLink,
    },
}

/// The video at `url`, or none when the address is not one that may be linked.
#[must_use]
pub fn video(url: &str) -> Option<Video> {
    let link = web_link(url)?;
    if let Some(src) = player(&link) {
        return Some(Video::Player { link, src });
    }
    let path = link.href.split(['?', '#']).next().unwrap_or_default();
    let media_type = match path.rsplit('.').next().map(str::to_ascii_lowercase).as_deref() {
        Some("mp4" | "m4v") => "video/mp4",
        Some("webm") => "video/webm",
        Some("ogv") => "video/ogg",
        _ => return Some(Video::Link { link }),
    };
    Some(Video::File { link, media_type })
}

fn player(link: &WebLink) -> Option<String> {
    let path = link.href.split_once("://")?.1.split_once('/')?.1;
    let is_id = |id: &str| id.len() == 11 && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    match link.host.as_str() {
        "youtube.com" | "m.youtube.com" => {
            let (_, query) = path.split_once("watch?")?;
            let id = query.split(['&', '#']).find_map(|pair| pair.strip_prefix("v="))?;
            is_id(id).then(|| format!("https://www.youtube-nocookie.com/embed/{id}"))
        }
        "youtu.be" => {
            let id = path.split(['?', '#', '/']).next()?;
            is_id(id).then(|| format!("https://www.youtube-nocookie.com/embed/{id}"))
        }
        "vimeo.com" => {
            let id = path.split(['?', '#', '/']).next()?;
            let digits = !id.is_empty() && id.len() <= 12 && id.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| format!("https://player.vimeo.com/video/{id}?dnt=1"))
        }
        _ => None,
    }
}
