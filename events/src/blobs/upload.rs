use std::mem;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tracing::Instrument;

use super::unfinished::SentBefore;
use super::{Blob, BlobError, Blobs, IMMUTABLE, MUTABLE, hex, key, observed};

/// Length of a part in bytes, where nobody said how many would come. All but the last are of the same length, as R2 demands.
pub const PART_BYTES: usize = 8 * 1024 * 1024;

/// Number of parts that S3 allows, so that an upload ends at 78 GiB where nobody said that more would come.
pub const MAX_PARTS: i32 = 10_000;

/// The shortest part that S3 allows, in bytes; only the last of an upload may be shorter.
pub const MIN_PART_BYTES: usize = 5 * 1024 * 1024;

/// Parts that are longer than [`MIN_PART_BYTES`] are so by whole steps of this.
const PART_STEP: usize = 1024 * 1024;

/// Two keep the line busy while the next part is filled; each more would only cost memory.
const PARTS_IN_FLIGHT: usize = 2;

/// A blob of unknown length on its way to the store, immutable as one of [`Blobs::put`] unless it was begun as another.
///
/// It becomes visible under its key by [`Upload::finish`] and not before. Dropped before that, it is aborted in the
/// background; after a crash its parts stay until `atelier sweep` or the store's own sweep, which the embedded server does
/// at its start and other stores by a lifecycle rule for incomplete multipart uploads (R2 has one for seven days by default).
#[derive(Debug)]
pub struct Upload {
    blobs: Blobs,
    key: String,
    media_type: String,
    cache_control: &'static str,
    sha256: Sha256,
    length: u64,
    filling: BytesMut,
    part_bytes: usize,
    /// What an earlier try has sent of it, where this is one that is gone on with: it is not aborted when it is dropped.
    before: Option<SentBefore>,
    /// None until the first part is full: a short blob is put in one request.
    parts: Option<Parts>,
}

#[derive(Debug)]
struct Parts {
    upload_id: String,
    /// Number of the last part that was sent off.
    last: i32,
    /// Each with the bytes it has sent.
    in_flight: JoinSet<Result<(CompletedPart, Bytes), BlobError>>,
    in_flight_limit: usize,
    /// Buffers of parts that were sent, for those to come: one allocated for each part anew is memory that the allocator
    /// does not give back at once.
    spare: Vec<BytesMut>,
    done: Vec<CompletedPart>,
    /// Bytes in the parts sent off.
    sent: u64,
}

impl Blobs {
    /// Begins a blob whose length is not known yet. Nothing is sent before the first part is full.
    pub fn upload(&self, key: &str, media_type: &str) -> Result<Upload, BlobError> {
        key::check_upload(key)?;
        Ok(Upload {
            blobs: self.clone(),
            key: key.to_owned(),
            media_type: media_type.to_owned(),
            cache_control: IMMUTABLE,
            sha256: Sha256::new(),
            length: 0,
            filling: BytesMut::new(),
            part_bytes: PART_BYTES,
            before: None,
            parts: None,
        })
    }

    /// Begins one that will be written again under the same key, as [`Blobs::put_mutable`] does: until it is finished, what was
    /// there before is there.
    pub fn upload_mutable(&self, key: &str, media_type: &str) -> Result<Upload, BlobError> {
        let mut upload = self.upload(key, media_type)?;
        upload.cache_control = MUTABLE;
        Ok(upload)
    }

    /// Begins a blob whose bytes are the same each time it is tried, of about `expected` bytes, or goes on with it: a part
    /// that an earlier try has sent, and of which the store has the same bytes by their MD5, is not sent again. Dropping it
    /// leaves its parts to the next try. Its parts are as short as that many bytes allow, so that it needs little memory;
    /// where they are longer than [`PART_BYTES`], beyond 78 GiB, one fewer is on its way at a time.
    pub async fn resume_upload(&self, key: &str, media_type: &str, expected: u64) -> Result<Upload, BlobError> {
        let mut upload = self.upload(key, media_type)?;
        upload.before = Some(self.sent_before(key).await?);
        let least = expected.div_ceil(u64::from(MAX_PARTS.unsigned_abs()));
        let least = usize::try_from(least).unwrap_or(usize::MAX);
        upload.part_bytes = least.max(MIN_PART_BYTES).next_multiple_of(PART_STEP);
        Ok(upload)
    }
}

