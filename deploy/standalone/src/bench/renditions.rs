//! What a set of renditions costs: thumb, icon, preview, display with a watermark, card with words, placeholder and
//! palette, on one thread; in a worker, how much memory; and from a cold start, a process of its own.

mod cold;
mod memory;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use atelier_thumbnails::settings::Settings;
use atelier_thumbnails::workers::Task;
use atelier_thumbnails::{Caption, Mark, cut_measured};
use serde::Serialize;

use super::folder::Folder;
use crate::render::CostsMs;
use crate::table::{self, Align};

/// Sets cut of each file; the cheapest counts, since whatever else the machine does only adds.
const RUNS: u32 = 10;

/// The set that is measured, as settings: a process of its own reads them, too.
const SETTINGS: &str = "[thumbnails]\npreview_quality = 80\nextras = [\"card\"]\n";

/// Who is on watermark and card.
const ARTIST: &str = "Ada Lovelace";

#[derive(Serialize)]
struct Line<'a> {
    name: &'static str,
    value: f64,
    unit: &'static str,
    file: &'a Path,
    #[serde(flatten)]
    against: Option<Against>,
}

/// What a number is compared with, in the same run.
#[derive(Serialize)]
struct Against {
    baseline: &'static str,
    baseline_value: f64,
    ratio: f64,
}

/// Measures each file and prints its lines; with `images`, also whether a worker's memory grows over so many.
pub(super) async fn measure(files: &[PathBuf], images: Option<u32>, json: bool) -> anyhow::Result<()> {
    ensure!(!files.is_empty(), "which pictures? Name at least one file: atelier bench renditions FILE…");
    let folder = Folder::create()?;
    let settings = folder.0.join("atelier.toml");
    std::fs::write(&settings, SETTINGS).with_context(|| format!("writing {}", settings.display()))?;
    let Settings { thumbnails: policy, .. } = atelier_events::settings::load_from(Some(settings.as_path()), [])?;
    let mark = Mark { text: format!("© {ARTIST} — Kid Pix Museum"), ..Mark::default() };
    let caption = Caption { title: String::new(), artist: ARTIST.to_owned(), mark: Some(mark) };
    let task = Task { policy, caption };
    let mut rows = Vec::new();
    for file in files {
        for line in lines(file, &task, images, &folder.0).await? {
            if json {
                writeln!(atelier_runtime::output(), "{}", serde_json::to_string(&line)?)?;
            } else {
                rows.push(row(&line));
            }
        }
    }
    if !json {
        let columns = [
            ("file", Align::Left),
            ("measured", Align::Left),
            ("value", Align::Right),
            ("unit", Align::Left),
            ("ratio", Align::Right),
            ("baseline", Align::Left),
        ];
        table::print(&columns, rows)?;
    }
    Ok(())
}

async fn lines<'a>(file: &'a Path, task: &Task, images: Option<u32>, folder: &Path) -> anyhow::Result<Vec<Line<'a>>> {
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let costs = warm(&bytes, task).with_context(|| format!("cutting {}", file.display()))?;
    let line = |name, value, unit, against| Line { name, value, unit, file, against };
    let mut lines = vec![
        line("set_cpu_ms", costs.set_cpu_ms, "ms", None),
        line("decode_ms", costs.decode_ms, "ms", None),
        line("resize_ms", costs.resize_ms, "ms", None),
        line("text_ms", costs.text_ms, "ms", None),
        line("encode_ms", costs.encode_ms, "ms", None),
    ];
    if let Some(cold) = cold::start(file, folder)? {
        let against = Against {
            baseline: "the same set in a process that has cut it before",
            baseline_value: costs.set_cpu_ms,
            ratio: cold / costs.set_cpu_ms,
        };
        lines.push(line("cold_start_cpu_ms", cold, "ms", Some(against)));
    }
    if let Some(peak) = memory::peak_mib(&bytes, task, RUNS).await? {
        lines.push(line("peak_mib", peak, "MiB", None));
    }
    if let Some(images) = images
        && let Some((first, all)) = memory::growth_mib(&bytes, task, images).await?
    {
        let against = Against {
            baseline: "the same worker after the first tenth of the pictures",
            baseline_value: first,
            ratio: all / first,
        };
        lines.push(line("peak_after_all_mib", all, "MiB", Some(against)));
    }
    Ok(lines)
}

/// The cheapest of some sets, cut where fonts are read and buffers are there.
fn warm(bytes: &[u8], task: &Task) -> anyhow::Result<CostsMs> {
    let mut best: Option<CostsMs> = None;
    for run in 0..=RUNS {
        let (_, costs) = cut_measured(bytes, &task.caption, &task.policy)?;
        let costs = CostsMs::from(costs);
        // The first is unmeasured.
        if run > 0 && best.is_none_or(|best| costs.set_cpu_ms < best.set_cpu_ms) {
            best = Some(costs);
        }
    }
    best.context("a run was measured")
}

fn row(line: &Line<'_>) -> Vec<String> {
    let (ratio, baseline) = match &line.against {
        Some(against) => (format!("{:.2}", against.ratio), against.baseline.to_owned()),
        None => (String::new(), String::new()),
    };
    let value = format!("{:.1}", line.value);
    vec![line.file.display().to_string(), line.name.to_owned(), value, line.unit.to_owned(), ratio, baseline]
}
