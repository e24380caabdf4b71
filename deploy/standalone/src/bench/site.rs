//! What a release of the site costs: of everything, of one more artwork, and of nothing. Without any service: pages, images
//! and the folder that is served are made here. The baseline of each is the same files, written into an empty folder with
//! nothing rendered, compared or synced. What Hugo took for as much is named beside them; it is not of this run.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use atelier_events::{Lineage, Relation, Swatch, VariantId};
use atelier_site::gallery::{Artwork, Image, PixelRendering, SiteMeta};
use atelier_site::pages::Site;
use atelier_site::release::{Compare, Deployed};
use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::folder::Folder;
use super::rounds::median;
use crate::table::{self, Align};

/// Additions that are measured, one artwork each: as many as let the turns of listings and the parts of the search be met at
/// every stage. Odd, so that the median is one that was measured.
const ADDITIONS: u32 = 201;
/// Releases that can be gone back to, as the daemon keeps them.
const KEPT: u32 = 20;
/// Tags that there are, and of each artwork.
const TAGS: u32 = 200;
const TAGS_EACH: u32 = 5;
const CATEGORIES: [&str; 8] = ["painting", "print", "drawing", "pixels", "photograph", "collage", "animation", "other"];
const ARTISTS: u32 = 40;
const PALETTE: [&str; 10] =
    ["#102030", "#a0b0c0", "#d12f2f", "#f08a24", "#f2cf2e", "#359b46", "#1a9c94", "#2f66d4", "#7f41c2", "#7c4c25"];
/// Of so many works one comes from another.
const DERIVED_EVERY: u32 = 4;
/// Two or three of them make a word.
const SYLLABLES: [&str; 16] =
    ["ha", "bor", "dus", "ken", "pa", "lan", "ter", "qui", "ri", "ver", "co", "win", "gar", "sig", "mar", "tide"];
const VOCABULARY: u32 = 4_096;
/// The same file systems' files, without anything else.
const PLAIN: &str =
    "the same files written one after the other into an empty folder, nothing rendered, compared or synced";
/// Clock ticks in which the system tells CPU time, a second.
const TICKS: f64 = 100.0;

/// A number, what it is compared with in the same run, and what Hugo took.
#[derive(Serialize)]
struct Line {
    name: &'static str,
    value: f64,
    unit: &'static str,
    #[serde(flatten)]
    against: Option<Against>,
    /// Hugo 0.111.3 with 10,000 artworks of the same kind, on another day: a reference, not a measurement of this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    hugo_reference: Option<f64>,
}

#[derive(Serialize)]
struct Against {
    baseline: &'static str,
    baseline_value: f64,
    ratio: f64,
}

/// Measures a site of so many artworks and prints its lines.
pub(super) async fn measure(artworks: u32, json: bool) -> anyhow::Result<()> {
    let folder = Folder::create()?;
    if !json {
        let (each, tags, categories) = (TAGS_EACH, TAGS, CATEGORIES.len());
        writeln!(
            atelier_runtime::output(),
            "{artworks} artworks by {ARTISTS} artists in {categories} categories, with {each} of {tags} tags and 3 colours \
             each, one of {DERIVED_EVERY} come from another, below {}",
            folder.0.display()
        )?;
    }
    let lines = lines(artworks, &folder.0).await?;
    if json {
        return table::print_json(&lines);
    }
    let columns = [
        ("measured", Align::Left),
        ("value", Align::Right),
        ("unit", Align::Left),
        ("ratio", Align::Right),
        ("Hugo 0.111, not of this run", Align::Right),
        ("baseline", Align::Left),
    ];
    Ok(table::print(&columns, lines.iter().map(row).collect())?)
}

