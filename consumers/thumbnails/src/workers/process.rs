//! One worker process, seen from the daemon.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::confine::Confinement;
use super::death::{Lost, verdict};
use super::frame::{self, Answer, MAX_FILES_BYTES, MAX_HEADER_BYTES, Outcome, PREFIX_BYTES};
use super::inside::arguments;
use super::{Cost, Done, Task};
use crate::refused::Refused;
use crate::settings::RenderSettings;

/// Pipes hold this much where the system allows it: fewer turns for the bytes of a picture.
const PIPE_BYTES: usize = 1 << 20;
/// What glibc's allocator is told: memory of this size is the kernel's again as soon as it is free. By itself it keeps what
/// is smaller than the largest that it has seen, an upload or two, beside the pixels of the next picture.
const RETURNED_BYTES: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "1048576");
/// The most of a dead worker's last words that is read.
const LAST_WORDS_BYTES: u64 = 4096;

/// A worker. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    renders: u32,
}

/// What a worker made of a picture.
pub(super) struct Rendered {
    pub(super) done: Done,
    /// Whether it can be given another.
    pub(super) reusable: bool,
}

impl Process {
    pub(super) fn start(program: &Path, settings: &RenderSettings) -> anyhow::Result<Self> {
        let confinement = Confinement {
            memory_bytes: settings.max_memory_bytes,
            cpu_s: settings.max_cpu_s,
            seccomp: settings.seccomp,
        };
        let mut command = Command::new(program);
        command
            .arg0("atelier-render")
            .args(arguments(confinement))
            // It needs no secret, so it is told none.
            .env_clear()
            .env(RETURNED_BYTES.0, RETURNED_BYTES.1)
            .current_dir("/")
            // Ctrl-C in a terminal is for the daemon, which lets the worker finish.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let (input, output) = child.stdin.take().zip(child.stdout.take()).context("its pipes are not there")?;
        #[cfg(target_os = "linux")]
        {
            // Smaller ones do as well, only slower.
            rustix::pipe::fcntl_setpipe_size(&input, PIPE_BYTES).ok();
            rustix::pipe::fcntl_setpipe_size(&output, PIPE_BYTES).ok();
        }
        Ok(Self { child, input, output, renders: 0 })
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Has it cut a picture, and waits for the answer.
    pub(super) async fn render(
        &mut self,
        original: &[u8],
        task: &Task,
        settings: &RenderSettings,
    ) -> Result<Rendered, Lost> {
        self.renders += 1;
        let limit = Duration::from_millis(settings.max_wall_ms);
        let Ok(answered) = tokio::time::timeout(limit, self.exchange(original, task)).await else {
            let cpu_s = self.child.id().and_then(observed::cpu_s).unwrap_or_default();
            return Err(Lost::Overdue { cpu_s });
        };
        let (answer, files) = answered?;
        let cost = Cost {
            cpu: Duration::from_micros(answer.cpu_us),
            peak_bytes: self.child.id().and_then(observed::peak_bytes).unwrap_or_default(),
        };
        let (outcome, reusable) = match answer.outcome {
            Outcome::Cut { cut, lengths } => {
                let cut = frame::with_files(*cut, &lengths, &files);
                (Ok(cut.ok_or(Lost::Nonsense("its files are not as long as it says"))?), true)
            }
            Outcome::Refused(refused) => (Err(refused), true),
            Outcome::Panicked(words) => (Err(Refused::Crashed(words)), false),
        };
        Ok(Rendered { done: Done { outcome, cost }, reusable })
    }

    /// Whether it is young and small enough for another picture.
    pub(super) fn may_go_on(&self, settings: &RenderSettings) -> bool {
        let resident = self.child.id().and_then(observed::resident_bytes).unwrap_or_default();
        self.renders < settings.max_renders && resident <= settings.max_idle_bytes
    }

    /// Ends what is left of it, and says whose fault it was.
    pub(super) async fn autopsy(mut self, lost: Lost, settings: &RenderSettings) -> anyhow::Result<Refused> {
        // One that is dying keeps the status it dies with.
        drop(self.child.start_kill());
        let status = self.child.wait().await.context("waiting for the end of a render worker")?;
        let mut said = Vec::new();
        if let Some(words) = self.child.stderr.take() {
            drop(words.take(LAST_WORDS_BYTES).read_to_end(&mut said).await);
        }
        let verdict = verdict(&lost, status, &String::from_utf8_lossy(&said), settings);
        tracing::warn!(%status, ?lost, verdict = ?verdict.as_ref().map(ToString::to_string), "a render worker died");
        verdict
    }

    async fn exchange(&mut self, original: &[u8], task: &Task) -> Result<(Answer, Vec<u8>), Lost> {
        let header = serde_json::to_vec(task).expect("a task is representable as JSON");
        // The worker reads all before it answers, so neither waits for the other.
        for part in [&frame::prefix(&header, original.len() as u64)[..], &header, original] {
            self.input.write_all(part).await.map_err(|_| Lost::Vanished)?;
        }
        let mut prefix = [0; PREFIX_BYTES];
        self.read(&mut prefix).await?;
        let (header, length) = frame::lengths(prefix);
        if header > MAX_HEADER_BYTES || length > MAX_FILES_BYTES {
            return Err(Lost::Nonsense("its answer is longer than any"));
        }
        let mut answer = vec![0; header];
        self.read(&mut answer).await?;
        let answer = serde_json::from_slice(&answer).map_err(|_| Lost::Nonsense("its answer cannot be read"))?;
        let mut files = vec![0; usize::try_from(length).map_err(|_| Lost::Nonsense("its answer is too long"))?];
        self.read(&mut files).await?;
        Ok((answer, files))
    }

    async fn read(&mut self, into: &mut [u8]) -> Result<(), Lost> {
        self.output.read_exact(into).await.map(drop).map_err(|_| Lost::Vanished)
    }
}

/// What the system says of a process, where it does.
mod observed {
    /// Ticks in a second of `/proc/<pid>/stat`: fixed for what programs see, on every architecture of ours.
    const TICKS: u64 = 100;

    /// CPU time that it has used, in whole seconds.
    pub(super) fn cpu_s(pid: u32) -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // Its name comes second and may hold anything; behind it, user and system time are the 12th and 13th.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let [user, system] = [11, 12].map(|at| fields.get(at).and_then(|ticks| ticks.parse::<u64>().ok()));
        Some((user? + system?) / TICKS)
    }

    /// The most memory it has had resident.
    pub(super) fn peak_bytes(pid: u32) -> Option<u64> {
        status(pid, "VmHWM:")
    }

    /// The memory it has resident.
    pub(super) fn resident_bytes(pid: u32) -> Option<u64> {
        status(pid, "VmRSS:")
    }

    fn status(pid: u32, field: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
    }
}
