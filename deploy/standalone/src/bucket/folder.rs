//! What `s3s-fs` keeps in a folder, made to last.
//!
//! `s3s-fs` writes to a temporary file and renames it, so a reader or a crash of the process never sees half a blob.
//! It stops short of four things that are done here:
//! - it leaves the bytes in the system's cache. The log's events are on the disk when they are acknowledged, and must
//!   not name blobs that a loss of power has emptied: a write is answered when the file, the two files with its
//!   headers and tags, and the folders that list them are on the disk too;
//! - it copies straight into the target, so that a second copy to the same key empties the file under its readers, and
//!   whatever lies there then under the tag that it has read before. Here it copies to a place aside, and what it copied is
//!   moved to the target if the source is still what it was;
//! - it forgets to delete the files with the headers;
//! - it reads 4 KiB at a time, each by another thread, which costs more than all else that is done about a picture but
//!   cutting it.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CopyObjectInput, CopyObjectOutput, CopySource, CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, GetObjectInput, GetObjectOutput,
    HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput,
    ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput,
    ListPartsOutput, PutObjectInput, PutObjectOutput, Range, StreamingBlob, Timestamp, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::uploads;

/// Bytes of a blob that are read at a time.
const PIECE_BYTES: usize = 256 << 10;

/// How the files begin that `s3s-fs` writes beside the buckets, and removes at its start if a crash has left them.
const ASIDE: &str = ".tmp.";

/// Whether this is a sidecar of a blob that lay aside when the process ended.
pub(super) fn is_left_aside(name: &str) -> bool {
    let key = name.strip_prefix(".bucket-").and_then(|name| name.split_once(".object-")?.1.split_once('.'));
    key.and_then(|(key, _)| BASE64_URL_SAFE_NO_PAD.decode(key).ok())
        .is_some_and(|key| key.starts_with(format!("../{ASIDE}").as_bytes()))
}

/// A folder of buckets.
#[derive(Debug)]
pub(super) struct Folder {
    files: FileSystem,
    root: PathBuf,
}

impl Folder {
    /// Opens a folder that exists.
    pub(super) fn open(root: &Path) -> anyhow::Result<Self> {
        // Its error is not a `std::error::Error`.
        let files = FileSystem::new(root).map_err(|error| anyhow::anyhow!("{error:?}"));
        let files = files.with_context(|| format!("cannot open the bucket folder {}", root.display()))?;
        Ok(Self { files, root: root.to_owned() })
    }

    /// `s3s-fs` would create the folder of a bucket in passing.
    fn check_bucket(&self, bucket: &str) -> S3Result<()> {
        if self.root.join(bucket).is_dir() { Ok(()) } else { Err(s3_error!(NoSuchBucket)) }
    }

    /// Waits until the blob and all that belongs to it are on the disk.
    async fn settle(&self, bucket: &str, key: &str) -> S3Result<()> {
        let blob = self.root.join(bucket).join(key);
        let mut files = vec![blob.clone()];
        files.extend(self.sidecars(bucket, key));
        // A folder that was created for this blob is listed in the one above, and so on up to the root.
        let folders = blob.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root));
        files.extend(folders.map(Path::to_owned));
        off_the_runtime(move || {
            files.iter().try_for_each(|path| unless_gone(File::open(path).and_then(|file| file.sync_all())))
        })
        .await
    }

    /// Where `s3s-fs` keeps a blob's headers and its tags: beside the bucket, named after bucket and key.
    fn sidecars(&self, bucket: &str, key: &str) -> [PathBuf; 2] {
        let encode = |text| BASE64_URL_SAFE_NO_PAD.encode(text);
        let name = format!(".bucket-{}.object-{}", encode(bucket), encode(key));
        ["metadata", "internal"].map(|kind| self.root.join(format!("{name}.{kind}.json")))
    }
}

