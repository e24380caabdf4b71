//! Pictures on their way from the bucket, ahead of who packs them: while one is packed the next are fetched and summed, so
//! that neither the store's latency nor the digests of many small pictures are waited for.

use std::collections::VecDeque;
use std::sync::Arc;

use atelier_events::{Blob, BlobError, Blobs, Log};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use crate::contents::{Order, Picture, Turn, Turns};
use crate::pack::Absent;

/// Pictures that are fetched at the same time, the one that is packed included.
const FETCHED: usize = 4;

/// What of each may wait for its turn, in bytes: the memory that fetching ahead costs is four times this.
const WAITING_BYTES: usize = 512 << 10;

/// How often a picture is gone on with whose transfer broke off.
const CONTINUATIONS: u32 = 3;

/// A piece of a picture.
pub(crate) enum Piece {
    /// Some bytes, which count as waiting until this is dropped.
    Bytes {
        bytes: Bytes,
        _waiting: Option<OwnedSemaphorePermit>,
    },
    /// All have come; whether they are what the event says.
    End {
        is_same: bool,
    },
    /// The bucket has no such picture.
    NotThere(String),
    Failed(BlobError),
}

/// A picture that is being fetched.
pub(crate) struct Fetching {
    pieces: mpsc::Receiver<Piece>,
    _task: AbortOnDropHandle<()>,
}

impl Fetching {
    /// The next piece; none when the fetching ended without a word, which it does not.
    pub(crate) async fn next(&mut self) -> Option<Piece> {
        self.pieces.recv().await
    }
}

/// The pictures of an order, fetched ahead.
pub(crate) struct Ahead<'a> {
    blobs: &'a Blobs,
    turns: Turns<'a>,
    /// Read and not yet begun.
    waiting: VecDeque<Turn>,
    fetched: VecDeque<(Box<Picture>, Fetching)>,
}

impl<'a> Ahead<'a> {
    pub(crate) fn of(log: &'a Log, blobs: &'a Blobs, order: &'a Order) -> Self {
        Self { blobs, turns: Turns::of(log, order), waiting: VecDeque::new(), fetched: VecDeque::new() }
    }

    /// The next one; those that are absent are left out, as is what has no such file.
    pub(crate) async fn next(&mut self, absent: &Absent) -> anyhow::Result<Option<(Box<Picture>, Fetching)>> {
        while self.fetched.len() < FETCHED {
            let Some(turn) = self.waiting.pop_front() else {
                let Some(batch) = self.turns.next().await? else { break };
                self.waiting.extend(batch);
                continue;
            };
            let Turn::Picture(picture) = turn else { continue };
            if !absent.contains_key(&picture.variant().id) {
                let fetching = fetch(self.blobs.clone(), picture.blob.clone());
                self.fetched.push_back((picture, fetching));
            }
        }
        Ok(self.fetched.pop_front())
    }
}

fn fetch(blobs: Blobs, blob: Blob) -> Fetching {
    let (sender, pieces) = mpsc::channel(WAITING_BYTES / 4_096);
    let task = tokio::spawn(async move {
        let last = match send(&blobs, &blob, &sender).await {
            Ok(piece) => piece,
            Err(gone @ BlobError::NotFound { .. }) => Piece::NotThere(gone.to_string()),
            Err(error) => Piece::Failed(error),
        };
        // Nobody waits for it when the pass was given up.
        drop(sender.send(last).await);
    });
    Fetching { pieces, _task: AbortOnDropHandle::new(task) }
}

/// Sends all bytes, and answers what to say in the end.
async fn send(blobs: &Blobs, blob: &Blob, sender: &mpsc::Sender<Piece>) -> Result<Piece, BlobError> {
    let room = Arc::new(Semaphore::new(WAITING_BYTES));
    let (mut sha256, mut length, mut continuations) = (Sha256::new(), 0, 0);
    let mut download = blobs.stream(&blob.key).await?;
    loop {
        let bytes = match download.chunk().await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => break,
            Err(error) if error.is_transient() && continuations < CONTINUATIONS => {
                continuations += 1;
                tracing::debug!(error = &error as &dyn std::error::Error, "a transfer broke off; going on with it");
                download = blobs.stream_from(&blob.key, length).await?;
                continue;
            }
            Err(error) => return Err(error),
        };
        sha256.update(&bytes);
        length += bytes.len() as u64;
        let permits = u32::try_from(bytes.len().min(WAITING_BYTES)).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let waiting = Arc::clone(&room).acquire_many_owned(permits).await.ok();
        if sender.send(Piece::Bytes { bytes, _waiting: waiting }).await.is_err() {
            break;
        }
    }
    let sha256 = format!("{:x}", Bytes::copy_from_slice(&sha256.finalize()));
    Ok(Piece::End { is_same: length == blob.length && sha256 == blob.sha256 })
}
