//! Where the bytes lie: one S3 client for every store, be it R2, AWS, Garage or the embedded server.
//!
//! A blob is written once under a key that nothing else will ever use, before the event that names it. Therefore every
//! write here may be repeated after a crash, and readers may keep what they got for a year. The exceptions are the sidecars
//! and `gallery-metadata.json`, which go through [`Blobs::put_mutable`] and [`Blobs::upload_mutable`], and the files of a site in a bucket of its own,
//! through [`Blobs::put_served`].
//!
//! Bounds: a request is given up after [`ATTEMPT_TIMEOUT`] and tried [`MAX_ATTEMPTS`] times, a transfer that moves no
//! byte for 20 seconds is given up, an [`Upload`] holds three parts of [`PART_BYTES`] at most, or two of longer ones, a
//! page of a listing has at most 1,000 entries.

mod client;
mod disposition;
mod download;
mod error;
mod key;
mod observed;
mod presign;
mod settings;
mod signed;
mod unfinished;
mod upload;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, MetadataDirective};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

pub use client::{ATTEMPT_TIMEOUT, MAX_ATTEMPTS};
pub use download::Download;
pub use error::BlobError;
pub use key::{MAX_KEY_BYTES, MAX_SERVED_KEY_BYTES, MAX_UPLOAD_KEY_BYTES};
use observed::observed;
pub use presign::Presigned;
pub use settings::StoreSettings;
use signed::SignedAs;
pub use unfinished::Unfinished;
pub use upload::{MAX_PARTS, MIN_PART_BYTES, PART_BYTES, Upload};

/// What a browser or a CDN may do with a blob that never changes.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// What they may do with one that does: keep it, but ask every time.
const MUTABLE: &str = "no-cache";

/// The name of the metadata in which [`Blobs::put_served`] keeps a digest.
const SHA256: &str = "sha256";

/// Bytes in the bucket, as events name them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Where in the bucket.
    pub key: String,
    /// Of the bytes: 64 hex digits in lower case.
    pub sha256: String,
    /// As served, such as `image/png`.
    pub media_type: String,
    /// In bytes.
    pub length: u64,
}

/// What the store says about a key without sending the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// In bytes.
    pub length: u64,
    /// As served; `application/octet-stream` when the store was never told.
    pub media_type: String,
    /// The store's own tag of the content, quotes included; not comparable between stores.
    pub etag: Option<String>,
    /// Of the bytes, where [`Blobs::put_served`] has written them: 64 hex digits in lower case.
    pub sha256: Option<String>,
}

/// How a file is answered to who asks the bucket for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served<'a> {
    /// `Content-Type`.
    pub media_type: &'a str,
    /// `Cache-Control`.
    pub cache_control: &'a str,
}

/// One page of a listing, in the order of the keys' bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What the page holds, at most 1,000.
    pub entries: Vec<Entry>,
    /// To be given to [`Blobs::page`] for the page after this one; none after the last.
    pub next: Option<String>,
}

/// A key that a listing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where in the bucket.
    pub key: String,
    /// In bytes.
    pub length: u64,
    /// When it was written last, by the store's clock; none where the store does not tell.
    pub modified: Option<OffsetDateTime>,
    /// The store's own tag of the content, without quotes; none where a listing does not tell. For what was written in one
    /// piece most stores take the MD5.
    pub etag: Option<String>,
}

/// One bucket. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Blobs {
    client: Client,
    /// Signs for the address that clients outside see; never sends.
    signer: Client,
    bucket: String,
    location: Option<BucketLocationConstraint>,
}

impl Blobs {
    /// Prepares the client; nothing is sent until the first request, see [`Blobs::ready`].
    #[must_use]
    pub fn connect(settings: &StoreSettings) -> Self {
        let client = client::to(&settings.endpoint, settings);
        let signer = if settings.public_endpoint.is_empty() {
            client.clone()
        } else {
            client::to(&settings.public_endpoint, settings)
        };
        Self { client, signer, bucket: settings.bucket.clone(), location: client::location(settings) }
    }

    /// Answers whether the bucket is there and may be used; creates nothing.
    pub async fn ready(&self) -> Result<(), BlobError> {
        let request = self.client.head_bucket().bucket(&self.bucket);
        let answer = observed("head_bucket", "", request.send()).await;
        answer.map(drop).map_err(|error| BlobError::of_bucket(&self.bucket, error))
    }

