//! A command that brings the release wherever it likes: a copy to another machine, or the build of another front end.
//!
//! It finds in its environment
//!
//! | variable | |
//! | --- | --- |
//! | `ATELIER_SITE_DIR` | the release's folder: to be read, its files are shared with other releases |
//! | `ATELIER_SITE_RELEASE` | the release's number |
//! | `ATELIER_SITE_POSITION` | the position of the log that it shows |
//! | `ATELIER_SITE_URL` | `site.base_url` with a slash |
//! | `ATELIER_GALLERY_METADATA` | a `gallery-metadata.json` of what the release shows, its addresses below `ATELIER_SITE_DIR` |
//!
//! and nothing of the daemon's own settings (`ATELIER__…`), some of which are secrets. It is a process group of its own,
//! and whatever is left of that is killed when it has ended, when it takes too long, and when the daemon stops.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atelier_events::blobs::sha256;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::TargetError;
use super::settings::CommandSettings;
use crate::release::{Folder, Held, blocking, keep};

/// Lines that an error repeats.
const LAST_LINES: usize = 20;
/// A longer line is taken for several.
const LINE_BYTES: usize = 4096;
/// How long is waited for the end of the output of a command that has ended: what has left its process group may hold it
/// open.
const OUTPUT_AFTER_END: Duration = Duration::from_secs(1);
const METADATA: &str = "target-gallery-metadata.json";

#[derive(Debug)]
pub(super) struct Command {
    program: String,
    arguments: Vec<String>,
    working_dir: Option<PathBuf>,
    url: String,
    identity: String,
}

impl Command {
    pub(super) fn new(settings: &CommandSettings, base_url: &str) -> Result<Self, TargetError> {
        let (program, arguments) = match (settings.run.split_first(), settings.shell.as_str()) {
            (Some((program, arguments)), "") if !program.is_empty() => (program.clone(), arguments.to_vec()),
            (None, line) if !line.is_empty() => ("/bin/sh".to_owned(), vec!["-c".to_owned(), line.to_owned()]),
            _ => {
                return Err(TargetError::Settings(
                    "site.target.command needs either `run`, a list of a program and its arguments, or `shell`, a line \
                     for /bin/sh"
                        .to_owned(),
                ));
            }
        };
        // As a digest: whoever reads the folder need not read what may stand in a command.
        let identity = sha256(format!("{} {program:?} {arguments:?}", settings.working_dir.display()).as_bytes());
        Ok(Self {
            identity: format!("command {identity}"),
            program,
            arguments,
            working_dir: Some(settings.working_dir.clone()).filter(|dir| !dir.as_os_str().is_empty()),
            url: format!("{}/", base_url.trim_end_matches('/')),
        })
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// Writes what a front end can be built from. Answers where.
    pub(super) async fn prepare(&self, folder: &Folder, metadata: Vec<u8>) -> Result<PathBuf, TargetError> {
        let path = folder.beside(METADATA);
        let written = path.clone();
        blocking(move || keep(&written, &metadata)).await?;
        Ok(path)
    }

    /// Runs it to its end. What it says goes to the log, its last lines also into the error.
    pub(super) async fn run(&self, held: &Held, metadata: &PathBuf, deadline: Instant) -> Result<(), TargetError> {
        let release = held.release();
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(self.working_dir.as_deref().unwrap_or(held.tree()))
            .env("ATELIER_SITE_DIR", held.tree())
            .env("ATELIER_SITE_RELEASE", release.number.to_string())
            .env("ATELIER_SITE_POSITION", release.position.to_string())
            .env("ATELIER_SITE_URL", &self.url)
            .env("ATELIER_GALLERY_METADATA", metadata)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ATELIER__") {
                command.env_remove(name);
            }
        }
        let started = command.spawn();
        let mut child = started.map_err(|source| TargetError::Start { program: self.program.clone(), source })?;
        let group = Group::of(&child);
        let tail = Arc::new(Tail::default());
        let mut reading = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            reading.spawn(read_lines(stdout, "stdout", Arc::clone(&tail)));
        }
        if let Some(stderr) = child.stderr.take() {
            reading.spawn(read_lines(stderr, "stderr", Arc::clone(&tail)));
        }
        let ended = tokio::time::timeout_at(deadline, child.wait()).await;
        // Whatever it has left running writes nowhere now, and holds its output open.
        drop(group);
        let all_read = async { while reading.join_next().await.is_some() {} };
        drop(tokio::time::timeout(OUTPUT_AFTER_END, all_read).await);
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => {
                Err(TargetError::Command { program: self.program.clone(), ended: said(status), output: tail.lines() })
            }
            Ok(Err(source)) => Err(TargetError::Start { program: self.program.clone(), source }),
            Err(_) => Err(TargetError::TimedOut { output: tail.lines() }),
        }
    }
}

fn said(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => format!("ended with {status}"),
    }
}

/// Killed when it is dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended by itself, all of it.
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}

/// The last lines that a command has said.
#[derive(Default)]
struct Tail(Mutex<VecDeque<String>>);

impl Tail {
    fn add(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LAST_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

async fn read_lines(mut from: impl AsyncRead + Unpin, stream: &'static str, tail: Arc<Tail>) {
    let (mut piece, mut line) = (vec![0; LINE_BYTES], Vec::new());
    loop {
        let length = from.read(&mut piece).await.unwrap_or(0);
        for byte in &piece[..length] {
            if *byte != b'\n' {
                line.push(*byte);
            }
            if *byte == b'\n' || line.len() == LINE_BYTES {
                say(&mut line, stream, &tail);
            }
        }
        if length == 0 {
            if !line.is_empty() {
                say(&mut line, stream, &tail);
            }
            return;
        }
    }
}

fn say(line: &mut Vec<u8>, stream: &'static str, tail: &Tail) {
    let text = String::from_utf8_lossy(line).trim_end().to_owned();
    line.clear();
    tracing::info!(command.stream = stream, "{text}");
    tail.add(text);
}
