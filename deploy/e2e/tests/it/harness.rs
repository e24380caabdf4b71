//! An installation whose daemons are processes of their own, in a folder that is gone when the test is.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use atelier_e2e::until;
use atelier_events::Connections;
use atelier_events::settings::{BusSettings, DatabaseSettings};
use atelier_standalone::client::Client;
use atelier_standalone::daemons::Daemons;
use atelier_standalone::installation::Installation;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Any free port of this machine.
pub(crate) const ANY_PORT: &str = "127.0.0.1:0";

/// Lines of each daemon that are shown when a test fails.
const LAST_LINES: usize = 12;

/// How long a daemon may take to stop.
const STOPPED: Duration = Duration::from_secs(40);

/// The installation.
pub(crate) struct Processes {
    /// As its owner uses it.
    pub(crate) client: Client,
    /// Its processes.
    pub(crate) daemons: Daemons,
    /// Its log and its bucket, as the test itself looks into them.
    pub(crate) connections: Connections,
    /// What a web server would serve.
    pub(crate) site: PathBuf,
    /// Where its API is.
    pub(crate) api_url: String,
    /// The secret of its API.
    pub(crate) api_key: String,
    /// What its messages go over; empty where the daemons were told another address.
    pub(crate) bus: BusSettings,
    /// What its processes are told.
    pub(crate) environment: BTreeMap<String, String>,
    /// What they say, a file each.
    pub(crate) logs: PathBuf,
    // The bucket ends when the daemons have, and the folder goes last: fields are dropped in this order.
    _bucket: DropGuard,
    folder: TempDir,
}

/// Runs a test on an installation of this database and bus. Afterwards every daemon must still run and stop well; when
/// the test failed, what the daemons complained of is told with it.
pub(crate) async fn with_processes(
    database_url: &str,
    bus: BusSettings,
    settings: &[(&str, &str)],
    test: impl AsyncFnOnce(&mut Processes) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    with_programs(&programs()?, database_url, bus, settings, test).await
}

/// The same with the daemons of another folder, be it those of an older version.
pub(crate) async fn with_programs(
    programs: &Path,
    database_url: &str,
    bus: BusSettings,
    settings: &[(&str, &str)],
    test: impl AsyncFnOnce(&mut Processes) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut processes = Processes::start(programs, database_url, bus, settings).await?;
    match test(&mut processes).await {
        Ok(()) => processes.stop().await,
        Err(error) => {
            let ended =
                processes.daemons.ended()?.map(|(name, status)| format!("{name} ended by itself with {status}\n"));
            Err(error.context(ended.unwrap_or_default() + &complaints(&processes.logs)))
        }
    }
}

impl Processes {
    async fn start(
        programs: &Path,
        database_url: &str,
        bus: BusSettings,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut installation = Installation::load(folder.path())?;
        installation.producer.database = database(database_url);
        installation.producer.api.listen = free_address().await?.to_string();
        let mut environment = BTreeMap::from([
            ("ATELIER__BUS__PREFIX".to_owned(), bus.prefix.clone()),
            // Or else a job would wait for a week.
            ("ATELIER__EXPORTS__KEEP_S".to_owned(), "0".to_owned()),
        ]);
        installation.producer.bus = bus.clone();
        let shutdown = CancellationToken::new();
        let bucket = installation.start_bucket(ANY_PORT.parse()?, shutdown.clone()).await?;
        ensure!(bucket.is_some(), "the environment names a bucket; unset ATELIER__STORE__ENDPOINT");
        environment.extend(installation.environment());
        environment.extend(settings.iter().map(|(key, value)| (format!("ATELIER__{key}"), (*value).to_owned())));
        let logs = installation.home.logs();
        let daemons = Daemons::start(programs, &logs, environment.clone())?;
        let api_url = format!("http://{}", installation.producer.api.listen);
        let api_key = installation.client_key()?;
        let producer = &installation.producer;
        // On the bus of Postgres, whatever the daemons are on: the test sends nothing.
        let connections = atelier_runtime::connect(&producer.database, &BusSettings::default(), &producer.store).await;
        Ok(Self {
            client: Client::new(&api_url, &api_key)?,
            connections: connections.map_err(|error| error.context(complaints(&logs)))?,
            daemons,
            site: installation.home.site(),
            api_url,
            api_key,
            bus,
            environment,
            logs,
            _bucket: shutdown.drop_guard(),
            folder,
        })
    }

    /// Runs one of the programs to its end with the settings of the daemons.
    pub(crate) async fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<Output> {
        run(program, arguments, &self.environment).await
    }

    /// The arguments with which `atelier` looks at this installation.
    pub(crate) fn data_dir(&self) -> [String; 2] {
        ["--data-dir".to_owned(), self.folder.path().display().to_string()]
    }

    /// What the daemons are told under this key of the settings.
    pub(crate) fn told(&self, key: &str) -> anyhow::Result<&str> {
        self.environment
            .get(&format!("ATELIER__{key}"))
            .map(String::as_str)
            .with_context(|| format!("{key} is not set"))
    }

