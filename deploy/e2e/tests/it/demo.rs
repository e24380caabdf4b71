//! What a newcomer runs: the demonstration, and the commands around it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use atelier_e2e::{Broker, Database, until};
use atelier_standalone::home::Home;
use image::ImageFormat;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::commands::file;
use crate::harness::{ANY_PORT, command, free_address, run};
use crate::{gallery, pictures};

/// How long a program may take to stop.
const STOPPED: Duration = Duration::from_secs(35);

/// Pictures that are imported besides the sketches.
const PICTURES: u32 = 3;

/// A data directory, and what programs that use it are told.
struct Newcomer {
    folder: TempDir,
    environment: BTreeMap<String, String>,
    pictures: Vec<String>,
}

impl Newcomer {
    fn new(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut pictures = Vec::new();
        for number in 0..PICTURES {
            let bytes = pictures::small(number, 200, ImageFormat::Jpeg)?;
            pictures.push(file(&folder, &format!("picture-{number}.jpg"), &bytes)?.display().to_string());
        }
        let environment = settings.iter().map(|(key, value)| (format!("ATELIER__{key}"), (*value).to_owned()));
        Ok(Self { environment: environment.collect(), folder, pictures })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs `atelier` to its end and answers what it printed.
    async fn atelier(&self, arguments: &[&str], pictures: &[String]) -> anyhow::Result<String> {
        let data = self.data().display().to_string();
        let output = run("atelier", &on(&data, arguments, pictures), &self.environment).await?;
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The JSON objects that a command prints, one a line.
    async fn objects(&self, arguments: &[&str], pictures: &[String]) -> anyhow::Result<Vec<Value>> {
        let printed = self.atelier(arguments, pictures).await?;
        let objects: Result<Vec<Value>, _> = printed.lines().map(serde_json::from_str).collect();
        objects.with_context(|| format!("{arguments:?} printed {printed}"))
    }
}

const ONCE: [&str; 6] = ["demo", "--once", "--site-listen", ANY_PORT, "--bucket-listen", ANY_PORT];

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_publishes_everything_and_its_commands_tell_of_it() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let newcomer = Newcomer::new(&[("DATABASE__URL", &database.url), ("API__LISTEN", ANY_PORT)])?;
    let printed = newcomer.atelier(&ONCE, &newcomer.pictures).await?;
    let artworks = gallery::check(&newcomer.data().join("site"), &database.log()).await?;
    let imported = artworks.iter().filter(|artwork| artwork.details.tags.iter().any(|tag| tag == "import")).count();
    ensure!(imported == newcomer.pictures.len() && artworks.len() >= imported + 12, "{} artworks", artworks.len());
    ensure!(printed.contains(&format!("{} artworks published", artworks.len())), "{printed}");
    ensure!(printed.contains("/exports/"), "the ZIP is not named: {printed}");

    let verified = newcomer.objects(&["verify", "--json"], &[]).await?;
    ensure!(verified.len() == 1 && verified[0]["flaws"] == 0, "{verified:?}");
    ensure!(verified[0]["events"].as_u64() >= Some(60) && verified[0]["blobs"].as_u64() >= Some(75), "{verified:?}");
    let jobs = newcomer.objects(&["jobs", "--json", "--limit", "1000"], &[]).await?;
    // What deletes the ZIP waits until its time is over.
    let waits = |job: &Value| job["consumer"] == "exports" && job["state"] == "scheduled";
    let open: Vec<_> = jobs.iter().filter(|job| job["state"] != "completed" && !waits(job)).collect();
    ensure!(!jobs.is_empty() && open.is_empty(), "{open:?}");
    let events = newcomer.objects(&["tail", "--json", "--after", "0"], &[]).await?;
    ensure!(events.iter().zip(1..).all(|(event, position)| event["position"] == position), "{events:?}");
    ensure!(Some(events.len() as u64) == verified[0]["events"].as_u64(), "tail shows {} events", events.len());
    let replayed = newcomer.objects(&["replay", "--json"], &[]).await?;
    ensure!(replayed.len() == 1 && replayed[0]["position"] == events.len(), "{replayed:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn importing_the_same_pictures_again_adds_nothing() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let newcomer = Newcomer::new(&[("DATABASE__URL", &database.url), ("API__LISTEN", ANY_PORT)])?;
    let data = newcomer.data();
    let (text, listen) = (data.display().to_string(), ["up", "--site-listen", ANY_PORT, "--bucket-listen", ANY_PORT]);
    let said = std::fs::File::create(newcomer.folder.path().join("up.log"))?;
    let mut up = command("atelier", &on(&text, &listen, &[]), &newcomer.environment)?
        .stdout(said.try_clone()?)
        .stderr(said)
        .spawn()?;
    until("the installation says where it is", || async { runs(&data) }).await?;

    let outcomes =
        |imported: &[Value], outcome: &str| imported.iter().filter(|imported| imported["outcome"] == outcome).count();
    let first = newcomer.objects(&["import", "--json", "--wait"], &newcomer.pictures).await?;
    ensure!(outcomes(&first, "added") == newcomer.pictures.len(), "{first:?}");
    let again = newcomer.objects(&["import", "--json"], &newcomer.pictures).await?;
    ensure!(outcomes(&again, "already_there") == newcomer.pictures.len(), "{again:?}");
    let artworks = gallery::check(&data.join("site"), &database.log()).await?;
    ensure!(artworks.len() == newcomer.pictures.len(), "{} artworks", artworks.len());

    let pid = up.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).context("it runs")?;
    kill_process(pid, Signal::TERM)?;
    let status = tokio::time::timeout(STOPPED, up.wait()).await.context("`atelier up` does not stop")??;
    let said = std::fs::read_to_string(newcomer.folder.path().join("up.log"))?;
    ensure!(status.success(), "`atelier up` ended with {status}: {said}");
    ensure!(!runs(&data)?, "what has stopped still says where it is");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_publishes_everything_with_daemons_over_a_broker() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let (bus, api) = (&broker.settings, free_address().await?.to_string());
    let newcomer = Newcomer::new(&[
        ("DATABASE__URL", &database.url),
        ("BUS__URL", &bus.url),
        ("BUS__PREFIX", &bus.prefix),
        ("API__LISTEN", &api),
    ])?;
    let arguments: Vec<&str> = ONCE.into_iter().chain(["--daemons"]).collect();
    let shown = newcomer.atelier(&arguments, &newcomer.pictures).await;
    broker.delete().await?;
    let printed = shown?;
    let artworks = gallery::check(&newcomer.data().join("site"), &database.log()).await?;
    ensure!(printed.contains(&format!("{} artworks published", artworks.len())), "{printed}");
    ensure!(artworks.len() >= newcomer.pictures.len() + 12, "{} artworks", artworks.len());
    Ok(())
}

/// The arguments of `atelier` on this data directory.
fn on<'a>(data: &'a str, arguments: &[&'a str], pictures: &'a [String]) -> Vec<&'a str> {
    let pictures = pictures.iter().map(String::as_str);
    ["--data-dir", data].into_iter().chain(arguments.iter().copied()).chain(pictures).collect()
}

fn runs(data: &Path) -> anyhow::Result<bool> {
    Ok(Home::open(data)?.running()?.is_some())
}
