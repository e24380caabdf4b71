//! `atelier render` as a process of its own, from its start to its end.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::ARTIST;

/// Processes started; the cheapest counts.
const STARTS: u32 = 5;

/// CPU time in milliseconds of a process that renders the file by the settings in the folder, of user and system; none
/// where the system does not tell.
pub(super) fn start(file: &Path, folder: &Path) -> anyhow::Result<Option<f64>> {
    let file = file.canonicalize().with_context(|| format!("finding {}", file.display()))?;
    let mut best = None;
    for _ in 0..STARTS {
        let Some(spent) = once(&file, folder)? else { return Ok(None) };
        best = Some(best.map_or(spent, |best: f64| best.min(spent)));
    }
    Ok(best)
}

fn once(file: &Path, folder: &Path) -> anyhow::Result<Option<f64>> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("render")
        .arg(file)
        .args(["--artist", ARTIST, "--out"])
        .arg(folder.join("renditions"))
        .env_clear()
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("starting `atelier render`")?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("`atelier render` has no process")?;
    // Ended, but not yet waited for: the system still tells what it used, to the nanosecond.
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).context("waiting for `atelier render`")?;
    let spent = std::fs::read_to_string(format!("/proc/{}/schedstat", child.id())).ok();
    let ended = child.wait()?;
    ensure!(ended.success(), "`atelier render` ended with {ended}");
    Ok(spent.and_then(|spent| milliseconds(&spent)))
}

/// The first of its numbers is the time on a processor, in nanoseconds: of the main thread, which is all that rendering has.
fn milliseconds(schedstat: &str) -> Option<f64> {
    let nanoseconds: f64 = schedstat.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_on_a_processor_is_the_first_number_in_nanoseconds() {
        assert_eq!(milliseconds("90250000 2597426 2\n"), Some(90.25));
        assert_eq!(milliseconds(""), None);
    }
}
