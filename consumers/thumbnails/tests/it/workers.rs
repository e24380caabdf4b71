//! Worker processes: bounded, replaced, and told apart when they die.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use atelier_e2e::until;
use atelier_thumbnails::settings::RenderSettings;
use atelier_thumbnails::workers::{Done, Task, Workers};
use atelier_thumbnails::{Caption, Limits, Policy, Refused, cut};
use image::RgbImage;
use rustix::process::Pid;

use crate::bombs::jpeg_with_scans;
use crate::fixtures::{jpeg, jpeg_with, png, scene};

pub(crate) fn workers(settings: RenderSettings) -> Workers {
    Workers::of(env!("CARGO_BIN_EXE_atelier-thumbnails").as_ref(), settings)
}

pub(crate) fn plain() -> Task {
    Task { policy: Policy::default(), caption: Caption::default() }
}

/// The processes of these workers: children of this one that were given this limit of memory, which is each test's own.
pub(crate) fn pids(memory: u64) -> Vec<Pid> {
    let of_ours = |pid: i32| {
        let arguments = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let lives = !status.contains("State:\tZ") && status.contains(&format!("PPid:\t{}\n", std::process::id()));
        (lives && arguments.split('\0').any(|argument| argument == memory.to_string())).then(|| Pid::from_raw(pid))?
    };
    let entries = std::fs::read_dir("/proc").expect("a system that tells of its processes");
    entries.filter_map(|entry| of_ours(entry.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

pub(crate) async fn only_pid(memory: u64) -> anyhow::Result<Pid> {
    until("the worker runs", || async { Ok(pids(memory).len() == 1) }).await?;
    pids(memory).first().copied().context("it has gone")
}

#[tokio::test]
async fn a_worker_makes_what_this_process_makes() -> anyhow::Result<()> {
    let workers = workers(RenderSettings::default());
    let original = jpeg(&scene(1200, 900));
    let task = Task { caption: Caption::of("Harbour", "Ada"), ..plain() };
    let Done { outcome, cost } = workers.render(&original, &task).await?;
    assert_eq!(outcome?, cut(&original, &task.caption, &Policy::default())?);
    assert!(cost.cpu > Duration::ZERO && cost.peak_bytes > 1 << 20, "{cost:?}");

    let refused = workers.render(b"hi", &plain()).await?.outcome.expect_err("it is text");
    assert_eq!(refused, Refused::NotAnImage { found: "text".to_owned() });
    Ok(())
}

#[tokio::test]
async fn a_worker_is_used_again_until_it_has_done_its_share() -> anyhow::Result<()> {
    let max_memory_bytes = (400 << 20) + 4096;
    let workers = workers(RenderSettings { max_renders: 3, max_memory_bytes, ..RenderSettings::default() });
    assert!(pids(max_memory_bytes).is_empty(), "none begins before there is work");
    let original = png(scene(64, 48));
    let mut seen = Vec::new();
    for _ in 0..3 {
        workers.render(&original, &plain()).await?.outcome?;
        seen.extend(pids(max_memory_bytes).first().copied());
    }
    // It ended with its third picture.
    assert!(seen.len() >= 2 && seen.iter().all(|pid| *pid == seen[0]), "{seen:?}");
    workers.render(&original, &plain()).await?.outcome?;
    assert_ne!(only_pid(max_memory_bytes).await?, seen[0]);
    Ok(())
}

#[tokio::test]
async fn a_worker_that_has_grown_is_replaced() -> anyhow::Result<()> {
    let workers = workers(RenderSettings { max_idle_bytes: 1, ..RenderSettings::default() });
    workers.render(&png(scene(64, 48)), &plain()).await?.outcome?;
    assert_eq!(workers.running(), 0);
    Ok(())
}

#[tokio::test]
async fn workers_without_work_end() -> anyhow::Result<()> {
    let max_memory_bytes = (400 << 20) + 2 * 4096;
    let settings = RenderSettings { idle_ms: 200, processes: 3, max_memory_bytes, ..RenderSettings::default() };
    let workers = workers(settings);
    let (original, task) = (png(scene(64, 48)), plain());
    let rendered = futures::future::join_all((0..6).map(|_| workers.render(&original, &task))).await;
    assert!(rendered.iter().all(|done| done.as_ref().is_ok_and(|done| done.outcome.is_ok())));
    until("all have ended", || async { Ok(workers.running() == 0 && pids(max_memory_bytes).is_empty()) }).await?;
    workers.render(&original, &task).await?.outcome?;
    Ok(())
}

fn descriptor(path: &Path) -> anyhow::Result<u32> {
    Ok(path.file_name().and_then(|name| name.to_str()).context("a number")?.parse()?)
}

/// What this process was given beyond its three streams, and gives to every child.
fn handed_down() -> anyhow::Result<Vec<u32>> {
    const CLOSED_AT_EXEC: u32 = 0o2_000_000;
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fdinfo")? {
        let path = entry?.path();
        // The one that lists them has been closed by now.
        let Ok(info) = std::fs::read_to_string(&path) else { continue };
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).context("flags")?.trim().to_owned();
        let number = descriptor(&path)?;
        if number > 2 && u32::from_str_radix(&flags, 8)? & CLOSED_AT_EXEC == 0 {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

#[tokio::test]
async fn a_worker_has_no_secret_no_socket_and_bounds() -> anyhow::Result<()> {
    let max_memory_bytes = (400 << 20) + 3 * 4096;
    let workers = workers(RenderSettings { max_memory_bytes, ..RenderSettings::default() });
    workers.render(&png(scene(64, 48)), &plain()).await?.outcome?;
    let pid = only_pid(max_memory_bytes).await?.as_raw_nonzero();
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
    assert_eq!(read("environ")?, "MALLOC_MMAP_THRESHOLD_=1048576\0", "no secret reaches it");
    let limits = read("limits")?;
    let limit = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()).map(str::to_owned)
    };
    assert_eq!(limit("Max open files").as_deref(), Some("0"));
    assert_eq!(limit("Max file size").as_deref(), Some("0"));
    assert_eq!(limit("Max core file size").as_deref(), Some("0"));
    assert_eq!(limit("Max data size"), Some(max_memory_bytes.to_string()));
    let cpu_s: u64 = limit("Max cpu time").context("no limit")?.parse()?;
    assert!((1..=30).contains(&cpu_s), "{cpu_s}");
    let status = read("status")?;
    assert!(status.contains("Seccomp:\t2\n") && status.contains("NoNewPrivs:\t1\n"), "{status}");
    assert!(status.contains("Threads:\t1\n"), "{status}");
    // The three pipes to the daemon. Whoever runs the tests may hand files down to all of its children, without saying that
    // they are to be closed at the start of another program; a daemon's own all say so.
    let mut open = BTreeMap::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        let (number, what) = (entry?.path(), |path| std::fs::read_link(path));
        open.insert(descriptor(&number)?, what(&number)?.to_string_lossy().into_owned());
    }
    let mut expected = BTreeSet::from([0, 1, 2]);
    expected.extend(handed_down()?);
    assert_eq!(open.keys().copied().collect::<BTreeSet<u32>>(), expected, "{open:?}");
    let pipes: BTreeSet<&String> = [0, 1, 2].iter().map(|number| &open[number]).collect();
    assert!(pipes.len() == 3 && pipes.iter().all(|pipe| pipe.starts_with("pipe:[")), "{open:?}");
    Ok(())
}

#[tokio::test]
async fn a_picture_that_needs_too_much_memory_is_refused_and_disturbs_no_other() -> anyhow::Result<()> {
    let limit = 64 << 20;
    let settings = RenderSettings { max_memory_bytes: limit, processes: 2, ..RenderSettings::default() };
    let workers = workers(settings);
    let (large, small, task) = (png(RgbImage::new(6000, 6000)), png(scene(640, 480)), plain());
    let beside = async {
        for _ in 0..20 {
            workers.render(&small, &task).await?.outcome?;
        }
        anyhow::Ok(())
    };
    let (refused, beside) = tokio::join!(workers.render(&large, &task), beside);
    assert_eq!(refused?.outcome, Err(Refused::OutOfMemory { limit }));
    beside
}

#[tokio::test]
async fn a_picture_that_takes_too_much_cpu_time_is_refused() -> anyhow::Result<()> {
    let workers = workers(RenderSettings { max_cpu_s: 1, ..RenderSettings::default() });
    // Progressive scans repeated, and a gate that lets them through: each costs a pass over the whole picture.
    let limits = Limits { max_scans: 100_000, max_scan_px: u64::MAX, ..Limits::default() };
    let task = Task { policy: Policy { limits, ..Policy::default() }, caption: Caption::default() };
    let slow = jpeg_with_scans(&jpeg_with(&scene(4096, 4096), |encoder| encoder.set_progressive(true)), 3000);
    let refused = workers.render(&slow, &task).await?.outcome;
    assert_eq!(refused, Err(Refused::TooSlow { limit_s: 1 }));
    Ok(())
}
