//! The static assets of a Cloudflare Worker that has no code.
//!
//! ```text
//! POST …/workers/scripts/<script>/assets-upload-session   every path with hash and size
//!        answers a token, and the hashes that are not stored yet, in buckets
//! POST …/workers/assets/upload?base64=true                one bucket, a few at a time; the last answers another token
//! PUT  …/workers/scripts/<script>                         the version that has these assets: live as one step
//! ```
//!
//! What is stored is not asked for again, so that an upload which breaks off is gone on with by the next one.

mod api;
mod hashes;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use atelier_runtime::RetryPolicy;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::settings::WorkersSettings;
use super::{Difference, Look, TargetError};
use crate::release::{Folder, Held, blocking};
use api::{Api, File};
use hashes::Hashes;

/// Buckets under way at once, of 50 MiB at most each, which are in memory.
const PARALLEL: usize = 3;
/// The longest time for which the API's wish to be left alone is heeded.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(2);

#[derive(Debug)]
pub(super) struct Workers {
    api: Api,
    limits: Limits,
    identity: String,
    retries: RetryPolicy,
}

/// What a Worker takes.
#[derive(Clone, Copy, Debug)]
struct Limits {
    max_files: usize,
    max_file_bytes: u64,
}

impl Limits {
    /// Refuses so many files, of which this is the longest.
    fn check(self, files: usize, longest: Option<(&str, u64)>) -> Result<(), TargetError> {
        let Self { max_files, max_file_bytes } = self;
        if files > max_files {
            return Err(TargetError::TooManyFiles { files, limit: max_files });
        }
        match longest.filter(|(_, length)| *length > max_file_bytes) {
            Some((path, length)) => Err(TargetError::TooLarge { path: path.to_owned(), length, limit: max_file_bytes }),
            None => Ok(()),
        }
    }
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub files: u64,
    pub bytes: u64,
}

impl Workers {
    pub(super) fn new(settings: &WorkersSettings, retries: RetryPolicy) -> Result<Self, TargetError> {
        let needed = [
            ("account_id", &settings.account_id),
            ("script", &settings.script),
            ("api_token", &settings.api_token),
            ("api_url", &settings.api_url),
        ];
        if let Some((name, _)) = needed.iter().find(|(_, value)| value.is_empty()) {
            return Err(TargetError::Settings(format!(
                "site.target.workers.{name} is empty, and no Worker is without it"
            )));
        }
        Ok(Self {
            api: Api::new(settings)?,
            limits: Limits { max_files: settings.max_files, max_file_bytes: settings.max_file_bytes },
            identity: format!("workers {}/{}/{}", settings.api_url, settings.account_id, settings.script),
            retries,
        })
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// Refuses the live release, changed by this, if it is more than a Worker takes. Changes nothing.
    pub(super) async fn check(&self, held: Option<Arc<Held>>, next: &Difference) -> Result<(), TargetError> {
        let there = match held {
            Some(held) => blocking(move || held.lengths()).await?,
            None => BTreeMap::new(),
        };
        let stays = there.iter().filter(|(path, _)| !next.gone.contains(*path) && !next.puts.contains_key(*path));
        let files: Vec<_> = stays.chain(&next.puts).map(|(path, length)| (path.as_str(), *length)).collect();
        self.limits.check(files.len(), files.iter().copied().max_by_key(|(_, length)| *length))
    }

    /// Makes a version of the Worker that has the release, and no other file.
    pub(super) async fn bring(&self, folder: &Folder, held: &Arc<Held>, look: Look) -> Result<Sent, TargetError> {
        let limits = self.limits;
        let check = move |files: usize, longest: Option<(&str, u64)>| limits.check(files, longest);
        let (beside, still) = (folder.clone(), Arc::clone(held));
        let hashes = blocking(move || Hashes::of(&beside, &still, look, check)).await?;
        let session = self.repeated(|| self.api.begin(&hashes.files)).await?;
        let by_hash: HashMap<&str, &str> =
            hashes.files.iter().map(|(path, file)| (file.hash.as_str(), path.as_str())).collect();
        let mut buckets = VecDeque::new();
        for bucket in &session.buckets {
            let files: Option<Vec<File>> = bucket
                .iter()
                .map(|hash| {
                    by_hash.get(hash.as_str()).map(|path| File { hash: hash.clone(), path: (*path).to_owned() })
                })
                .collect();
            buckets.push_back(files.ok_or_else(|| TargetError::Answer {
                doing: "beginning an upload",
                said: "it asks for a file that it was not told of".to_owned(),
            })?);
        }
        let sent = Sent {
            files: buckets.iter().map(|files| files.len() as u64).sum(),
            bytes: buckets.iter().flatten().filter_map(|file| held.length(&file.path)).sum(),
        };
        // Where everything is stored already, the first token is as good as the last.
        let token = if sent.files == 0 { session.jwt } else { self.upload(held, &session.jwt, buckets).await? };
        self.repeated(|| self.api.publish(&token)).await?;
        Ok(sent)
    }

    /// Sends the buckets. Once the gateway says that it is too much, one after the other.
    async fn upload(
        &self,
        held: &Arc<Held>,
        session: &str,
        mut waiting: VecDeque<Vec<File>>,
    ) -> Result<String, TargetError> {
        let (mut running, mut parallel, mut completed) = (FuturesUnordered::new(), PARALLEL, None);
        let send = |files: Vec<File>, attempt: i32, pause: Duration| async move {
            tokio::time::sleep(pause).await;
            let answer = self.api.upload(held, session, &files).await;
            (files, attempt, answer)
        };
        let mut again = VecDeque::new();
        loop {
            while running.len() < parallel {
                let next = again.pop_front().or_else(|| Some((waiting.pop_front()?, 1, Duration::ZERO)));
                let Some((files, attempt, pause)) = next else { break };
                running.push(send(files, attempt, pause));
            }
            let Some((files, attempt, answer)) = running.next().await else { break };
            match answer {
                Ok(token) => completed = token.or(completed),
                Err(error) => {
                    if error.is_of_gateway() {
                        parallel = 1;
                    }
                    let pause = self.pause(&error, attempt).ok_or(error)?;
                    again.push_back((files, attempt + 1, pause));
                }
            }
        }
        completed.ok_or_else(|| TargetError::Answer {
            doing: "uploading",
            said: "all files are there, and it has not said so".to_owned(),
        })
    }

    async fn repeated<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, TargetError>
    where
        F: Future<Output = Result<T, TargetError>>,
    {
        let mut attempts = 1;
        loop {
            match attempt().await {
                Ok(done) => return Ok(done),
                Err(error) => {
                    let pause = self.pause(&error, attempts).ok_or(error)?;
                    tokio::time::sleep(pause).await;
                    attempts += 1;
                }
            }
        }
    }

    /// How long to wait before it is tried again, if it is.
    fn pause(&self, error: &TargetError, attempt: i32) -> Option<Duration> {
        let pause = self.retries.pause_after(attempt).filter(|_| error.is_transient())?;
        let pause = pause.max(error.retry_after().unwrap_or_default().min(RETRY_AFTER_MAX));
        tracing::info!(error = %error, attempt, ?pause, "asking the API again");
        Some(pause)
    }
}
