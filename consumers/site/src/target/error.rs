use std::time::Duration;

use atelier_events::BlobError;

use crate::release::DeployError;

/// Why the target has not got the release. What was live there still is, where the target can promise that.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it means and what its fields are")]
pub enum TargetError {
    #[error("{0}")]
    Settings(String),
    #[error(transparent)]
    Release(#[from] DeployError),
    #[error(transparent)]
    Bucket(#[from] BlobError),
    #[error(
        "the release has {files} files, and a version of the Worker may have {limit}; raise site.target.workers.max_files if \
         the account allows more, or deploy to a bucket"
    )]
    TooManyFiles { files: usize, limit: usize },
    #[error(
        "\"{path}\" has {length} bytes, and a file of a Worker may have {limit}; cut smaller renditions, raise \
         site.target.workers.max_file_bytes if the account allows more, or deploy to a bucket"
    )]
    TooLarge { path: String, length: u64, limit: u64 },
    #[error("{doing}: the API answered {status}: {said}")]
    Refused { doing: &'static str, status: u16, said: String, retry_after: Option<Duration> },
    #[error("{doing}: the API could not be reached")]
    Unreachable { doing: &'static str, source: reqwest::Error },
    #[error("{doing}: the answer of the API is not understood: {said}")]
    Answer { doing: &'static str, said: String },
    #[error("\"{program}\" could not be started")]
    Start { program: String, source: std::io::Error },
    #[error("\"{program}\" {ended}{}", last_lines(output))]
    Command { program: String, ended: String, output: Vec<String> },
    #[error("it took longer than site.target.timeout_ms allows{}", last_lines(output))]
    TimedOut { output: Vec<String> },
    #[error("a document could not be written as json")]
    Json(#[from] serde_json::Error),
}

impl TargetError {
    /// Whether the same may well succeed a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Bucket(error) => error.is_transient(),
            Self::Refused { status, .. } => *status >= 500 || matches!(status, 408 | 425 | 429),
            Self::Unreachable { .. } | Self::Command { .. } => true,
            Self::Settings(_)
            | Self::Release(_)
            | Self::TooManyFiles { .. }
            | Self::TooLarge { .. }
            | Self::Answer { .. }
            | Self::Start { .. }
            | Self::TimedOut { .. }
            | Self::Json(_) => false,
        }
    }

    /// Whether what stands before the API says so: it is asked less then.
    pub(super) fn is_of_gateway(&self) -> bool {
        matches!(self, Self::Refused { status: 502..=504 | 520..=527 | 530, .. })
    }

    /// How long the API asks to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn last_lines(output: &[String]) -> String {
    if output.is_empty() { String::new() } else { format!("; its last lines:\n{}", output.join("\n")) }
}
