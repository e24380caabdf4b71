//! Decoding and cutting in processes of their own, so that a hostile file can reach nothing but one of them.
//!
//! ```text
//!  daemon ── request: header, original ──▶ worker: the same program, confined: no file, no socket, no other process,
//!         ◀── answer: header, files ─────          bounded memory and CPU time; cuts one picture at a time
//! ```
//!
//! A worker begins when there is work and no idle one, is used again for the next picture, and ends after
//! [`RenderSettings::max_renders`] pictures, when it has grown beyond [`RenderSettings::max_idle_bytes`], or after
//! [`RenderSettings::idle_ms`] without work. Never are there more than [`RenderSettings::processes`].
//!
//! When one dies, its death says whose fault it was. The limits it ran into, a crash and a panic are the file's: it is
//! refused, and never tried again. Killed by a signal that nobody here sent, it was the machine's (its memory ran out, or
//! somebody used `kill`): that is an error, and the job is tried again by the policy of its consumer.

mod confine;
mod death;
mod frame;
mod inside;
mod process;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::caption::Caption;
use crate::cut::Cut;
use crate::policy::Policy;
use crate::refused::Refused;
use crate::settings::RenderSettings;
pub use inside::serve_if_asked;
use process::Process;

/// What is to be made of an original.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// What is taken, and what is cut from it.
    pub policy: Policy,
    /// What is written on it.
    pub caption: Caption,
}

/// What came of an original.
#[derive(Clone, Debug)]
pub struct Done {
    /// All of its renditions, or why there are none.
    pub outcome: Result<Cut, Refused>,
    /// What it took.
    pub cost: Cost,
}

/// What one picture took of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// CPU time of the worker, for this picture; unknown, and nothing, when it died of it.
    pub cpu: Duration,
    /// The most memory that the worker has had resident since it began, in bytes; 0 where the system does not tell.
    pub peak_bytes: u64,
}

/// The worker processes of one daemon. Clones share them.
#[derive(Clone, Debug)]
pub struct Workers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    program: PathBuf,
    settings: RenderSettings,
    /// One for each worker that may run.
    slots: Semaphore,
    /// Those without work, the one used last at the end. Taken from there, so that those that are not needed grow old.
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    process: Process,
    since: Instant,
}

impl Workers {
    /// Workers that are this very program: its `main` begins with [`serve_if_asked`].
    pub fn of_this_program(settings: RenderSettings) -> anyhow::Result<Self> {
        // The link stays good when an update replaces the file, and means the version that runs.
        let itself = Path::new("/proc/self/exe");
        if itself.exists() {
            return Ok(Self::of(itself, settings));
        }
        let program = std::env::current_exe().context("finding this program, which the render workers run")?;
        Ok(Self::of(&program, settings))
    }

    /// Workers that run a program whose `main` begins with [`serve_if_asked`].
    #[must_use]
    pub fn of(program: &Path, settings: RenderSettings) -> Self {
        let slots = Semaphore::new(settings.processes());
        Self { shared: Arc::new(Shared { program: program.to_owned(), settings, slots, idle: Mutex::default() }) }
    }

    /// Cuts an original, as soon as a worker is free. An error is the machine's, and never says anything of the file.
    ///
    /// Dropped before its end, it kills the worker.
    pub async fn render(&self, original: &[u8], task: &Task) -> anyhow::Result<Done> {
        let _slot = self.shared.slots.acquire().await?;
        let mut idle = self.shared.take_idle();
        loop {
            let fresh = idle.is_none();
            let mut process = match idle.take() {
                Some(process) => process,
                None => Process::start(&self.shared.program, &self.shared.settings)
                    .with_context(|| format!("starting a render worker from {}", self.shared.program.display()))?,
            };
            match process.render(original, task, &self.shared.settings).await {
                Ok(rendered) => {
                    if rendered.reusable && process.may_go_on(&self.shared.settings) {
                        self.keep(process);
                    }
                    return Ok(rendered.done);
                }
                Err(lost) => match process.autopsy(lost, &self.shared.settings).await {
                    Ok(refused) => return Ok(Done { outcome: Err(refused), cost: Cost::default() }),
                    Err(error) if fresh => return Err(error),
                    // It may have been dying when it was taken: the picture has not been tried.
                    Err(error) => tracing::info!(error = %error, "an idle render worker was gone; starting another"),
                },
            }
        }
    }

    /// How many workers there are now, at work or idle.
    #[must_use]
    pub fn running(&self) -> usize {
        let working = self.shared.settings.processes() - self.shared.slots.available_permits();
        working + self.shared.idle().len()
    }

    fn keep(&self, process: Process) {
        self.shared.idle().push(Idle { process, since: Instant::now() });
        let idle_for = Duration::from_millis(self.shared.settings.idle_ms);
        let shared = Arc::downgrade(&self.shared);
        tokio::spawn(async move {
            tokio::time::sleep(idle_for).await;
            if let Some(shared) = shared.upgrade() {
                // Dropped, they find their input at its end and exit.
                shared.idle().retain(|idle| idle.since.elapsed() < idle_for);
            }
        });
    }
}

impl Shared {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that lives: what killed an idle one has nothing to do with the next picture.
    fn take_idle(&self) -> Option<Process> {
        let mut idle = self.idle();
        while let Some(Idle { mut process, .. }) = idle.pop() {
            if process.is_alive() {
                return Some(process);
            }
        }
        None
    }
}
