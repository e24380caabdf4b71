use super::BlobError;

/// The longest key. S3 would allow 1,024 bytes; the embedded server keeps a blob's headers in a file named after the
/// key, and a file's name ends at 255.
pub const MAX_KEY_BYTES: usize = 160;

/// The longest key for an upload in parts, whose name the embedded server makes longer while it lasts.
pub const MAX_UPLOAD_KEY_BYTES: usize = 120;

/// The longest key of a file of a site, as S3 allows. The embedded server refuses such names by itself.
pub const MAX_SERVED_KEY_BYTES: usize = 1024;

/// Refuses what some store would read as another key than the one meant.
pub(super) fn check(key: &str) -> Result<(), BlobError> {
    check_up_to(key, MAX_KEY_BYTES)
}

/// As [`check`], for an upload in parts.
pub(super) fn check_upload(key: &str) -> Result<(), BlobError> {
    check_up_to(key, MAX_UPLOAD_KEY_BYTES)
}

/// As [`check`], for what a site serves.
pub(super) fn check_served(key: &str) -> Result<(), BlobError> {
    check_up_to(key, MAX_SERVED_KEY_BYTES)
}

fn check_up_to(key: &str, longest: usize) -> Result<(), BlobError> {
    let reason = if key.is_empty() {
        "it is empty".to_owned()
    } else if key.len() > longest {
        format!("it has {} bytes, at most {longest} are kept", key.len())
    } else if key.chars().any(char::is_control) {
        "it holds a control character".to_owned()
    } else if key.contains('\\') {
        "it holds a backslash, parts are divided by /".to_owned()
    } else if key.split('/').any(|part| matches!(part, "" | "." | "..")) {
        "it must not begin or end with / nor hold an empty part, . or ..".to_owned()
    } else {
        return Ok(());
    };
    Err(BlobError::Invalid { key: key.to_owned(), reason })
}