impl Upload {
    /// Adds bytes at the end. Waits while two parts are on their way and a third is full, so that whoever fills it is
    /// held to the speed of the line. After an error, or when this was
    /// not awaited to its end, bytes are missing: the upload is over and will not finish.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), BlobError> {
        self.sha256.update(&bytes);
        self.length += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.filling.capacity() == 0 {
                let spare = self.parts.as_mut().and_then(|parts| parts.spare.pop());
                self.filling = spare.unwrap_or_else(|| BytesMut::with_capacity(self.part_bytes));
            }
            let fits = bytes.len().min(self.part_bytes - self.filling.len());
            self.filling.extend_from_slice(&bytes.split_to(fits));
            if self.filling.len() == self.part_bytes {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    /// Sends what is left and makes the blob visible under its key, whole.
    pub async fn finish(mut self) -> Result<Blob, BlobError> {
        let sent = self.parts.as_ref().map_or(0, |parts| parts.sent);
        if sent + self.filling.len() as u64 != self.length {
            let reason = "bytes are missing, a write failed or was broken off".to_owned();
            return Err(BlobError::Invalid { key: mem::take(&mut self.key), reason });
        }
        if self.parts.is_none() {
            let bytes = mem::take(&mut self.filling).freeze();
            let sha256 = hex(&mem::take(&mut self.sha256).finalize());
            return self.blobs.store(&self.key, bytes, sha256, &self.media_type, self.cache_control).await;
        }
        if !self.filling.is_empty() {
            self.send_part().await?;
        }
        self.complete().await?;
        // Complete: there is nothing left for the drop to abort.
        self.parts = None;
        Ok(Blob {
            key: mem::take(&mut self.key),
            sha256: hex(&mem::take(&mut self.sha256).finalize()),
            media_type: mem::take(&mut self.media_type),
            length: self.length,
        })
    }

    /// Gives the upload up; nothing of it stays in the store. Dropping does the same without telling how it went.
    pub async fn abort(mut self) -> Result<(), BlobError> {
        match self.parts.take() {
            Some(parts) => parts.abort(&self.blobs, &self.key).await,
            None => Ok(()),
        }
    }

    async fn send_part(&mut self) -> Result<(), BlobError> {
        let part = mem::take(&mut self.filling).freeze();
        if self.parts.is_none() {
            let begun_before = self.before.as_ref().and_then(|before| before.upload_id.clone());
            let upload_id = match begun_before {
                Some(upload_id) => upload_id,
                None => self.begin().await?,
            };
            let in_flight_limit = if self.part_bytes > PART_BYTES { 1 } else { PARTS_IN_FLIGHT };
            self.parts = Some(Parts::of(upload_id, in_flight_limit));
        }
        // Lent and not taken: were this future dropped while it waits, the drop must still find what to abort.
        let parts = self.parts.as_mut().expect("begun above");
        if let Some(before) = &self.before
            && let Some(e_tag) = before.e_tag(parts.last + 1, &part)
        {
            parts.take_as_sent(e_tag, part);
            return Ok(());
        }
        parts.send(&self.blobs, &self.key, part).await
    }

    async fn begin(&self) -> Result<String, BlobError> {
        let Self { blobs, key, .. } = self;
        let request = blobs.client.create_multipart_upload().bucket(&blobs.bucket).key(key);
        let request = request.content_type(&self.media_type).cache_control(self.cache_control);
        let answer = observed("begin_upload", key, request.send()).await;
        let begun = answer.map_err(|error| BlobError::of(&blobs.bucket, key, error))?;
        // A store that names no upload will refuse its first part.
        Ok(begun.upload_id().unwrap_or_default().to_owned())
    }

    async fn complete(&mut self) -> Result<(), BlobError> {
        let Self { blobs, key, parts: Some(parts), .. } = self else {
            return Ok(());
        };
        while parts.settle_one().await? {}
        parts.done.sort_by_key(CompletedPart::part_number);
        let whole = CompletedMultipartUpload::builder().set_parts(Some(parts.done.clone())).build();
        let request = blobs.client.complete_multipart_upload().bucket(&blobs.bucket).key(&*key);
        let request = request.upload_id(&parts.upload_id).multipart_upload(whole);
        let answer = observed("complete_upload", key, request.send()).await;
        answer.map(drop).map_err(|error| BlobError::of(&blobs.bucket, key, error))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (Some(parts), None, Ok(runtime)) = (self.parts.take(), &self.before, Handle::try_current()) else {
            return;
        };
        let (blobs, key) = (self.blobs.clone(), mem::take(&mut self.key));
        runtime.spawn(async move {
            if let Err(error) = parts.abort(&blobs, &key).await {
                tracing::warn!(
                    blob.key = key,
                    error = &error as &dyn std::error::Error,
                    "an upload could not be aborted"
                );
            }
        });
    }
}

impl Parts {
    fn of(upload_id: String, in_flight_limit: usize) -> Self {
        let (in_flight, spare, done) = (JoinSet::new(), Vec::new(), Vec::new());
        Self { upload_id, last: 0, in_flight, in_flight_limit, spare, done, sent: 0 }
    }

