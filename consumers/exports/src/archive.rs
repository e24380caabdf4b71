//! A ZIP on its way to the bucket. What comes is sent on, so that it is never in memory, nor is any file of it: of a picture
//! only its CRC is kept, four bytes. All else that the directory says of it follows from the log.

use anyhow::ensure;
use atelier_events::blobs::{Blob, Blobs, Upload};
use bytes::Bytes;

use crate::zip::{Directory, File, Sum};

/// A ZIP whose files are stored as they are.
pub(crate) struct Archive {
    upload: Upload,
    /// Bytes so far.
    length: u64,
    /// Of the file that is being written.
    crc32: crc32fast::Hasher,
    begun_at: u64,
}

impl Archive {
    /// Begins a ZIP under a key, of about so many bytes, or goes on with one that was begun. It becomes visible with
    /// [`Archive::finish`].
    pub(crate) async fn begin(blobs: &Blobs, key: &str, expected: u64) -> anyhow::Result<Self> {
        let upload = blobs.resume_upload(key, "application/zip", expected).await?;
        Ok(Self { upload, length: 0, crc32: crc32fast::Hasher::new(), begun_at: 0 })
    }

    /// Begins a file; what is written from now on is its content.
    pub(crate) async fn start(&mut self, file: &File<'_>) -> anyhow::Result<()> {
        self.send(file.header()).await?;
        self.begun_at = self.length;
        self.crc32 = crc32fast::Hasher::new();
        Ok(())
    }

    /// Adds to the file. Waits when the store is slower than who writes.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> anyhow::Result<()> {
        self.crc32.update(&bytes);
        self.send(bytes).await
    }

    /// Ends the file.
    pub(crate) async fn end(&mut self, file: &File<'_>) -> anyhow::Result<Sum> {
        let crc32 = std::mem::take(&mut self.crc32).finalize();
        let sum = Sum { length: self.length - self.begun_at, crc32 };
        self.send(file.descriptor(sum)?).await?;
        Ok(sum)
    }

    /// A file as a whole.
    pub(crate) async fn add(&mut self, file: &File<'_>, content: String) -> anyhow::Result<Sum> {
        self.start(file).await?;
        self.write(content.into()).await?;
        self.end(file).await
    }

    /// The entry of a file in the directory: of all files, in the order they were written, when all were.
    pub(crate) async fn enter(&mut self, directory: &mut Directory, file: &File<'_>, sum: Sum) -> anyhow::Result<()> {
        self.send(directory.entry(file, sum)?).await
    }

    /// Ends the ZIP and makes it visible.
    pub(crate) async fn finish(mut self, directory: &Directory, begins_at: u64) -> anyhow::Result<Blob> {
        let said = directory.begins_at();
        ensure!(said == begins_at, "the directory says that it begins at {said}, and it begins at {begins_at}");
        self.send(directory.end()).await?;
        Ok(self.upload.finish().await?)
    }

    /// Bytes so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    async fn send(&mut self, bytes: impl Into<Bytes>) -> anyhow::Result<()> {
        let bytes = bytes.into();
        self.length += bytes.len() as u64;
        Ok(self.upload.write(bytes).await?)
    }
}
