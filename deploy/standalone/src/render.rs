//! `atelier render`: the whole set of renditions of a file, without any service.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use atelier_thumbnails::settings::Settings;
use atelier_thumbnails::{Caption, Costs, Cut, Picture, cut_measured};
use serde::Serialize;

use crate::table::{self, Align};

/// Cuts a picture as the daemon would and writes the files into a folder.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The picture: JPEG, PNG, WebP or GIF.
    pub file: PathBuf,
    /// Where the renditions are written; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// What stands on the card.
    #[arg(long, default_value = "")]
    pub title: String,
    /// Who made it: watermark, card and note.
    #[arg(long, default_value = "")]
    pub artist: String,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Report {
    media_type: String,
    width: u32,
    height: u32,
    look: atelier_events::Look,
    placeholder: String,
    palette: Vec<atelier_events::Swatch>,
    files: Vec<File>,
    #[serde(flatten)]
    costs: CostsMs,
    /// By the clock on the wall, from the file read to the files written.
    wall_ms: f64,
}

#[derive(Serialize)]
struct File {
    kind: &'static str,
    path: PathBuf,
    media_type: String,
    width: u32,
    height: u32,
    bytes: usize,
}

/// CPU time, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "named as they are printed")]
pub(crate) struct CostsMs {
    pub(crate) set_cpu_ms: f64,
    pub(crate) decode_ms: f64,
    pub(crate) resize_ms: f64,
    pub(crate) text_ms: f64,
    pub(crate) encode_ms: f64,
}

impl From<Costs> for CostsMs {
    fn from(costs: Costs) -> Self {
        let Costs { decode, resize, text, encode } = costs;
        Self {
            set_cpu_ms: milliseconds(decode + resize + text + encode),
            decode_ms: milliseconds(decode),
            resize_ms: milliseconds(resize),
            text_ms: milliseconds(text),
            encode_ms: milliseconds(encode),
        }
    }
}

/// Cuts under the policy of the settings. A picture that is refused ends with 1 and its reason.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Settings { thumbnails: policy, .. } = atelier_events::settings::load()?;
    let began = Instant::now();
    let bytes = std::fs::read(&args.file).with_context(|| format!("reading {}", args.file.display()))?;
    let caption = Caption::of(&args.title, &args.artist);
    let (cut, costs) = match cut_measured(&bytes, &caption, &policy) {
        Ok(cut) => cut,
        Err(refused) => {
            writeln!(std::io::stderr(), "{}: {refused}", args.file.display())?;
            return Ok(ExitCode::FAILURE);
        }
    };
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    let Cut { source, renditions, look, placeholder, palette } = cut;
    let files = renditions.into_iter().map(|picture| written(&args.out, picture)).collect::<anyhow::Result<_>>()?;
    let report = Report {
        media_type: source.media_type.into_owned(),
        width: source.width,
        height: source.height,
        look,
        placeholder,
        palette,
        files,
        costs: costs.into(),
        wall_ms: milliseconds(began.elapsed()),
    };
    if args.json {
        writeln!(atelier_runtime::output(), "{}", serde_json::to_string(&report)?)?;
    } else {
        print(&report)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn written(folder: &Path, picture: Picture) -> anyhow::Result<File> {
    let Picture { kind, bytes, media_type, width, height } = picture;
    let extension = atelier_events::keys::extension(&media_type);
    let path = folder.join(format!("{}.{extension}", kind.as_str()));
    std::fs::write(&path, &bytes).with_context(|| format!("writing {}", path.display()))?;
    Ok(File { kind: kind.as_str(), path, media_type: media_type.into_owned(), width, height, bytes: bytes.len() })
}

fn print(report: &Report) -> std::io::Result<()> {
    let columns = [("file", Align::Left), ("type", Align::Left), ("pixels", Align::Right), ("bytes", Align::Right)];
    let rows = report.files.iter().map(|file| {
        vec![
            file.path.display().to_string(),
            file.media_type.clone(),
            format!("{} x {}", file.width, file.height),
            file.bytes.to_string(),
        ]
    });
    table::print(&columns, rows.collect())?;
    let CostsMs { set_cpu_ms, decode_ms, resize_ms, text_ms, encode_ms } = report.costs;
    writeln!(
        atelier_runtime::output(),
        "{} {} x {}: {set_cpu_ms:.0} ms of CPU (decode {decode_ms:.0}, resize {resize_ms:.0}, text {text_ms:.0}, \
         encode {encode_ms:.0}), {:.0} ms in all",
        report.media_type,
        report.width,
        report.height,
        report.wall_ms
    )
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
