use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use super::{BlobError, Blobs, hex, observed};

/// A blob on its way here, piece by piece. Reading slowly slows the store down; dropping it ends the transfer.
#[derive(Debug)]
pub struct Download {
    key: String,
    /// As the store has announced it.
    length: u64,
    etag: Option<String>,
    body: ByteStream,
}

impl Download {
    /// The store's own tag of the content, quotes included; none where it does not tell.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// The next bytes, of whatever number came; `None` after the last.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BlobError> {
        let next = self.body.next().await.transpose();
        next.map_err(|error| BlobError::broken_off(&self.key, error))
    }

    /// All of it. Stops with [`BlobError::TooLarge`] as soon as more than `limit` bytes came, whatever the store had
    /// announced.
    pub async fn whole(mut self, limit: u64) -> Result<Bytes, BlobError> {
        let mut bytes = BytesMut::with_capacity(usize::try_from(self.length.min(limit)).unwrap_or(0));
        while let Some(chunk) = self.chunk().await? {
            if (bytes.len() + chunk.len()) as u64 > limit {
                return Err(BlobError::TooLarge { key: self.key, limit });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }
}

impl Blobs {
    /// Starts to read a blob of any length.
    pub async fn stream(&self, key: &str) -> Result<Download, BlobError> {
        self.stream_from(key, 0).await
    }

    /// Starts to read it behind so many bytes: goes on where a transfer broke off.
    pub async fn stream_from(&self, key: &str, skipped: u64) -> Result<Download, BlobError> {
        super::key::check(key)?;
        let range = (skipped > 0).then(|| format!("bytes={skipped}-"));
        let request = self.client.get_object().bucket(&self.bucket).key(key).set_range(range);
        let answer = observed("get", key, request.send()).await;
        let answer = answer.map_err(|error| BlobError::of(&self.bucket, key, error))?;
        let length = super::length(answer.content_length);
        Ok(Download { key: key.to_owned(), length, etag: answer.e_tag, body: answer.body })
    }

    /// Reads a blob whole, see [`Download::whole`].
    pub async fn get(&self, key: &str, limit: u64) -> Result<Bytes, BlobError> {
        self.stream(key).await?.whole(limit).await
    }

    /// SHA-256 (64 hex digits in lower case) and length of what really lies under the key, read through once.
    pub async fn digest(&self, key: &str) -> Result<Option<(String, u64)>, BlobError> {
        let mut download = match self.stream(key).await {
            Ok(download) => download,
            Err(error) => return error.none_if_not_found(),
        };
        let mut sha256 = Sha256::new();
        let mut length = 0;
        while let Some(chunk) = download.chunk().await? {
            sha256.update(&chunk);
            length += chunk.len() as u64;
        }
        Ok(Some((hex(&sha256.finalize()), length)))
    }
}
