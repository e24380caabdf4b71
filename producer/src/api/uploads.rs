//! Where a file goes before it becomes an artwork: straight to the bucket, past this process.

use std::collections::BTreeMap;

use atelier_events::keys;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::auth::Asking;
use crate::idempotency::{self, IdempotencyKey};
use crate::input::{Asked, Command};
use crate::problem::{self, Flaws, Kind, Problem};

/// What a picture can be.
#[cfg(not(feature = "avif"))]
const MEDIA_TYPES: [&str; 4] = ["image/jpeg", "image/png", "image/webp", "image/gif"];
#[cfg(feature = "avif")]
const MEDIA_TYPES: [&str; 5] = ["image/jpeg", "image/png", "image/webp", "image/gif", AVIF];

const AVIF: &str = "image/avif";

const FILENAME_CHARS: usize = 255;

/// What is left of a filename in a key: `uploads/<36>/` leaves 115 of the 160 bytes that a key may have.
const KEY_NAME_CHARS: usize = 80;

/// A file that is to be uploaded.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct NewUpload {
    /// Its name; a path is cut down to its last part.
    #[schema(required, min_length = 1, max_length = 255, example = "harbour.jpg")]
    filename: String,
    /// `image/jpeg`, `image/png`, `image/webp` or `image/gif`; `image/avif` where Atelier is built with AVIF.
    #[schema(required, example = "image/jpeg")]
    content_type: String,
    /// Bytes; exactly so many can be put.
    #[schema(required, minimum = 1, example = 482_113)]
    size: u64,
}

impl Command for NewUpload {
    fn check(&self, flaws: &mut Flaws) {
        let chars = self.filename.chars().count();
        if !(1..=FILENAME_CHARS).contains(&chars) {
            flaws.at("/filename", format!("has {chars} characters: 1 to {FILENAME_CHARS} are allowed"));
        }
        if self.content_type.is_empty() {
            flaws.at("/content_type", "is empty");
        }
        if self.size == 0 {
            flaws.at("/size", "is 0: an empty file is not a picture");
        }
    }
}

/// How to put the file: this method, this URL, exactly these headers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadAnswer {
    upload_id: Uuid,
    /// What to name as `upload_key` when creating the artwork.
    key: String,
    /// Where to put the file; signed, good until `expires_at`.
    url: String,
    /// `PUT`
    method: String,
    /// The headers that were signed; to be sent with exactly these values.
    headers: BTreeMap<String, String>,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// Asks for an address to put a file at.
#[utoipa::path(
    post, path = "/v1/uploads", tag = "artworks", request_body = NewUpload,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same request with the same key has the same place")),
    responses(
        (status = 201, description = "Put the file at this address, then create the artwork from `key`", body = UploadAnswer),
        (status = "default", description = "A problem", body = problem::Details, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create_upload(
    State(app): State<App>,
    asking: Asking,
    key: IdempotencyKey,
    Asked { command, fingerprint }: Asked<NewUpload>,
) -> Result<(StatusCode, Json<UploadAnswer>), Problem> {
    check_media_type("/content_type", &command.content_type)?;
    check_size("/size", command.size, app.max_upload_bytes)?;
    let upload_id = idempotency::Command::new(&asking, key, fingerprint).derived_id().unwrap_or_else(Uuid::now_v7);
    let key = keys::upload(upload_id, &sanitised(&command.filename));
    let signed = app.blobs.presign_put(&key, &command.content_type, command.size, app.presign_ttl).await?;
    let answer = UploadAnswer {
        upload_id,
        key,
        url: signed.url,
        method: signed.method,
        headers: signed.headers,
        expires_at: signed.expires_at,
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Refuses what is not a picture.
pub(super) fn check_media_type(at: &str, media_type: &str) -> Result<(), Problem> {
    let mut flaws = Flaws::default();
    if !MEDIA_TYPES.contains(&media_type) {
        let reason = if media_type == AVIF {
            "is not read by this build: build Atelier with `--features avif`, or save the picture as one of"
        } else {
            "is not a picture that can be taken:"
        };
        flaws.at(at, format!("{media_type:?} {reason} {}", MEDIA_TYPES.join(", ")));
    }
    flaws.refuse(Kind::UnsupportedType)
}

/// Refuses what is larger than the settings allow.
pub(super) fn check_size(at: &str, size: u64, limit: u64) -> Result<(), Problem> {
    let mut flaws = Flaws::default();
    if size > limit {
        flaws.at(at, format!("{size} bytes are more than the {limit} that can be uploaded"));
    }
    flaws.refuse(Kind::TooLarge)
}

/// The last part of a name, of letters, digits, `.`, `-` and `_` alone: keys stand in URLs and in file systems.
fn sanitised(filename: &str) -> String {
    let last = filename.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = |char: char| if char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_') { char } else { '_' };
    let name: String = last.chars().map(plain).collect();
    // The end is kept, since it has the extension; a name of dots alone would be a direction.
    let name = name.trim_start_matches('.');
    let name = &name[name.len().saturating_sub(KEY_NAME_CHARS)..];
    if name.is_empty() { "file".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filename_becomes_one_plain_part_of_a_key() {
        for (filename, expected) in [
            ("harbour.jpg", "harbour.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\pictures\\a b.png", "a_b.png"),
            ("..", "file"),
            ("über \u{0}.gif", "_ber__.gif"),
            ("", "file"),
        ] {
            assert_eq!(sanitised(filename), expected, "{filename:?}");
        }
        let long = sanitised(&format!("{}.jpeg", "x".repeat(300)));
        assert_eq!(long.len(), KEY_NAME_CHARS);
        assert_eq!(long.rsplit('.').next(), Some("jpeg"));
    }
}
