//! Whose fault it was that a worker died.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::process::Signal;

use crate::refused::Refused;
use crate::settings::RenderSettings;

/// What a worker exits with that could not confine itself.
pub(super) const UNCONFINED: u8 = 71;

/// How the daemon came to know that a worker is of no use any more.
#[derive(Debug)]
pub(super) enum Lost {
    /// It closed its pipes.
    Vanished,
    /// It took too long by the clock on the wall, and was killed; so much CPU time had it used.
    Overdue { cpu_s: u64 },
    /// It answered what no worker would, and was killed.
    Nonsense(&'static str),
}

/// The refusal of the file, or an error of the machine.
pub(super) fn verdict(
    lost: &Lost,
    status: ExitStatus,
    said: &str,
    settings: &RenderSettings,
) -> anyhow::Result<Refused> {
    match lost {
        Lost::Nonsense(what) => return Ok(Refused::Crashed((*what).to_owned())),
        // It was at work: the file is as slow as that. The limit of CPU time would have been next.
        Lost::Overdue { cpu_s } if 2 * cpu_s >= settings.max_cpu_s => {
            return Ok(Refused::TooSlow { limit_s: settings.max_wall_ms / 1_000 });
        }
        Lost::Overdue { cpu_s } => anyhow::bail!(
            "a render worker got {cpu_s} s of CPU time within {} ms: the machine is too busy",
            settings.max_wall_ms
        ),
        Lost::Vanished => {}
    }
    let words = last_words(said);
    if status.code() == Some(i32::from(UNCONFINED)) {
        anyhow::bail!("a render worker could not be confined: {words}");
    }
    let Some(signal) = status.signal().and_then(Signal::from_named_raw) else {
        return Ok(Refused::Crashed(format!("{status}: {words}")));
    };
    match signal {
        Signal::XCPU => Ok(Refused::TooSlow { limit_s: settings.max_cpu_s }),
        // What the allocator of the standard library says before it aborts.
        Signal::ABORT if said.contains("memory allocation of ") => {
            Ok(Refused::OutOfMemory { limit: settings.max_memory_bytes })
        }
        // Nothing a worker does brings these about: the machine ran out of memory, or an operator was here.
        Signal::KILL | Signal::TERM | Signal::INT | Signal::HUP | Signal::QUIT => {
            anyhow::bail!("a render worker was ended from outside ({status}): is the machine short of memory?")
        }
        _ => Ok(Refused::Crashed(status.to_string())),
    }
}

/// The last line that says something: how a panic can be looked into is nothing for the owner of a picture.
fn last_words(said: &str) -> &str {
    let lines = said.lines().rev().map(str::trim);
    let mut telling = lines.filter(|line| !line.is_empty() && !line.starts_with("note: "));
    telling.next().unwrap_or("without a word")
}