#[async_trait::async_trait]
impl S3 for Folder {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.files.create_bucket(req).await
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.files.head_bucket(req).await
    }

    async fn list_buckets(&self, req: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        self.files.list_buckets(req).await
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.files.list_objects_v2(req).await
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.files.head_object(req).await
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let GetObjectInput { bucket, key, range, .. } = &req.input;
        let (path, range) = (self.root.join(bucket).join(key), *range);
        let mut answer = self.files.get_object(req).await?;
        match in_large_pieces(&path, range, &answer.output).await {
            Some(body) => answer.output.body = Some(body),
            // The tag is read after the file was opened, so it may be that of the other one.
            None => answer.output.e_tag = None,
        }
        Ok(answer)
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        self.check_bucket(&bucket)?;
        let answer = self.files.put_object(req).await?;
        self.settle(&bucket, &key).await?;
        Ok(answer)
    }

    async fn copy_object(&self, mut req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let CopySource::Bucket { bucket, key, .. } = &req.input.copy_source else {
            return Err(s3_error!(NotImplemented));
        };
        let (source, [_, tag]) = (self.root.join(&**bucket).join(&**key), self.sidecars(bucket, key));
        let is_conditional = req.input.copy_source_if_match.is_some();
        let conflict = || {
            if is_conditional {
                return s3_error!(PreconditionFailed);
            }
            s3_error!(OperationAborted, "the source is written again meanwhile")
        };
        let look = || {
            let (source, tag) = (source.clone(), tag.clone());
            off_the_runtime(move || Tagged::look(&source, &tag))
        };
        let Some(before) = look().await? else { return Err(conflict()) };
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        self.check_bucket(&bucket)?;
        let name = format!("{ASIDE}{}.internal.part", Uuid::new_v4());
        req.input.key = format!("../{name}");
        let aside = Aside { blob: self.root.join(&name), sidecars: self.sidecars(&bucket, &req.input.key) };
        let answer = self.files.copy_object(req).await?;
        if look().await? != Some(before) {
            return Err(conflict());
        }
        let (blob, sidecars) = (self.root.join(&bucket).join(&key), self.sidecars(&bucket, &key));
        off_the_runtime(move || aside.take_place(&blob, &sidecars)).await?;
        self.settle(&bucket, &key).await?;
        Ok(answer)
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let sidecars = self.sidecars(&req.input.bucket, &req.input.key);
        let answer = self.files.delete_object(req).await?;
        off_the_runtime(move || sidecars.iter().try_for_each(|path| unless_gone(std::fs::remove_file(path)))).await?;
        Ok(answer)
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.check_bucket(&req.input.bucket)?;
        self.files.create_multipart_upload(req).await
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.files.upload_part(req).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        let answer = self.files.complete_multipart_upload(req).await?;
        self.settle(&bucket, &key).await?;
        Ok(answer)
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let ListMultipartUploadsInput { bucket, prefix, .. } = req.input;
        self.check_bucket(&bucket)?;
        let (root, prefix) = (self.root.clone(), prefix.unwrap_or_default());
        let found = off_the_runtime(move || uploads::unfinished(&root, &bucket, &prefix)).await?;
        Ok(S3Response::new(ListMultipartUploadsOutput { uploads: Some(found), ..Default::default() }))
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let ListPartsInput { bucket, key, upload_id, part_number_marker, .. } = req.input;
        if !self.root.join(format!(".upload-{upload_id}.json")).exists() {
            return Err(s3_error!(NoSuchUpload));
        }
        let (root, id) = (self.root.clone(), upload_id.clone());
        let page = off_the_runtime(move || uploads::parts(&root, &id, part_number_marker.unwrap_or(0))).await?;
        let (bucket, key, upload_id) = (Some(bucket), Some(key), Some(upload_id));
        Ok(S3Response::new(ListPartsOutput { bucket, key, upload_id, ..page }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.files.abort_multipart_upload(req).await
    }
}

/// The bytes of an answer; none if another file has come to lie there since it was made.
async fn in_large_pieces(path: &Path, range: Option<Range>, answer: &GetObjectOutput) -> Option<StreamingBlob> {
    let mut file = tokio::fs::File::open(path).await.ok()?;
    let metadata = file.metadata().await.ok()?;
    let modified = Timestamp::from(metadata.modified().ok()?);
    let length = u64::try_from(answer.content_length?).ok()?;
    let first = match range {
        None => 0,
        Some(Range::Int { first, .. }) => first,
        Some(Range::Suffix { .. }) => metadata.len().checked_sub(length)?,
    };
    if answer.last_modified.as_ref() != Some(&modified) || first.checked_add(length)? > metadata.len() {
        return None;
    }
    file.set_max_buf_size(PIECE_BYTES);
    file.seek(io::SeekFrom::Start(first)).await.ok()?;
    Some(StreamingBlob::wrap(ReaderStream::with_capacity(file.take(length), PIECE_BYTES)))
}

/// Which file lies under a key, by its inode and when it came there, and which file has its tag. Default: none.
#[derive(Default, PartialEq, Eq)]
struct Tagged {
    blob: Option<(u64, i64, i64)>,
    tag: Option<u64>,
}

impl Tagged {
    /// None while a put is under way that has brought the blob to its place and not yet its tag.
    fn look(blob: &Path, tag: &Path) -> io::Result<Option<Self>> {
        let came = |file: &Metadata| (file.ctime(), file.ctime_nsec());
        let (blob, tag) = match (blob.metadata(), tag.metadata()) {
            (Err(error), _) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Some(Self::default()));
            }
            (blob, Err(error)) if error.kind() == io::ErrorKind::NotFound => (blob?, None),
            (blob, tag) => (blob?, Some(tag?)),
        };
        let is_of_another = tag.as_ref().is_some_and(|tag| came(tag) < came(&blob));
        let (seconds, nanoseconds) = came(&blob);
        let seen = Self { blob: Some((blob.ino(), seconds, nanoseconds)), tag: tag.map(|tag| tag.ino()) };
        Ok(Some(seen).filter(|_| !is_of_another))
    }
}

/// A blob that lies beside the buckets, with its sidecars; what has not taken its place is deleted.
struct Aside {
    blob: PathBuf,
    sidecars: [PathBuf; 2],
}

impl Aside {
    /// In the order in which a put writes them.
    fn take_place(self, blob: &Path, [metadata, internal]: &[PathBuf; 2]) -> io::Result<()> {
        if let Some(folder) = blob.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::rename(&self.blob, blob)?;
        match std::fs::rename(&self.sidecars[0], metadata) {
            // It has no headers: those of what lay there before are not its own.
            Err(error) if error.kind() == io::ErrorKind::NotFound => unless_gone(std::fs::remove_file(metadata))?,
            renamed => renamed?,
        }
        std::fs::rename(&self.sidecars[1], internal)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        for path in [&self.blob].into_iter().chain(&self.sidecars) {
            if let Err(error) = unless_gone(std::fs::remove_file(path)) {
                tracing::warn!(path = %path.display(), %error, "what was copied could not be removed");
            }
        }
    }
}

/// A file that somebody deleted meanwhile needs neither to last nor to be deleted.
fn unless_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> S3Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(S3Error::internal_error)?.map_err(S3Error::internal_error)
}