async fn lines(artworks: u32, folder: &Path) -> anyhow::Result<Vec<Line>> {
    let at = atelier_site::release::Folder::new(folder.join("site"), KEPT)?;
    let content: Vec<Artwork> = (0..artworks).map(artwork).collect();
    let (began, cpu) = (Instant::now(), user_seconds());
    let mut site = Arc::new(Site::new(meta())?);
    shown(&mut site, content)?;
    let first = deploy(&at, 1, &mut site, Compare::Since(None)).await?;
    let full_wall = began.elapsed().as_secs_f64();
    let full_cpu = user_seconds().zip(cpu).map(|(after, before)| after - before);
    let full_rss = peak_mib();
    let plain_full = plain(&folder.join("site"), &folder.join("plain"), &first.differing)?;
    let began = Instant::now();
    at.prepare().await?;
    let spares = began.elapsed().as_secs_f64();

    let (mut times, mut files, mut bytes, mut baselines) = (vec![], vec![], vec![], vec![]);
    let mut latest = first.release.clone();
    for addition in 0..ADDITIONS {
        let added = artwork(artworks + addition);
        let began = Instant::now();
        shown(&mut site, [added])?;
        let deployed = deploy(&at, u64::from(addition) + 2, &mut site, Compare::Since(Some(latest.number))).await?;
        times.push(milliseconds(began));
        files.push(float(deployed.release.files_written));
        bytes.push(float(deployed.release.bytes_written));
        let beside = folder.join(format!("plain-{addition}"));
        baselines.push(plain(&folder.join("site"), &beside, &deployed.differing)? * 1_000.0);
        latest = deployed.release;
        at.prepare().await?;
    }
    let began = Instant::now();
    let again = deploy(&at, latest.position, &mut site, Compare::Everything).await?;
    let unchanged_wall = began.elapsed().as_secs_f64();
    let unchanged = if again.changed { again.release.files_written } else { 0 };

    let against = |value: f64, baseline_value: f64| {
        Some(Against { baseline: PLAIN, baseline_value, ratio: value / baseline_value })
    };
    let line = |name, value, unit, against, hugo_reference| Line { name, value, unit, against, hugo_reference };
    let (append, append_plain) = (median(times), median(baselines));
    let mut lines = vec![
        line("append_ms", append, "ms", against(append, append_plain), Some(7_900.0)),
        line("append_files", median(files.clone()), "files", None, Some(410.0)),
        line("append_files_most", most(&files), "files", None, None),
        line("append_bytes", median(bytes.clone()), "bytes", None, Some(15_400_000.0)),
        line("append_bytes_most", most(&bytes), "bytes", None, None),
        line("full_wall_s", full_wall, "s", against(full_wall, plain_full), Some(7.9)),
        line("full_files", float(first.release.files), "files", None, Some(11_148.0)),
        line("spare_trees_s", spares, "s", against(spares, plain_full), None),
        line("unchanged_files_written", float(unchanged), "files", None, Some(11_148.0)),
        line("unchanged_wall_s", unchanged_wall, "s", against(unchanged_wall, plain_full), Some(7.4)),
    ];
    lines.extend(full_cpu.map(|cpu| line("full_cpu_s", cpu, "s user", None, Some(8.9))));
    lines.extend(full_rss.map(|peak| line("full_rss_mib", peak, "MiB", None, Some(625.0))));
    Ok(lines)
}

fn shown(site: &mut Arc<Site>, artworks: impl IntoIterator<Item = Artwork>) -> anyhow::Result<()> {
    let site = Arc::get_mut(site).context("no deploy is under way")?;
    artworks.into_iter().try_for_each(|artwork| Ok(site.show(artwork)?))
}

async fn deploy(
    folder: &atelier_site::release::Folder,
    position: u64,
    site: &mut Arc<Site>,
    compare: Compare,
) -> anyhow::Result<Deployed> {
    let fetch = async |image: Image| anyhow::Ok(Bytes::from(picture(&image.key)));
    let deployed = folder.deploy(position, Arc::clone(site), compare, fetch).await?;
    Arc::get_mut(site).context("no deploy is under way")?.settle();
    Ok(deployed)
}

