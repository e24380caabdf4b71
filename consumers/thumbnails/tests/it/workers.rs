//! Worker processes: bounded, replaced, and told apart when they die.

use std::time::Duration;

use anyhow::Context as _;
use atelier_e2e::until;
use atelier_thumbnails::settings::RenderSettings;
use atelier_thumbnails::workers::{Done, Task, Workers};
use atelier_thumbnails::{Caption, Limits, Policy, Refused, cut};
use image::RgbImage;
use rustix::process::{Pid, Signal, kill_process};

use crate::bombs::jpeg_with_scans;
use crate::fixtures::{jpeg, jpeg_with, png, scene};

fn workers(settings: RenderSettings) -> Workers {
    Workers::of(env!("CARGO_BIN_EXE_atelier-thumbnails").as_ref(), settings)
}

fn plain() -> Task {
    Task { policy: Policy::default(), caption: Caption::default() }
}

/// The processes of these workers: children of this one that were given this limit of memory, which is each test's own.
fn pids(memory: u64) -> Vec<Pid> {
    let of_ours = |pid: i32| {
        let arguments = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let lives = !status.contains("State:\tZ") && status.contains(&format!("PPid:\t{}\n", std::process::id()));
        (lives && arguments.split('\0').any(|argument| argument == memory.to_string())).then(|| Pid::from_raw(pid))?
    };
    let entries = std::fs::read_dir("/proc").expect("a system that tells of its processes");
    entries.filter_map(|entry| of_ours(entry.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

async fn only_pid(memory: u64) -> anyhow::Result<Pid> {
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

#[tokio::test]
async fn a_worker_has_no_secret_no_socket_and_bounds() -> anyhow::Result<()> {
    let max_memory_bytes = (400 << 20) + 3 * 4096;
    let workers = workers(RenderSettings { max_memory_bytes, ..RenderSettings::default() });
    workers.render(&png(scene(64, 48)), &plain()).await?.outcome?;
    let pid = only_pid(max_memory_bytes).await?.as_raw_nonzero();
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
    assert_eq!(read("environ")?, "", "no secret reaches it");
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
    // Who runs the tests may hand files down to all; a daemon's own are closed at the start of another program.
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        let open = std::fs::read_link(entry?.path())?;
        assert!(!open.to_string_lossy().starts_with("socket:"), "{}", open.display());
    }
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

/// A worker that is at work, and has been stopped there.
async fn stopped(memory: u64) -> anyhow::Result<Pid> {
    let pid = only_pid(memory).await?;
    kill_process(pid, Signal::STOP)?;
    Ok(pid)
}

async fn ended_by(signal: Signal, memory: u64) -> anyhow::Result<anyhow::Result<Done>> {
    let workers = workers(RenderSettings { max_memory_bytes: memory, ..RenderSettings::default() });
    let (original, task) = (jpeg(&scene(6000, 4000)), plain());
    let end = async {
        let pid = stopped(memory).await?;
        kill_process(pid, signal)?;
        kill_process(pid, Signal::CONT)?;
        anyhow::Ok(())
    };
    let (rendered, ended) = tokio::join!(workers.render(&original, &task), end);
    ended?;
    assert_eq!(workers.running(), 0);
    workers.render(&png(scene(64, 48)), &task).await?.outcome?;
    Ok(rendered)
}

#[tokio::test]
async fn a_worker_that_crashes_is_the_fault_of_its_picture() -> anyhow::Result<()> {
    // Not SEGV and BUS: the first of those that comes without a fault is passed over by the standard library's handler.
    for (at, signal) in [Signal::ILL, Signal::FPE, Signal::ABORT].into_iter().enumerate() {
        let outcome = ended_by(signal, (500 << 20) + 4096 * at as u64).await??.outcome;
        assert!(matches!(outcome, Err(Refused::Crashed(_))), "{outcome:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_worker_that_is_killed_from_outside_is_the_fault_of_the_machine() -> anyhow::Result<()> {
    for (at, signal) in [Signal::KILL, Signal::TERM].into_iter().enumerate() {
        let error = ended_by(signal, (600 << 20) + 4096 * at as u64).await?.expect_err("it is tried again");
        assert!(error.to_string().contains("ended from outside"), "{error:#}");
    }
    Ok(())
}

#[tokio::test]
async fn an_idle_worker_that_was_killed_costs_no_picture() -> anyhow::Result<()> {
    let max_memory_bytes = (400 << 20) + 4 * 4096;
    let workers = workers(RenderSettings { max_memory_bytes, ..RenderSettings::default() });
    let (original, task) = (png(scene(64, 48)), plain());
    workers.render(&original, &task).await?.outcome?;
    kill_process(only_pid(max_memory_bytes).await?, Signal::KILL)?;
    until("it is dead", || async { Ok(pids(max_memory_bytes).is_empty()) }).await?;
    workers.render(&original, &task).await?.outcome?;
    Ok(())
}

#[tokio::test]
async fn a_worker_that_gets_no_cpu_time_is_no_fault_of_its_picture() -> anyhow::Result<()> {
    let max_memory_bytes = (400 << 20) + 5 * 4096;
    let workers = workers(RenderSettings { max_memory_bytes, max_wall_ms: 1_000, ..RenderSettings::default() });
    let (original, task) = (jpeg(&scene(6000, 4000)), plain());
    let (rendered, stopped) = tokio::join!(workers.render(&original, &task), stopped(max_memory_bytes));
    stopped?;
    let error = rendered.expect_err("it is tried again");
    assert!(error.to_string().contains("the machine is too busy"), "{error:#}");
    until("it is dead", || async { Ok(pids(max_memory_bytes).is_empty()) }).await
}

#[tokio::test]
async fn a_picture_that_nobody_waits_for_any_more_takes_its_worker_along() -> anyhow::Result<()> {
    let max_memory_bytes = (400 << 20) + 6 * 4096;
    let workers = workers(RenderSettings { max_memory_bytes, ..RenderSettings::default() });
    let (original, task) = (jpeg(&scene(6000, 4000)), plain());
    tokio::select! {
        done = workers.render(&original, &task) => anyhow::bail!("it was not stopped: {:?}", done?.outcome),
        pid = stopped(max_memory_bytes) => drop(pid?),
    }
    until("it is dead", || async { Ok(pids(max_memory_bytes).is_empty() && workers.running() == 0) }).await
}

#[tokio::test]
async fn a_program_that_is_no_worker_is_an_error_and_not_the_fault_of_a_picture() {
    let workers = Workers::of("/nowhere/atelier".as_ref(), RenderSettings::default());
    let error = workers.render(&png(scene(8, 8)), &plain()).await.expect_err("it cannot begin");
    assert!(format!("{error:#}").contains("/nowhere/atelier"), "{error:#}");
}
