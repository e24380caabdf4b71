//! A Postgres and a RabbitMQ of one test's own, to be killed: the scripts of `deploy/local`, in a checkout that holds
//! nothing else. They need the servers' programs on this machine.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use atelier_e2e::until_within;
use futures::future::try_join_all;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;

/// How long a killed process may take to be gone.
const GONE: Duration = Duration::from_secs(30);

/// Those of them that a test asked for. Stopped, and all they wrote removed, when this is dropped.
pub(crate) struct Servers {
    checkout: TempDir,
}

impl Servers {
    /// Starts these: `postgres`, `rabbitmq`.
    pub(crate) async fn start(wanted: &[&str]) -> anyhow::Result<Self> {
        // The servers run as users of their own, who must be able to come here. The name is short, for the path of a
        // socket has room for about a hundred bytes.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let checkout = tempfile::Builder::new().prefix("atelier-e2e-").permissions(open).tempdir()?;
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../local");
        let to = checkout.path().join("deploy/local");
        std::fs::create_dir_all(&to)?;
        for entry in std::fs::read_dir(&from).with_context(|| format!("{}", from.display()))? {
            let entry = entry?;
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
        let servers = Self { checkout };
        try_join_all(wanted.iter().map(|server| servers.up(server))).await?;
        Ok(servers)
    }

    /// Starts one of them, at the address it had before.
    pub(crate) async fn up(&self, server: &str) -> anyhow::Result<()> {
        let before = self.port(server).ok();
        self.script(server, "up").await?;
        let port = self.port(server)?;
        ensure!(before.is_none_or(|before| before == port), "{server} came back at port {port}, not at {before:?}");
        Ok(())
    }

    /// Stops one of them as its operator would.
    pub(crate) async fn down(&self, server: &str) -> anyhow::Result<()> {
        self.script(server, "down").await.map(drop)
    }

    /// Where one of them is reached.
    pub(crate) async fn url(&self, server: &str) -> anyhow::Result<String> {
        self.script(server, "url").await
    }

    /// Ends Postgres as a failing machine would: SIGKILL to the process that all others belong to.
    pub(crate) async fn kill_postgres(&self) -> anyhow::Result<()> {
        let file = self.place("postgres")?.join("data/postmaster.pid");
        let text = std::fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
        let pid = text.lines().next().and_then(|line| line.parse().ok()).context("postmaster.pid names no process")?;
        self.kill("postgres", pid).await
    }

    /// Lets no file of Postgres grow beyond this many bytes; none: as large as the disk allows. Postgres takes that for a
    /// full disk, and unlike one it needs neither a disk nor a privilege: whoever runs Postgres may do it to it.
    pub(crate) async fn limit_files_of_postgres(&self, bytes: Option<u64>) -> anyhow::Result<()> {
        let data = std::fs::canonicalize(self.place("postgres")?)?.join("data");
        // With the colon, the bound of this bound stays as it is and allows to take it back.
        let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let mut limited = 0;
        for entry in std::fs::read_dir("/proc")?.flatten() {
            // Every process of Postgres stands in its data folder; what has ended meanwhile stands nowhere.
            if !std::fs::read_link(entry.path().join("cwd")).is_ok_and(|folder| folder == data) {
                continue;
            }
            let pid = entry.file_name().to_string_lossy().into_owned();
            // As whoever runs it, for in a container not even root may limit what belongs to others.
            let Ok(owner) = entry.metadata() else { continue };
            let mut prlimit = Command::new("prlimit");
            prlimit.uid(owner.uid()).gid(owner.gid()).args(["--pid", &pid]).arg(format!("--fsize={limit}:"));
            let output = prlimit.output().await.context("prlimit (of util-linux) is needed")?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success() || !entry.path().exists(), "cannot limit process {pid}: {said}");
            limited += 1;
        }
        ensure!(limited > 0, "no process stands in {}", data.display());
        Ok(())
    }

    /// Ends RabbitMQ in the same way.
    pub(crate) async fn kill_rabbitmq(&self) -> anyhow::Result<()> {
        self.kill("rabbitmq", self.rabbitmq_process()?.context("RabbitMQ does not run")?).await
    }

