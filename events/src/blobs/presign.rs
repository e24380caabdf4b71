use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use time::OffsetDateTime;

use super::{BlobError, Blobs, disposition, key};

/// A request that whoever holds it may send until it expires. It is a secret: its Debug output leaves the URL out.
#[derive(Clone, PartialEq, Eq)]
pub struct Presigned {
    /// With the signature in its query.
    pub url: String,
    /// `PUT` or `GET`.
    pub method: String,
    /// Headers that must be sent with exactly these values, by names in lower case. A browser sets `content-length`
    /// by itself and lets nobody else do it.
    pub headers: BTreeMap<String, String>,
    /// When the store will begin to refuse it.
    pub expires_at: OffsetDateTime,
}

impl Blobs {
    /// Lets a client put exactly `length` bytes of this media type under the key: both are signed, and other headers
    /// are refused by the store. The blob has no cache headers; [`Blobs::copy`] gives it its immutable key.
    pub async fn presign_put(
        &self,
        key: &str,
        media_type: &str,
        length: u64,
        expires: Duration,
    ) -> Result<Presigned, BlobError> {
        key::check(key)?;
        let too_large = |_| BlobError::TooLarge { key: key.to_owned(), limit: i64::MAX.cast_unsigned() };
        let content_length = i64::try_from(length).map_err(too_large)?;
        let (signing, expires_at) = lifetime(key, expires)?;
        let request = self.signer.put_object().bucket(&self.bucket).key(key);
        let request = request.content_type(media_type).content_length(content_length);
        let signed = request.presigned(signing).await.map_err(|error| BlobError::of(&self.bucket, key, error))?;
        Ok(Presigned::new(&signed, expires_at))
    }

    /// Lets a client read the blob, and a browser save it as `download_as` when that is given.
    pub async fn presign_get(
        &self,
        key: &str,
        download_as: Option<&str>,
        expires: Duration,
    ) -> Result<Presigned, BlobError> {
        key::check(key)?;
        let (signing, expires_at) = lifetime(key, expires)?;
        let request = self.signer.get_object().bucket(&self.bucket).key(key);
        let request = request.set_response_content_disposition(download_as.map(disposition::attachment));
        let signed = request.presigned(signing).await.map_err(|error| BlobError::of(&self.bucket, key, error))?;
        Ok(Presigned::new(&signed, expires_at))
    }
}

impl Presigned {
    fn new(signed: &PresignedRequest, expires_at: OffsetDateTime) -> Self {
        let headers = signed.headers().map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Self {
            url: signed.uri().to_owned(),
            method: signed.method().to_owned(),
            headers: headers.collect(),
            expires_at,
        }
    }
}

impl fmt::Debug for Presigned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Presigned")
            .field("method", &self.method)
            .field("headers", &self.headers)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

fn lifetime(key: &str, expires: Duration) -> Result<(PresigningConfig, OffsetDateTime), BlobError> {
    let invalid = |reason: String| BlobError::Invalid { key: key.to_owned(), reason };
    // The query counts whole seconds, and no second at all would be refused by the store only.
    if expires < Duration::from_secs(1) {
        return Err(invalid(format!("a presigned URL lives for one second at least, not {expires:?}")));
    }
    let signing = PresigningConfig::expires_in(expires).map_err(|error| invalid(error.to_string()))?;
    // The store counts whole seconds from a whole second.
    let from = OffsetDateTime::from(signing.start_time()).replace_nanosecond(0).expect("0 is a nanosecond");
    let expires_at = from + Duration::from_secs(expires.as_secs());
    Ok((signing, expires_at))
}