/// Writes those of these files that lie below `live` into a folder of its own, and answers the seconds it took.
fn plain(live: &Path, into: &Path, paths: &[String]) -> anyhow::Result<f64> {
    let mut by_folder: BTreeMap<&Path, Vec<&String>> = BTreeMap::new();
    for path in paths {
        by_folder.entry(Path::new(path).parent().unwrap_or(Path::new(""))).or_default().push(path);
    }
    let (mut seconds, mut written) = (0.0, 0_u32);
    for (folder, paths) in by_folder {
        let mut files = vec![];
        for path in paths {
            match std::fs::read(live.join(path)) {
                Ok(bytes) => files.push((path, bytes)),
                // The release has removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        let began = Instant::now();
        std::fs::create_dir_all(into.join(folder))?;
        for (path, bytes) in &files {
            std::fs::write(into.join(path), bytes)?;
            written += 1;
        }
        seconds += began.elapsed().as_secs_f64();
    }
    ensure!(written > 0, "nothing was written to {}", live.display());
    std::fs::remove_dir_all(into)?;
    Ok(seconds)
}

fn meta() -> SiteMeta {
    SiteMeta {
        title: "Bench".to_owned(),
        description: "Artworks to measure with.".to_owned(),
        base_url: "https://art.example".to_owned(),
        author: "Somebody".to_owned(),
        language: "en".to_owned(),
        about: String::new(),
        links: vec![],
        pixel_rendering: PixelRendering::Auto,
        likes: true,
    }
}

/// A number that looks like chance, the same for the same work.
fn chance(number: u32, salt: u32) -> u32 {
    let mixed = (number ^ salt.wrapping_mul(0x9e37_79b9)).wrapping_add(1).wrapping_mul(0x85eb_ca6b);
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0xc2b2_ae35);
    mixed ^ (mixed >> 13)
}

/// A few words are as common as in a language, and most are rare.
fn word(number: u32, salt: u32) -> String {
    let [one, other] = [chance(number, salt) % VOCABULARY, chance(number, salt + 1_000) % VOCABULARY];
    let rank = one * other / VOCABULARY;
    let syllable = |at: u32| SYLLABLES[(rank >> (4 * at)) as usize % SYLLABLES.len()];
    format!("{}{}{}", syllable(0), syllable(1), if rank < 256 { "" } else { syllable(2) })
}

fn id(number: u32) -> Uuid {
    Uuid::from_u128((u128::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

/// The variant that a work shows.
fn version(number: u32) -> Uuid {
    Uuid::from_u128(!id(number).as_u128())
}

fn artwork(number: u32) -> Artwork {
    let id = id(number);
    let words =
        |from: u32, count: u32| (from..from + count).map(|salt| word(number, salt)).collect::<Vec<_>>().join(" ");
    let at = OffsetDateTime::UNIX_EPOCH + Duration::minutes(i64::from(number));
    let swatch = |(place, per_mille): (u32, u16)| Swatch {
        colour: PALETTE[(chance(number, 50) as usize + 3 * place as usize) % PALETTE.len()].to_owned(),
        per_mille,
    };
    let parent = number.checked_sub(1 + chance(number, 60) % 500).filter(|_| number.is_multiple_of(DERIVED_EVERY));
    Artwork {
        id,
        title: format!("{} {number}", words(0, 2)),
        description: words(2, 20),
        artist: format!("Artist {}", chance(number, 70) % ARTISTS),
        tags: (0..TAGS_EACH).map(|tag| format!("tag {}", chance(number, 80 + tag) % TAGS)).collect(),
        category: CATEGORIES[chance(number, 90) as usize % CATEGORIES.len()].to_owned(),
        materials: None,
        dimensions: None,
        featured: number.is_multiple_of(50),
        source_url: Some(format!("https://posts.example/{number}")),
        video_url: None,
        created_on: None,
        created_at: at,
        published_at: at,
        prompt: Some(words(100, 24)),
        provider: Some("sketch".to_owned()),
        model: None,
        seed: Some(number.into()),
        width: 1_600,
        height: 1_200,
        display: image("display", id, (1_600, 1_200)),
        thumb: image("thumb", id, (300, 300)),
        icon: image("icon", id, (128, 128)),
        preview: image("preview", id, (256, 192)),
        mediums: vec![],
        webp_mediums: vec![],
        lossless: None,
        animation: None,
        card: None,
        pixelated: false,
        palette: [(0, 500), (1, 300), (2, 150), (3, 50)].map(swatch).into(),
        placeholder: Some(placeholder(number)),
        cover: version(number),
        lineage: parent
            .map(|parent| Lineage { parent: VariantId(version(parent)), relation: Relation::Derived })
            .into_iter()
            .collect(),
        variants: vec![],
    }
}

/// A thumbhash that no other work has but by chance.
fn placeholder(number: u32) -> String {
    let digit = |place: u32| char::from(b'a' + u8::try_from(chance(number, 110 + place) % 26).unwrap_or_default());
    format!("3OcRJYB4d3h/{}+j2w", (0..12).map(digit).collect::<String>())
}

fn image(kind: &str, artwork: Uuid, (width, height): (u32, u32)) -> Image {
    let key = format!("{kind}/bench/{artwork}.webp");
    let bytes = picture(&key);
    let sha256 = format!("{:x}", Bytes::copy_from_slice(&Sha256::digest(&bytes)));
    Image { key, width, height, media_type: "image/webp".to_owned(), length: bytes.len() as u64, sha256 }
}

/// Stands for a picture: what is in it is nobody's business here.
fn picture(key: &str) -> Vec<u8> {
    key.as_bytes().to_vec()
}

/// CPU time of this process outside of the system; none where the system does not tell.
fn user_seconds() -> Option<f64> {
    user_seconds_in(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

fn user_seconds_in(stat: &str) -> Option<f64> {
    // The name of the program is in brackets and may hold anything; what follows begins with the third field.
    let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(11)?.parse().ok()?;
    Some(ticks / TICKS)
}

/// Resident memory of this process at its peak; none where the system does not tell.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?;
    kib.parse::<f64>().ok().map(|kib| kib / 1_024.0)
}

fn most(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "files and bytes of a site stay far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}

fn row(line: &Line) -> Vec<String> {
    let (ratio, baseline) = match &line.against {
        Some(against) => (format!("{:.2}", against.ratio), against.baseline.to_owned()),
        None => (String::new(), String::new()),
    };
    let hugo = line.hugo_reference.map(|value| format!("{value:.1}")).unwrap_or_default();
    vec![line.name.to_owned(), format!("{:.1}", line.value), line.unit.to_owned(), ratio, hugo, baseline]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_time_is_the_twelfth_number_after_the_name_of_the_program() {
        assert_eq!(user_seconds_in("7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 40 0 0 20 0"), Some(2.5));
        assert_eq!(user_seconds_in("nonsense"), None);
    }
}
