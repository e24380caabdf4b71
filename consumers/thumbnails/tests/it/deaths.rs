//! How a worker can die, whose fault that is, and that only its own picture suffers.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use atelier_e2e::until;
use atelier_events::VariantState;
use atelier_runtime::{Job as _, Outcome};
use atelier_thumbnails::Refused;
use atelier_thumbnails::settings::{RenderSettings, Settings};
use atelier_thumbnails::workers::{Done, Workers};
use rustix::process::{Pid, Signal, kill_process};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

use crate::fixtures::{jpeg, png, scene};
use crate::stage::{Stage, attempt, rendered};
use crate::workers::{only_pid, pids, plain, workers};

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
    for (at, signal) in [Signal::ILL, Signal::FPE, Signal::ABORT].into_iter().enumerate() {
        let outcome = ended_by(signal, (500 << 20) + 4096 * at as u64).await??.outcome;
        assert!(matches!(outcome, Err(Refused::Crashed(_))), "{outcome:?}");
    }
    Ok(())
}

/// A worker at work, ended by a segmentation fault. The handler that the standard library has for the end of the stack
/// passes over the first one that is no fault of an address, and takes itself away: the second ends the process.
async fn segfault(memory: u64) -> anyhow::Result<()> {
    const SIGSEGV_BIT: u64 = 1 << 10;
    let pid = stopped(memory).await?;
    kill_process(pid, Signal::SEGV)?;
    kill_process(pid, Signal::CONT)?;
    let caught = || -> anyhow::Result<u64> {
        // One that had no handler yet is gone already.
        let Ok(status) = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())) else {
            return Ok(0);
        };
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).context("a mask")?;
        Ok(u64::from_str_radix(mask.trim(), 16)?)
    };
    until("the handler is gone", || async { Ok(caught()? & SIGSEGV_BIT == 0) }).await?;
    // Or it has gone by itself.
    let _gone = kill_process(pid, Signal::SEGV);
    Ok(())
}

#[tokio::test]
async fn a_worker_that_segfaults_ends_its_job_and_disturbs_no_other() -> anyhow::Result<()> {
    let stage = Stage::begin().await?;
    let memory = (500 << 20) + 3 * 4096;
    let render = RenderSettings { max_memory_bytes: memory, processes: 2, ..RenderSettings::default() };
    let job = stage.job(&stage.bucket.blobs, render);
    let event = stage.uploaded("large.jpg", &jpeg(&scene(6000, 4000))).await?;
    let attempt_at = attempt(&event);
    let (outcome, ended) = tokio::join!(job.run(&attempt_at), segfault(memory));
    ended?;
    let outcome = outcome?;
    assert!(
        matches!(&outcome, Outcome::Discarded(why) if why.contains("cutting the picture failed: signal: 11 (SIGSEGV)")),
        "{outcome:?}"
    );
    stage.settle(&event, outcome).await?;
    let variant = stage.variant(&event).await?;
    let failure = variant.failure.context("it failed")?;
    assert!(variant.state == VariantState::Failed && failure.error.contains("SIGSEGV"), "{failure:?}");
    assert_eq!(stage.shown().await?, BTreeSet::new(), "nothing of it is to be seen");

    // The same daemon goes on, and so did what was beside it.
    let beside = stage.uploaded("small.png", &png(scene(64, 48))).await?;
    rendered(job.run(&attempt(&beside)).await?)?;
    Ok(())
}

#[tokio::test]
async fn a_neighbour_of_a_worker_that_segfaults_is_cut() -> anyhow::Result<()> {
    let memory = (500 << 20) + 4 * 4096;
    let workers = workers(RenderSettings { max_memory_bytes: memory, processes: 2, ..RenderSettings::default() });
    let (large, small, task) = (jpeg(&scene(6000, 4000)), png(scene(640, 480)), plain());
    // The neighbour begins when the other has been found, so that it is known which of them is which.
    let beside = async {
        segfault(memory).await?;
        for _ in 0..5 {
            workers.render(&small, &task).await?.outcome?;
        }
        anyhow::Ok(())
    };
    let (crashed, beside) = tokio::join!(workers.render(&large, &task), beside);
    beside?;
    assert_eq!(crashed?.outcome, Err(Refused::Crashed("signal: 11 (SIGSEGV)".to_owned())));
    Ok(())
}

