//! The daemons as processes of their own: what systemd does on a server, for a demonstration and for tests.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// What there is to run, in the order of starting: the producer makes the schema that the others wait for.
pub const NAMES: [&str; 6] =
    ["atelier-producer", "atelier-generate", "atelier-thumbnails", "atelier-exports", "atelier-index", "atelier-site"];

/// How long a daemon may take to stop before it is killed.
const PATIENCE: Duration = Duration::from_secs(40);

/// Daemons that run. Those still running when this is dropped are killed.
pub struct Daemons {
    programs: PathBuf,
    logs: PathBuf,
    environment: BTreeMap<String, String>,
    running: BTreeMap<&'static str, Child>,
}

impl Daemons {
    /// Starts all of them: programs from the folder `programs`, settings from `environment`, output to files in `logs`.
    pub fn start(programs: &Path, logs: &Path, environment: BTreeMap<String, String>) -> anyhow::Result<Self> {
        fs::create_dir_all(logs).with_context(|| format!("cannot create {}", logs.display()))?;
        let mut daemons =
            Self { programs: programs.to_owned(), logs: logs.to_owned(), environment, running: BTreeMap::new() };
        for name in NAMES {
            daemons.start_one(name)?;
        }
        Ok(daemons)
    }

    /// Starts one, or starts it again.
    pub fn start_one(&mut self, name: &'static str) -> anyhow::Result<()> {
        self.start_one_with(name, &[])
    }

    /// The same with settings of its own, which go before everybody's.
    pub fn start_one_with(&mut self, name: &'static str, own: &[(String, String)]) -> anyhow::Result<()> {
        let program = self.programs.join(name);
        if !program.exists() {
            bail!("{} is not there: build it with cargo build --package {name}", program.display());
        }
        let log = self.logs.join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(&log).with_context(|| format!("{}", log.display()))?;
        let child = Command::new(&program)
            .envs(&self.environment)
            .envs(own.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        self.running.insert(name, child);
        Ok(())
    }

    /// Ends one as a crash would: SIGKILL, and no word to anybody.
    pub async fn kill(&mut self, name: &'static str) -> anyhow::Result<()> {
        let mut child = self.running.remove(name).with_context(|| format!("{name} does not run"))?;
        child.kill().await.with_context(|| format!("cannot kill {name}"))
    }

    /// The number of the process of one that runs.
    #[must_use]
    pub fn pid(&self, name: &str) -> Option<u32> {
        self.running.get(name)?.id()
    }

    /// Stops one as systemd would and answers how it ended; [`Self::start_one`] starts it again.
    pub async fn stop_one(&mut self, name: &'static str) -> anyhow::Result<ExitStatus> {
        let mut child = self.running.remove(name).with_context(|| format!("{name} does not run"))?;
        terminate(&child)?;
        ended_in_time(name, &mut child).await
    }

    /// The first that has ended by itself.
    pub fn ended(&mut self) -> anyhow::Result<Option<(&'static str, ExitStatus)>> {
        for (name, child) in &mut self.running {
            if let Some(status) = child.try_wait()? {
                return Ok(Some((name, status)));
            }
        }
        Ok(None)
    }

    /// Stops all of them at once; an error names the ones that did not end well.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        for child in self.running.values() {
            terminate(child)?;
        }
        let mut bad = Vec::new();
        for (name, mut child) in std::mem::take(&mut self.running) {
            match ended_in_time(name, &mut child).await {
                Ok(status) if status.success() => {}
                Ok(status) => bad.push(format!("{name} ended with {status}")),
                Err(error) => bad.push(error.to_string()),
            }
        }
        if bad.is_empty() { Ok(()) } else { bail!("{}; see {}", bad.join(", "), self.logs.display()) }
    }
}

/// Asks a process to stop. One that has ended already is left alone.
fn terminate(child: &Child) -> anyhow::Result<()> {
    match child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        Some(pid) => kill_process(pid, Signal::TERM).context("cannot stop a daemon"),
        None => Ok(()),
    }
}

async fn ended_in_time(name: &str, child: &mut Child) -> anyhow::Result<ExitStatus> {
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
    let ended = ended.with_context(|| format!("{name} did not stop within {} s", PATIENCE.as_secs()))?;
    ended.with_context(|| format!("waiting for {name}"))
}
