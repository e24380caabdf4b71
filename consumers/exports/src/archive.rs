//! A ZIP on its way to the bucket. What the ZIP's writer makes of a piece is taken from it and sent on before the next
//! piece is given to it: the archive is never in memory, nor is any file of it. Only its directory is, some hundred
//! bytes a file, since that comes last.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use atelier_events::blobs::{Blob, Blobs, Upload};
use bytes::Bytes;
use time::OffsetDateTime;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A ZIP64 whose files are stored as they are.
pub(crate) struct Archive {
    zip: ZipWriter<StreamWriter<Spool>>,
    spool: Spool,
    upload: Upload,
}

/// Where the ZIP's writer, which lends nothing of what it was given, leaves its bytes.
#[derive(Clone, Default)]
struct Spool(Arc<Mutex<Vec<u8>>>);

impl Spool {
    fn take(&self) -> Bytes {
        Bytes::from(mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Archive {
    /// Begins a ZIP under a key. It becomes visible with [`Archive::finish`]; dropped before, nothing stays of it.
    pub(crate) fn begin(blobs: &Blobs, key: &str) -> anyhow::Result<Self> {
        let spool = Spool::default();
        let upload = blobs.upload(key, "application/zip")?;
        Ok(Self { zip: ZipWriter::new_stream(spool.clone()), spool, upload })
    }

    /// Begins a file; what is written from now on is its content.
    pub(crate) async fn start(&mut self, name: &str, time: OffsetDateTime) -> anyhow::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(dos_time(time))
            .unix_permissions(0o644)
            // How long a file is, is known when it has been written; its header comes before.
            .large_file(true);
        self.zip.start_file(name, options)?;
        self.send().await
    }

    /// Adds to the file. Waits when the store is slower than the writer.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.zip.write_all(bytes)?;
        self.send().await
    }

    /// Writes the ZIP's directory and makes it visible.
    pub(crate) async fn finish(mut self) -> anyhow::Result<Blob> {
        // `finish` would give the writer back, which is only another handle of the spool.
        drop(self.zip.finish()?);
        self.upload.write(self.spool.take()).await?;
        Ok(self.upload.finish().await?)
    }

    async fn send(&mut self) -> anyhow::Result<()> {
        Ok(self.upload.write(self.spool.take()).await?)
    }
}

/// A ZIP knows the years 1980 to 2107, in steps of two seconds and without a zone; UTC is meant.
fn dos_time(time: OffsetDateTime) -> DateTime {
    let time = time.to_offset(time::UtcOffset::UTC);
    let year = u16::try_from(time.year()).unwrap_or_default();
    let at =
        DateTime::from_date_and_time(year, time.month().into(), time.day(), time.hour(), time.minute(), time.second());
    at.unwrap_or_default()
}
