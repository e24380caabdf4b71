use std::error::Error;

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// Why a request to the store did not do what it should. [`BlobError::is_transient`] says whether to try again.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Nothing lies under the key.
    #[error("blob {key:?} is not in the bucket")]
    NotFound {
        /// The key asked for.
        key: String,
    },
    /// There is no such bucket: create it, or correct the settings.
    #[error("bucket {bucket:?} does not exist: create it or correct `store.bucket`")]
    NoBucket {
        /// The bucket of the settings.
        bucket: String,
    },
    /// The blob is larger than the reader or the store can take.
    #[error("blob {key:?} is larger than {limit} bytes")]
    TooLarge {
        /// The key asked for.
        key: String,
        /// The largest length in bytes that would have done.
        limit: u64,
    },
    /// What was asked for can never be: a malformed key, a presigned URL that lives too long.
    #[error("key {key:?} cannot be used: {reason}")]
    Invalid {
        /// The key asked for.
        key: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The store answered, and the answer was no.
    #[error("the store refused {key:?} with status {status}: {message}")]
    Refused {
        /// The key or bucket asked for.
        key: String,
        /// HTTP status of the answer.
        status: u16,
        /// What the store said, code first.
        message: String,
    },
    /// No complete answer came: no connection, a timeout, or a transfer that broke off.
    #[error("the store could not be reached for {key:?}")]
    Unreachable {
        /// The key or bucket asked for.
        key: String,
        /// What went wrong on the way.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl BlobError {
    /// Whether the same request may well succeed later. The client has already tried a few times by then.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => *status >= 500 || matches!(status, 408 | 429),
            Self::NotFound { .. } | Self::NoBucket { .. } | Self::TooLarge { .. } | Self::Invalid { .. } => false,
        }
    }

    /// The failure of a request for one key.
    pub(super) fn of<E>(bucket: &str, key: &str, error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let SdkError::ServiceError(answer) = &error else {
            return Self::without_answer(key, error);
        };
        let status = answer.raw().status().as_u16();
        let code = answer.err().code().unwrap_or_default();
        match (status, code) {
            (_, "NoSuchBucket") => Self::NoBucket { bucket: bucket.to_owned() },
            // The answer to HEAD has no body and hence no code.
            (404, "NoSuchKey" | "NotFound" | "") => Self::NotFound { key: key.to_owned() },
            (_, code) => {
                let said = answer.err().message().unwrap_or("no reason given");
                let code = if code.is_empty() { "no code" } else { code };
                Self::Refused { key: key.to_owned(), status, message: format!("{code}: {said}") }
            }
        }
    }

    /// The failure of a request for the bucket itself.
    pub(super) fn of_bucket<E>(bucket: &str, error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        match Self::of(bucket, bucket, error) {
            Self::NotFound { .. } => Self::NoBucket { bucket: bucket.to_owned() },
            other => other,
        }
    }

    /// The body of an answer broke off.
    pub(super) fn broken_off(key: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unreachable { key: key.to_owned(), source: source.into() }
    }

    /// For questions whose answer may be that there is nothing.
    pub(super) fn none_if_not_found<T>(self) -> Result<Option<T>, Self> {
        match self {
            Self::NotFound { .. } => Ok(None),
            other => Err(other),
        }
    }

    fn without_answer<E>(key: &str, error: SdkError<E>) -> Self
    where
        E: Error + Send + Sync + 'static,
    {
        match error {
            SdkError::ConstructionFailure(_) => {
                Self::Invalid { key: key.to_owned(), reason: DisplayErrorContext(&error).to_string() }
            }
            other => Self::Unreachable { key: key.to_owned(), source: Box::new(other) },
        }
    }
}
