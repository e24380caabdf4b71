//! What an installation costs: daemons that have nothing to do, and daemons that have had much to do for long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use atelier_e2e::{Broker, Database, until};
use atelier_events::{ArtworkId, Log};
use atelier_standalone::daemons::NAMES;

use crate::commands::{sketches, upload};
use crate::harness::{Processes, report, with_processes};
use crate::invariant::check;
use crate::{history, pictures};

/// How long idle daemons are watched.
const IDLE: Duration = Duration::from_secs(10);

/// What an idle daemon may cost in a build without optimisation; a release build is to stay under 40 MiB and 0.5 % of
/// a core.
const IDLE_MIB: f64 = 100.0;
const IDLE_CORE: f64 = 0.05;

/// How long the soak lasts, in seconds.
const SOAK_VARIABLE: &str = "ATELIER_SOAK_S";
const SOAK_DEFAULT: Duration = Duration::from_secs(20);

/// Sketches and uploads in a round, and how many artworks may be asked for and not rendered.
const SKETCHES: u32 = 6;
const UPLOADS: u32 = 2;
const AHEAD: usize = 24;
const SIDE: u32 = 96;

/// What a daemon may grow by from the first quarter of the soak to its end: what the allocators need to come to rest,
/// and what index and gallery keep of each artwork that has come since (10 KiB were measured in ten minutes).
const GROWTH_MIB: f64 = 24.0;
const GROWTH_MIB_PER_ARTWORK: f64 = 0.016;
/// What the tables may have that hold nothing when all is done, with the room that is left of what they held.
const TURNED_OVER_MIB: f64 = 16.0;

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_without_work_costs_little() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let outcome = with_processes(&database.url, broker.settings.clone(), &[], async |processes| {
        let accepted = sketches(&processes.client, "warm", 2, SIDE).await?;
        check(processes, &accepted).await?;
        let before = costs(processes)?;
        let began = Instant::now();
        // No wait for anything: that nothing happens is what is measured.
        tokio::time::sleep(IDLE).await;
        let passed = began.elapsed();
        let mut dear = Vec::new();
        for (name, cost) in costs(processes)? {
            let core = cost.busy.saturating_sub(before[name].busy).as_secs_f64() / passed.as_secs_f64();
            report(&format!("idle {name}: {:.1} MiB, {:.2} % of a core", cost.resident_mib, core * 100.0));
            if cost.resident_mib > IDLE_MIB || core > IDLE_CORE {
                dear.push(name);
            }
        }
        ensure!(dear.is_empty(), "idle daemons cost more than {IDLE_MIB} MiB or {IDLE_CORE} cores: {dear:?}");
        Ok(())
    })
    .await;
    broker.delete().await?;
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_flat_in_a_soak_in_which_artworks_keep_coming() -> anyhow::Result<()> {
    let lasts = match std::env::var(SOAK_VARIABLE) {
        Ok(text) => Duration::from_secs(text.parse().with_context(|| format!("{SOAK_VARIABLE} is {text:?}"))?),
        Err(_) => SOAK_DEFAULT,
    };
    let database = Database::create().await?;
    let broker = Broker::scratch();
    let outcome = with_processes(&database.url, broker.settings.clone(), &[], async |processes| {
        let began = Instant::now();
        let mut accepted = Vec::new();
        soak(processes, &mut accepted, || began.elapsed() < lasts / 4).await?;
        let (early, artworks) = (costs(processes)?, accepted.len());
        soak(processes, &mut accepted, || began.elapsed() < lasts).await?;
        let late = costs(processes)?;
        let allowed = GROWTH_MIB + GROWTH_MIB_PER_ARTWORK * f64::from(u32::try_from(accepted.len() - artworks)?);
        let rate = f64::from(u32::try_from(accepted.len())?) / began.elapsed().as_secs_f64();
        report(&format!("soak of {} s: {} artworks, {rate:.1}/s", lasts.as_secs(), accepted.len()));
        let mut grown = Vec::new();
        for (name, cost) in late {
            let before = early[name].resident_mib;
            report(&format!("soak {name}: {before:.1} MiB after a quarter, {:.1} MiB at the end", cost.resident_mib));
            if cost.resident_mib > before + allowed {
                grown.push(name);
            }
        }
        ensure!(grown.is_empty(), "these have grown by more than {allowed:.1} MiB: {grown:?}");
        check(processes, &accepted).await?;
        let log = processes.connections.log.clone();
        let turned_over = mebibytes(&log, &["available_jobs", "scheduled_jobs", "leases"]).await?;
        report(&format!("soak: what waits and runs has {turned_over:.1} MiB of tables"));
        ensure!(turned_over < TURNED_OVER_MIB, "tables that are empty have {turned_over:.1} MiB");
        // The history of the jobs, too, is as long as it is asked to be.
        let forgetful = processes.replace("atelier-producer", &[("RELAY__KEEP_JOBS_S", "1")]).await?;
        until("jobs that ended are forgotten", || async {
            let left: i64 = sqlx::query_scalar("select count(*) from jobs").fetch_one(log.pool()).await?;
            Ok(left == 0)
        })
        .await?;
        forgetful.stop().await
    })
    .await;
    broker.delete().await?;
    outcome
}

async fn mebibytes(log: &Log, tables: &[&str]) -> anyhow::Result<f64> {
    let statement =
        "select sum(pg_total_relation_size(name::regclass))::float8 / 1048576 from unnest($1::text[]) as name";
    Ok(sqlx::query_scalar(statement).bind(tables).fetch_one(log.pool()).await?)
}

/// Asks for artworks round by round, never far ahead of what is done.
async fn soak(processes: &Processes, accepted: &mut Vec<ArtworkId>, goes_on: impl Fn() -> bool) -> anyhow::Result<()> {
    while goes_on() {
        let so_far = accepted.len();
        let ahead = i64::try_from(so_far.saturating_sub(AHEAD))?;
        history::rendered(&processes.connections.log, ahead).await?;
        accepted.extend(sketches(&processes.client, &format!("soak-{so_far}"), SKETCHES, SIDE).await?);
        for number in 0..UPLOADS {
            let number = u32::try_from(so_far)? + number;
            let bytes = pictures::small(number, SIDE, image::ImageFormat::Png)?;
            let name = format!("soak-{number}.png");
            accepted.push(upload(&processes.client, &name, "image/png", &bytes).await?);
        }
    }
    Ok(())
}

/// What a process has cost.
struct Cost {
    /// Of memory, now.
    resident_mib: f64,
    /// Of processors, since it began.
    busy: Duration,
}

fn costs(processes: &Processes) -> anyhow::Result<BTreeMap<&'static str, Cost>> {
    NAMES.into_iter().map(|name| Ok((name, cost(processes.daemons.pid(name).context("it runs")?)?))).collect()
}

/// Linux tells it in ticks, of which there are a hundred in a second everywhere.
fn cost(pid: u32) -> anyhow::Result<Cost> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    let resident: u32 = resident.context("a process has a size")?.parse()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the name in parentheses, which may hold anything; user and system time are the 14th and 15th.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 =
        fields.get(11).context("user time")?.parse::<u64>()? + fields.get(12).context("system time")?.parse::<u64>()?;
    Ok(Cost { resident_mib: f64::from(resident) / 1024.0, busy: Duration::from_millis(ticks * 10) })
}