    /// Starts another process of a daemon, with settings of its own over those of the others.
    pub(crate) fn beside(&self, name: &'static str, settings: &[(&str, &str)]) -> anyhow::Result<Beside> {
        let mut environment = self.environment.clone();
        environment.extend(settings.iter().map(|(key, value)| (format!("ATELIER__{key}"), (*value).to_owned())));
        let log = self.logs.join(format!("{name}.log"));
        let log = std::fs::File::options().create(true).append(true).open(log)?;
        let child = command(name, &[], &environment)?.stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Beside { name, child })
    }

    /// Starts a daemon with settings of its own in place of the one that runs.
    pub(crate) async fn replace(&mut self, name: &'static str, settings: &[(&str, &str)]) -> anyhow::Result<Beside> {
        // How it ends is no matter: it may have begun just now, and not know yet what a signal means.
        self.daemons.stop_one(name).await?;
        let beside = self.beside(name, settings)?;
        if name == "atelier-producer" {
            self.answers().await?;
        }
        Ok(beside)
    }

    /// Waits until the API takes requests.
    pub(crate) async fn answers(&self) -> anyhow::Result<()> {
        let health = format!("{}/healthz", self.api_url);
        until("the API answers", || async { Ok(reqwest::get(&health).await.is_ok_and(|it| it.status().is_success())) })
            .await
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        if let Some((name, status)) = self.daemons.ended()? {
            anyhow::bail!("{name} ended by itself with {status}\n{}", complaints(&self.logs));
        }
        let stopped = self.daemons.stop().await;
        stopped.map_err(|error| error.context(complaints(&self.logs)))
    }
}

/// A process of a daemon that is not one of [`Daemons`]. Killed when it is dropped.
pub(crate) struct Beside {
    name: &'static str,
    child: Child,
}

impl Beside {
    /// Ends it as a crash would.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.with_context(|| format!("cannot kill {}", self.name))
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pid = pid.with_context(|| format!("{} does not run", self.name))?;
        kill_process(pid, signal).with_context(|| format!("cannot send {signal:?} to {}", self.name))
    }

    /// Stops it as systemd would.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let ended = tokio::time::timeout(STOPPED, self.child.wait()).await;
        let status: ExitStatus = ended.with_context(|| format!("{} does not stop", self.name))??;
        ensure!(status.success(), "{} ended with {status}", self.name);
        Ok(())
    }
}

/// Runs a program of this build to its end; a status other than 0 is an error that shows what it said.
pub(crate) async fn run(
    program: &str,
    arguments: &[&str],
    environment: &BTreeMap<String, String>,
) -> anyhow::Result<Output> {
    let output = command(program, arguments, environment)?.output().await?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{program} {} ended with {}: {said}", arguments.join(" "), output.status);
    Ok(output)
}

/// A program of this build, killed when it is dropped.
pub(crate) fn command(
    program: &str,
    arguments: &[&str],
    environment: &BTreeMap<String, String>,
) -> anyhow::Result<tokio::process::Command> {
    let path = programs()?.join(program);
    ensure!(path.exists(), "{} is not there: build it with cargo build --workspace --bins", path.display());
    let mut command = tokio::process::Command::new(path);
    command.args(arguments).envs(environment).stdin(Stdio::null()).kill_on_drop(true);
    Ok(command)
}

/// The folder of the programs that were built together with this test.
pub(crate) fn programs() -> anyhow::Result<PathBuf> {
    // target/<profile>/deps/it-<hash>
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("this test lies nowhere")?;
    Ok(folder.to_owned())
}

/// An address that nobody listens at. A daemon that was killed comes back to it, so it lies below the ports that systems
/// give to outgoing connections: one of those could have taken it meanwhile.
pub(crate) async fn free_address() -> anyhow::Result<SocketAddr> {
    const TRIES: usize = 200;
    for _ in 0..TRIES {
        let port = u16::try_from(20_000 + uuid::Uuid::now_v7().as_u128() % 10_000)?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).await.is_ok() {
            return Ok(address);
        }
    }
    anyhow::bail!("no free port found between 20000 and 29999")
}

/// Shows a figure to whoever runs the test.
#[expect(clippy::print_stderr, reason = "what a test says of itself, which its runner shows when asked")]
pub(crate) fn report(line: &str) {
    eprintln!("{line}");
}

fn database(url: &str) -> DatabaseSettings {
    DatabaseSettings { url: url.to_owned(), ..DatabaseSettings::default() }
}

/// The last warnings and errors of each daemon, and the last it said at all.
fn complaints(logs: &Path) -> String {
    let mut told = Vec::new();
    for entry in std::fs::read_dir(logs).into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let bad = |line: &&str| ["WARN", "ERROR", "panicked", "Error:"].iter().any(|word| line.contains(word));
        let lines: Vec<&str> = text.lines().filter(bad).collect();
        let bad = &lines[lines.len().saturating_sub(LAST_LINES)..];
        let last = text.lines().next_back().unwrap_or("nothing");
        told.push(format!("{}:\n{}\nits last word: {last}", entry.file_name().display(), bad.join("\n")));
    }
    told.join("\n")
}