    /// Counts a part as sent that the store has already.
    fn take_as_sent(&mut self, e_tag: String, part: Bytes) {
        self.last += 1;
        self.sent += part.len() as u64;
        self.done.push(CompletedPart::builder().part_number(self.last).e_tag(e_tag).build());
        self.take_back(part);
    }

    /// Keeps a part's buffer for another part, unless somebody still reads it.
    fn take_back(&mut self, part: Bytes) {
        if let Ok(mut buffer) = part.try_into_mut() {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    async fn send(&mut self, blobs: &Blobs, key: &str, part: Bytes) -> Result<(), BlobError> {
        if self.last == MAX_PARTS {
            let limit = part.len() as u64 * u64::from(MAX_PARTS.unsigned_abs());
            return Err(BlobError::TooLarge { key: key.to_owned(), limit });
        }
        while self.in_flight.len() >= self.in_flight_limit {
            self.settle_one().await?;
        }
        self.last += 1;
        self.sent += part.len() as u64;
        let number = self.last;
        let request = blobs.client.upload_part().bucket(&blobs.bucket).key(key).upload_id(&self.upload_id);
        let request = request.part_number(number).body(ByteStream::from(part.clone()));
        let (bucket, key) = (blobs.bucket.clone(), key.to_owned());
        let sending = async move {
            let sent = observed("put_part", &key, request.send()).await;
            let sent = sent.map_err(|error| BlobError::of(&bucket, &key, error))?;
            Ok((CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build(), part))
        };
        self.in_flight.spawn(sending.in_current_span());
        Ok(())
    }

    /// Waits for one part that is on its way; answers whether there was any.
    async fn settle_one(&mut self) -> Result<bool, BlobError> {
        let Some(ended) = self.in_flight.join_next().await else {
            return Ok(false);
        };
        // It is never cancelled while we wait for it, so it can only have panicked, and so do we then.
        let (done, part) = ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        self.done.push(done);
        self.take_back(part);
        Ok(true)
    }

    async fn abort(mut self, blobs: &Blobs, key: &str) -> Result<(), BlobError> {
        // A part that the store gets to after the abort would stay there, and a request that was cut off may still be
        // carried out. So those under way come to their end first.
        while self.in_flight.join_next().await.is_some() {}
        blobs.abort_upload(key, &self.upload_id).await
    }
}
