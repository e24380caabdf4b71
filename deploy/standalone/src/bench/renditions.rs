//! What a set of renditions costs: thumb, icon, preview, display with a watermark, card with words, placeholder and
//! palette, on one thread.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use atelier_events::RenditionKind;
use atelier_thumbnails::{Caption, Mark, Policy, cut_measured};
use serde::Serialize;

use crate::render::CostsMs;
use crate::table::{self, Align};

/// Sets cut of each file; the cheapest counts, since whatever else the machine does only adds.
const RUNS: u32 = 10;

#[derive(Serialize)]
struct Line<'a> {
    name: &'static str,
    value: f64,
    unit: &'static str,
    file: &'a Path,
}

/// Measures each file and prints its lines.
pub(super) fn measure(files: &[PathBuf], json: bool) -> anyhow::Result<()> {
    ensure!(!files.is_empty(), "which pictures? Name at least one file: atelier bench renditions FILE…");
    let policy = Policy { preview_quality: 80, extras: vec![RenditionKind::Card], ..Policy::default() };
    let mark = Mark { text: "© Ada Lovelace — Kid Pix Museum".to_owned(), ..Mark::default() };
    let caption = Caption { title: String::new(), artist: "Ada Lovelace".to_owned(), mark: Some(mark) };
    let mut rows = Vec::new();
    for file in files {
        let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        forget_peak();
        let mut best: Option<CostsMs> = None;
        // One more, unmeasured: it reads the fonts and fills the buffers.
        for run in 0..=RUNS {
            let (_, costs) =
                cut_measured(&bytes, &caption, &policy).with_context(|| format!("cutting {}", file.display()))?;
            let costs = CostsMs::from(costs);
            if run > 0 && best.is_none_or(|best| costs.set_cpu_ms < best.set_cpu_ms) {
                best = Some(costs);
            }
        }
        let costs = best.context("a run was measured")?;
        let lines = [
            ("set_cpu_ms", costs.set_cpu_ms, "ms"),
            ("decode_ms", costs.decode_ms, "ms"),
            ("resize_ms", costs.resize_ms, "ms"),
            ("text_ms", costs.text_ms, "ms"),
            ("encode_ms", costs.encode_ms, "ms"),
        ];
        let peak = peak_mib().map(|peak| ("peak_mib", peak, "MiB"));
        for (name, value, unit) in lines.into_iter().chain(peak) {
            if json {
                writeln!(std::io::stdout(), "{}", serde_json::to_string(&Line { name, value, unit, file })?)?;
            } else {
                rows.push(vec![file.display().to_string(), name.to_owned(), format!("{value:.1}"), unit.to_owned()]);
            }
        }
    }
    if !json {
        let columns =
            [("file", Align::Left), ("measured", Align::Left), ("value", Align::Right), ("unit", Align::Left)];
        table::print(&columns, rows)?;
    }
    Ok(())
}

/// Lets the kernel count the peak of this process's memory anew. Only Linux can; elsewhere there is no peak to tell.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

#[expect(clippy::cast_precision_loss, reason = "kibibytes of memory are far below what f64 counts exactly")]
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib as f64 / 1024.0)
}