    /// Creates the bucket unless it is there already.
    pub async fn create_bucket(&self) -> Result<(), BlobError> {
        let location = self
            .location
            .clone()
            .map(|constraint| CreateBucketConfiguration::builder().location_constraint(constraint).build());
        let request = self.client.create_bucket().bucket(&self.bucket);
        let request = request.set_create_bucket_configuration(location);
        match observed("create_bucket", "", request.send()).await {
            Ok(_) => Ok(()),
            // 409 is also what a bucket of somebody else answers, and then we may not use it.
            Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 409) => self.ready().await,
            Err(error) => Err(BlobError::of_bucket(&self.bucket, error)),
        }
    }

    /// Writes a blob that will never change, to be cached for a year by whoever reads it. That the key is used for
    /// these bytes alone is the caller's promise; writing them again does no harm.
    pub async fn put(&self, key: &str, bytes: Bytes, media_type: &str) -> Result<Blob, BlobError> {
        let sha256 = sha256(&bytes);
        self.store(key, bytes, sha256, media_type, IMMUTABLE).await
    }

    /// The same of bytes whose SHA-256 is known, which is not computed again. The store refuses them if it is another.
    pub async fn put_hashed(
        &self,
        key: &str,
        bytes: Bytes,
        sha256: String,
        media_type: &str,
    ) -> Result<Blob, BlobError> {
        self.store(key, bytes, sha256, media_type, IMMUTABLE).await
    }

    /// Writes what will be written again under the same key; readers ask for it every time.
    pub async fn put_mutable(&self, key: &str, bytes: Bytes, media_type: &str) -> Result<Blob, BlobError> {
        let sha256 = sha256(&bytes);
        self.store(key, bytes, sha256, media_type, MUTABLE).await
    }

    /// Writes a file of a site, which has a path that stays and bytes that change, as it is to be served. Its SHA-256 is kept
    /// with it ([`Head::sha256`]).
    pub async fn put_served(&self, key: &str, bytes: Bytes, served: Served<'_>) -> Result<(), BlobError> {
        key::check_served(key)?;
        let sha256 = sha256(&bytes);
        let signed = SignedAs::new(&sha256);
        let request = self.client.put_object().bucket(&self.bucket).key(key).metadata(SHA256, sha256);
        let request = request.content_type(served.media_type).cache_control(served.cache_control);
        let request = request.body(ByteStream::from(bytes)).customize().interceptor(signed);
        let answer = observed("put", key, request.send()).await;
        answer.map(drop).map_err(|error| BlobError::of(&self.bucket, key, error))
    }

    /// What lies under the key, if anything does.
    pub async fn head(&self, key: &str) -> Result<Option<Head>, BlobError> {
        key::check_served(key)?;
        let request = self.client.head_object().bucket(&self.bucket).key(key);
        let head = match observed("head", key, request.send()).await {
            Ok(head) => head,
            Err(error) => return BlobError::of(&self.bucket, key, error).none_if_not_found(),
        };
        Ok(Some(Head {
            length: length(head.content_length()),
            media_type: head.content_type().unwrap_or("application/octet-stream").to_owned(),
            etag: head.e_tag().map(str::to_owned),
            sha256: head.metadata().and_then(|metadata| metadata.get(SHA256)).cloned(),
        }))
    }

    /// Copies inside the store, without the bytes passing through this process, to a key that will never change: what
    /// was read with this tag ([`Download::etag`]). Answers whether that is what was copied. If not, since it has been
    /// written again or the store's tags say nothing of the content, another blob may lie under the target by now.
    pub async fn copy(&self, from: &str, etag: &str, to: &str, media_type: &str) -> Result<bool, BlobError> {
        key::check(from)?;
        key::check(to)?;
        let source = format!("{}/{}", self.bucket, crate::percent::encode_path(from));
        let request = self.client.copy_object().bucket(&self.bucket).copy_source(source).key(to);
        let request = request.copy_source_if_match(etag);
        // Without `replace` the copy would inherit the headers of an upload, which are those of the uploader.
        let request = request.metadata_directive(MetadataDirective::Replace);
        let request = request.content_type(media_type).cache_control(IMMUTABLE);
        let copied = match observed("copy", to, request.send()).await {
            Ok(copied) => copied,
            Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 412) => return Ok(false),
            Err(error) => return Err(BlobError::of(&self.bucket, from, error)),
        };
        Ok(copied.copy_object_result().and_then(|result| result.e_tag()) == Some(etag))
    }

    /// The keys that start with the prefix (empty for all), a page at a time: `None` asks for the first.
    pub async fn page(&self, prefix: &str, continuation: Option<String>) -> Result<Page, BlobError> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let answer = observed("list", prefix, request.set_continuation_token(continuation).send()).await;
        let page = answer.map_err(|error| BlobError::of_bucket(&self.bucket, error))?;
        let entries = page.contents().iter().filter_map(|object| {
            let key = object.key()?.to_owned();
            let modified = object.last_modified().and_then(|at| OffsetDateTime::from_unix_timestamp(at.secs()).ok());
            let etag = object.e_tag().map(|etag| etag.trim_matches('"').to_owned());
            Some(Entry { key, length: length(object.size()), modified, etag })
        });
        Ok(Page { entries: entries.collect(), next: page.next_continuation_token().map(str::to_owned) })
    }

    /// Removes what lies under the key; fine when nothing does.
    pub async fn delete(&self, key: &str) -> Result<(), BlobError> {
        key::check_served(key)?;
        let request = self.client.delete_object().bucket(&self.bucket).key(key);
        match observed("delete", key, request.send()).await {
            Ok(_) => Ok(()),
            Err(error) => BlobError::of(&self.bucket, key, error).none_if_not_found::<()>().map(|_| ()),
        }
    }

    async fn store(
        &self,
        key: &str,
        bytes: Bytes,
        sha256: String,
        media_type: &str,
        cache: &str,
    ) -> Result<Blob, BlobError> {
        key::check(key)?;
        let signed = SignedAs::new(&sha256);
        let blob = Blob { key: key.to_owned(), sha256, media_type: media_type.to_owned(), length: bytes.len() as u64 };
        let request = self.client.put_object().bucket(&self.bucket).key(key);
        let request = request.content_type(media_type).cache_control(cache).body(ByteStream::from(bytes));
        let answer = observed("put", key, request.customize().interceptor(signed).send()).await;
        answer.map(|_| blob).map_err(|error| BlobError::of(&self.bucket, key, error))
    }
}

/// SHA-256 of these bytes as blobs are named by it: 64 hex digits in lower case.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(digest: &[u8]) -> String {
    format!("{:x}", Bytes::copy_from_slice(digest))
}

/// A store that leaves a length out or sends a negative one holds nothing we could read.
fn length(of: Option<i64>) -> u64 {
    of.and_then(|length| u64::try_from(length).ok()).unwrap_or(0)
}
