//! Which errors are the infrastructure's: the database, the bucket or a disk cannot be used for now, whatever is asked of
//! them. Nothing about the work at hand is wrong, so it waits, and loses no attempt by it.

use std::error::Error;
use std::io::ErrorKind;

use crate::blobs::BlobError;
use crate::log::AppendError;

/// Whether the infrastructure is to blame for an error: by the first of its causes that can tell.
#[must_use]
pub fn is_to_blame(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(verdict) = verdict(error) {
            return verdict;
        }
        cause = error.source();
    }
    false
}

/// Whether this error says that the infrastructure is to blame; none when it leaves that to its causes.
fn verdict(error: &(dyn Error + 'static)) -> Option<bool> {
    if let Some(error) = error.downcast_ref::<sqlx::Error>() {
        return Some(database(error));
    }
    if let Some(error) = error.downcast_ref::<BlobError>() {
        return Some(bucket(error));
    }
    if let Some(error) = error.downcast_ref::<AppendError>() {
        return match error {
            AppendError::Stopped => Some(true),
            AppendError::Conflict { .. } | AppendError::KeyReused(_) => Some(false),
            AppendError::Database(error) => Some(database(error)),
        };
    }
    let error = error.downcast_ref::<std::io::Error>()?;
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem)
        .then_some(true)
}

/// The database cannot be reached, takes no more connections, has no room or memory, is going down or coming up, is a
/// standby, or does not let this user in. See the table of `SQLSTATE` codes in the documentation of Postgres.
fn database(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(said) => said.code().is_some_and(|code| {
            ["08", "28", "53", "57P", "58"].iter().any(|class| code.starts_with(class)) || code == "25006"
        }),
        _ => false,
    }
}

/// The store does not answer, is busy or full, or knows neither the bucket nor us.
fn bucket(error: &BlobError) -> bool {
    match error {
        BlobError::Unreachable { .. } | BlobError::NoBucket { .. } => true,
        BlobError::Refused { status, .. } => *status >= 500 || matches!(status, 401 | 403 | 408 | 429),
        BlobError::NotFound { .. } | BlobError::TooLarge { .. } | BlobError::Invalid { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16) -> BlobError {
        BlobError::Refused { key: "k".to_owned(), status, message: "no".to_owned() }
    }

    #[test]
    fn what_cannot_be_reached_is_to_blame_however_deep_it_lies() {
        let deep = anyhow::Error::new(AppendError::Database(sqlx::Error::PoolTimedOut)).context("telling");
        assert!(is_to_blame(deep.as_ref()));
        let full = anyhow::Error::new(std::io::Error::from(ErrorKind::StorageFull)).context("packing");
        assert!(is_to_blame(full.as_ref()));
        let gone = BlobError::Unreachable { key: "k".to_owned(), source: "reset".into() };
        assert!(is_to_blame(&gone));
    }

    #[test]
    fn a_busy_or_forbidden_store_is_to_blame_and_a_missing_blob_is_not() {
        for status in [401, 403, 408, 429, 500, 503, 507] {
            assert!(is_to_blame(&refused(status)), "{status}");
        }
        assert!(!is_to_blame(&refused(400)));
        assert!(!is_to_blame(&BlobError::NotFound { key: "k".to_owned() }));
    }

    #[test]
    fn an_error_of_the_work_is_not_the_infrastructures() {
        let of_work = anyhow::anyhow!("no such colour").context("painting");
        assert!(!is_to_blame(of_work.as_ref()));
        assert!(!is_to_blame(&AppendError::KeyReused("k".to_owned())));
        assert!(!is_to_blame(&std::io::Error::from(ErrorKind::InvalidData)));
    }
}