/// A program that is a worker like any other, but for what this script does before.
pub(crate) fn script(folder: &Path, before: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join("worker.sh");
    let worker = env!("CARGO_BIN_EXE_atelier-thumbnails");
    std::fs::write(&path, format!("#!/bin/sh\n{before} {worker} \"$@\"\n"))?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    Ok(path)
}

#[tokio::test]
async fn a_worker_that_panics_ends_its_job_and_not_the_daemon() -> anyhow::Result<()> {
    let stage = Stage::begin().await?;
    let folder = tempfile::tempdir()?;
    // More bytes of a picture are announced than any memory has an address for, and then the daemon is heard.
    let announced = [&0_u32.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat();
    std::fs::write(folder.path().join("announced"), announced)?;
    let announce = format!("{{ cat {}/announced; head -c 20; }} |", folder.path().display());
    let program = script(folder.path(), &format!("PATH=/usr/bin:/bin; {announce}"))?;
    let event = stage.uploaded("small.png", &png(scene(64, 48))).await?;
    let panicking = stage.job_of(&program, &stage.bucket.blobs, Settings::default());
    let outcome = panicking.run(&attempt(&event)).await?;
    assert!(
        matches!(&outcome, Outcome::Discarded(why) if why == "cutting the picture failed: exit status: 101: capacity overflow"),
        "{outcome:?}"
    );
    stage.settle(&event, outcome).await?;
    assert_eq!(stage.variant(&event).await?.state, VariantState::Failed);
    assert_eq!(stage.shown().await?, BTreeSet::new(), "nothing of it is to be seen");
    rendered(stage.run(&stage.uploaded("small.png", &png(scene(64, 48))).await?).await?)?;
    Ok(())
}

/// Runs in a thread whose children cannot have their system calls filtered: the filters of a thread are inherited, and this
/// one refuses to add to them.
fn where_no_filter_can_be_had<T: Send + 'static>(
    run: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let refused = move || {
        let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
        let option = u64::from(libc::PR_SET_SECCOMP.unsigned_abs());
        let sets_a_filter = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, option)?;
        let rules = [(libc::SYS_seccomp, Vec::new()), (libc::SYS_prctl, vec![SeccompRule::new(vec![sets_a_filter])?])];
        let arch = std::env::consts::ARCH.try_into()?;
        let filter = SeccompFilter::new(rules.into_iter().collect(), SeccompAction::Allow, refuse, arch)?;
        let program: BpfProgram = filter.try_into()?;
        apply_filter(&program)?;
        run()
    };
    std::thread::spawn(refused).join().map_err(|_| anyhow::anyhow!("it panicked"))?
}

#[test]
fn a_worker_that_cannot_confine_itself_refuses_to_work_and_the_job_is_tried_again() -> anyhow::Result<()> {
    where_no_filter_can_be_had(|| {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let stage = Stage::begin().await?;
            let event = stage.uploaded("small.png", &png(scene(64, 48))).await?;
            let job = stage.job(&stage.bucket.blobs, RenderSettings::default());
            let error = job.run(&attempt(&event)).await.expect_err("it is the machine's fault");
            let words = error.to_string();
            assert!(words.starts_with("a render worker could not be confined: filtering the system calls"), "{words}");
            assert!(words.contains("render.seccomp = false does without"), "{words}");
            assert_eq!(stage.shown().await?, BTreeSet::new(), "nothing was cut");
            assert_eq!(stage.variant(&event).await?.state, VariantState::Processing, "it is tried again");

            // Who knows that there is no such filter says so.
            let without = RenderSettings { seccomp: false, ..RenderSettings::default() };
            rendered(stage.job(&stage.bucket.blobs, without).run(&attempt(&event)).await?)?;
            Ok(())
        })
    })
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
