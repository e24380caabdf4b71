//! `atelier replay` as a process of its own, and what it needed.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::AsyncReadExt;

use crate::bench::scratch::Scratch;

/// How often the process is asked for its peak. The system keeps that, so that only what happens in the last moment of
/// its life can be missed.
const LOOK: Duration = Duration::from_millis(20);

/// What a replay needed.
pub(super) struct Replayed {
    pub(super) position: i64,
    /// From its start to the swap.
    pub(super) seconds: f64,
    /// Resident memory at its peak; none where the system does not tell.
    pub(super) peak_mib: Option<f64>,
}

/// Runs it to its end.
pub(super) async fn replay(scratch: &Scratch, folder: &Path) -> anyhow::Result<Replayed> {
    let mut child = tokio::process::Command::new(std::env::current_exe()?)
        .args(["replay", "--json", "--data-dir"])
        .arg(folder.join("data"))
        .env("ATELIER__DATABASE__URL", scratch.url())
        .env("ATELIER__BUS__URL", "")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("starting `atelier replay`")?;
    let status = child.id().map(|id| format!("/proc/{id}/status")).context("`atelier replay` has no process")?;
    let (mut stdout, mut stderr) = (child.stdout.take().context("stdout")?, child.stderr.take().context("stderr")?);
    let (mut answer, mut said) = (String::new(), String::new());
    let mut peak = None;
    let ended = {
        let reading = async { tokio::try_join!(stdout.read_to_string(&mut answer), stderr.read_to_string(&mut said)) };
        tokio::pin!(reading);
        loop {
            tokio::select! {
                read = &mut reading => {
                    read?;
                    break child.wait().await?;
                }
                () = tokio::time::sleep(LOOK) => peak = peak_of(&status).or(peak),
            }
        }
    };
    ensure!(ended.success(), "`atelier replay` ended with {ended}: {said}");
    let replayed: serde_json::Value =
        serde_json::from_str(&answer).context("reading what `atelier replay` answered")?;
    let elapsed_ms = replayed["elapsed_ms"].as_f64().context("elapsed_ms")?;
    let position = replayed["position"].as_i64().context("position")?;
    Ok(Replayed { position, seconds: elapsed_ms / 1_000.0, peak_mib: peak })
}

fn peak_of(status: &str) -> Option<f64> {
    peak_in(&std::fs::read_to_string(status).ok()?)
}

fn peak_in(status: &str) -> Option<f64> {
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?;
    kib.parse::<f64>().ok().map(|kib| kib / 1_024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_what_the_system_says_of_a_process() {
        let status = "Name:\tatelier\nVmPeak:\t  999 kB\nVmHWM:\t   2048 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(peak_in(status), Some(2.0));
        assert_eq!(peak_in("Name:\tatelier\n"), None);
    }
}
