//! What a worker takes from itself before it sees the first byte of a picture.
//!
//! Limits of the system that anybody may set for themselves, and a filter of system calls that cannot be taken off again.
//! The filter lists what may be called: memory, the pipes that are open already, time, and its own end. Everything else is
//! answered with "not permitted" rather than death, so that a library that asks for something needless goes on.

use std::io;

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::inside::cpu_us;

/// The bounds of a worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Confinement {
    /// Memory of its own, in bytes: what it allocates, its stack, no program text.
    pub(super) memory_bytes: u64,
    /// CPU time for one picture, in seconds.
    pub(super) cpu_s: u64,
    /// Whether system calls are filtered.
    pub(super) seccomp: bool,
}

/// Takes everything away that cutting does not need.
pub(super) fn enter(confinement: Confinement) -> anyhow::Result<()> {
    let limits = [
        // More than this cannot be allocated: an allocation that fails ends the process, and says so.
        (Resource::Data, confinement.memory_bytes),
        // No file, no socket, no pipe beside those that are open.
        (Resource::Nofile, 0),
        // Nothing is written to disk, not even a picture of its memory when it crashes.
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ];
    for (resource, limit) in limits {
        // Whoever started the daemon may have set a lower one, which cannot be raised.
        let limit = getrlimit(resource).maximum.map_or(limit, |allowed| allowed.min(limit));
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })
            .with_context(|| format!("limiting {resource:?} of a render worker to {limit}"))?;
    }
    if confinement.seccomp {
        filter().context("filtering the system calls of a render worker; render.seccomp = false does without")?;
    }
    Ok(())
}

/// Gives one picture its CPU time. The system counts the process's whole life in seconds, and ends it by a signal.
pub(super) fn begin_picture(confinement: Confinement) -> io::Result<()> {
    let maximum = getrlimit(Resource::Cpu).maximum;
    let end = cpu_us().div_ceil(1_000_000) + confinement.cpu_s;
    let end = maximum.map_or(end, |maximum| maximum.min(end));
    Ok(setrlimit(Resource::Cpu, Rlimit { current: Some(end), maximum })?)
}

#[cfg(target_os = "linux")]
fn filter() -> anyhow::Result<()> {
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
        apply_filter,
    };

    /// May be called with any arguments.
    const FREE: [i64; 21] = [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_close,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_sched_yield,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_exit_group,
    ];
    let first_is = |value: u32| -> anyhow::Result<_> {
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value.into())?;
        Ok(vec![SeccompRule::new(vec![condition])?])
    };
    // How a process ends itself by a signal (abort), and how it changes limits of its own, which are those of process 0.
    let bounded = [(libc::SYS_tgkill, first_is(std::process::id())?), (libc::SYS_prlimit64, first_is(0)?)];
    let rules = FREE.into_iter().map(|call| (call, Vec::new())).chain(bounded).collect();
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    let program: BpfProgram = SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch)?.try_into()?;
    Ok(apply_filter(&program)?)
}

#[cfg(not(target_os = "linux"))]
fn filter() -> anyhow::Result<()> {
    anyhow::bail!("this system has no such filter")
}