    /// Kills a process and waits until its port is closed too. The first thread of a process looks dead before the others
    /// are, and those keep the port open: a server that is started meanwhile takes that for a stranger and moves away.
    async fn kill(&self, server: &str, pid: i32) -> anyhow::Result<()> {
        let port = self.port(server)?;
        signal(pid)?;
        until_within(GONE, "a killed process is gone", || async {
            Ok(is_gone(pid) && TcpStream::connect(("127.0.0.1", port)).await.is_err())
        })
        .await
    }

    /// The Erlang machine of this node: it says in its arguments that its home is the folder of this server.
    fn rabbitmq_process(&self) -> anyhow::Result<Option<i32>> {
        let place = self.place("rabbitmq")?;
        let place = place.to_string_lossy();
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // What has ended meanwhile cannot be read.
            let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments);
            let is_machine = arguments.split('\0').next().is_some_and(|program| program.contains("beam"));
            if is_machine && arguments.contains(&*place) {
                return Ok(Some(pid));
            }
        }
        Ok(None)
    }

    /// The folder that the scripts chose for a server.
    fn place(&self, server: &str) -> anyhow::Result<PathBuf> {
        let file = self.checkout.path().join(format!(".atelier/{server}.place"));
        Ok(PathBuf::from(std::fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?.trim()))
    }

    fn port(&self, server: &str) -> anyhow::Result<u16> {
        let file = self.place(server)?.join("port");
        let text = std::fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
        text.trim().parse().with_context(|| format!("{} names no port", file.display()))
    }

    async fn script(&self, server: &str, verb: &str) -> anyhow::Result<String> {
        let path = self.checkout.path().join(format!("deploy/local/{server}.sh"));
        // Into a file: what a script leaves running would hold a pipe open, and with it whoever reads it to its end.
        let said = self.checkout.path().join(format!("{server}.said"));
        let status = Command::from(with_own_servers(&path, verb))
            .stdout(std::fs::File::create(&said)?)
            .stderr(std::fs::File::create(said.with_extension("complaints"))?)
            .status()
            .await?;
        let complaints = std::fs::read_to_string(said.with_extension("complaints"))?;
        ensure!(status.success(), "{server}.sh {verb} ended with {status}: {complaints}");
        Ok(std::fs::read_to_string(&said)?.trim().to_owned())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // Nothing that RabbitMQ would still write is wanted, so it need not take its time.
        if let Ok(Some(pid)) = self.rabbitmq_process() {
            signal(pid).ok();
        }
        for server in ["rabbitmq", "postgres"] {
            if !self.checkout.path().join(format!(".atelier/{server}.place")).exists() {
                continue;
            }
            let path = self.checkout.path().join(format!("deploy/local/{server}.sh"));
            let mut down = with_own_servers(&path, "down");
            down.stdout(Stdio::null()).stderr(Stdio::null()).status().ok();
            // Where the checkout could not be reached by the server's user, its data lies elsewhere.
            if let Ok(place) = self.place(server) {
                std::fs::remove_dir_all(place).ok();
            }
        }
    }
}

/// A script that is not told of the servers which other tests use.
fn with_own_servers(script: &Path, verb: &str) -> std::process::Command {
    let mut command = std::process::Command::new(script);
    command.arg(verb).stdin(Stdio::null());
    for variable in ["ATELIER__DATABASE__URL", "DATABASE_URL", "ATELIER__BUS__URL"] {
        command.env_remove(variable);
    }
    command
}

fn signal(pid: i32) -> anyhow::Result<()> {
    let pid = Pid::from_raw(pid).context("0 is no process")?;
    kill_process(pid, Signal::KILL).with_context(|| format!("cannot kill process {pid:?}"))
}

/// What is dead and was not waited for is gone too: the first process of a container often waits for nobody.
fn is_gone(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let state = status.lines().find_map(|line| line.strip_prefix("State:"));
    state.is_none_or(|state| state.trim_start().starts_with('Z'))
}
