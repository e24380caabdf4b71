//! The database is gone and the bucket is there: `atelier restore` and the daemons make the same gallery of it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use atelier_e2e::{Database, until};
use atelier_events::settings::BusSettings;
use atelier_events::{Blobs, Connections, keys};
use atelier_standalone::daemons::NAMES;
use image::ImageFormat;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::commands::{sketches, upload};
use crate::harness::{Processes, with_processes};
use crate::{IMPATIENT, history, pictures};

/// Longer than anything that is compared.
const LIMIT: u64 = 16 << 20;

/// What follows from log and bucket.
#[derive(Debug, PartialEq)]
struct Gallery {
    /// Without the lines that place an artwork in one log.
    sidecars: BTreeMap<String, String>,
    list: String,
    /// Every file of the site.
    files: BTreeMap<String, Vec<u8>>,
    /// Rows without the positions of one log, by table.
    rows: BTreeMap<&'static str, Vec<Value>>,
    /// Ids as lists have them, the newest first.
    order: Vec<String>,
}

impl Gallery {
    async fn of(processes: &Processes, pool: &PgPool) -> anyhow::Result<Self> {
        let blobs = &processes.connections.blobs;
        let mut sidecars = BTreeMap::new();
        for entry in blobs.page("originals/", None).await?.entries {
            if entry.key.strip_suffix(".json").is_some() {
                let text = String::from_utf8(blobs.get(&entry.key, LIMIT).await?.to_vec())?;
                let placed = |line: &&str| {
                    ["position", "readyPosition", "shownPosition"]
                        .iter()
                        .any(|name| line.contains(&format!("\"{name}\": ")))
                };
                ensure!(text.lines().filter(placed).count() >= 3, "{text}");
                sidecars.insert(entry.key, text.lines().filter(|line| !placed(line)).collect::<Vec<_>>().join("\n"));
            }
        }
        let mut files = BTreeMap::new();
        read_files(&processes.site, &processes.site, &mut files)?;
        let mut rows = BTreeMap::new();
        for (table, statement) in [
            (
                "artworks",
                "select to_jsonb(a) - '{created_position,updated_position,ready_position,shown_position,
                    published_position}'::text[] from read.artworks a order by id",
            ),
            ("variants", "select to_jsonb(v) - 'requested_position' from read.variants v order by id"),
            ("lineage", "select to_jsonb(l) from read.lineage l order by variant_id, parent"),
            ("renditions", "select to_jsonb(r) from read.renditions r order by variant_id, kind"),
        ] {
            rows.insert(table, sqlx::query_scalar(statement).fetch_all(pool).await?);
        }
        let order = "select id::text from read.artworks order by created_position desc";
        Ok(Self {
            sidecars,
            list: String::from_utf8(blobs.get(keys::GALLERY_METADATA, LIMIT).await?.to_vec())?,
            files,
            rows,
            order: sqlx::query_scalar(order).fetch_all(pool).await?,
        })
    }

    /// Names what differs, for whom pages of bytes say little.
    fn check(&self, before: &Self) -> anyhow::Result<()> {
        ensure!(self.order == before.order, "the order is {:?} and was {:?}", self.order, before.order);
        for (table, rows) in &self.rows {
            ensure!(rows == &before.rows[table], "{table}: {rows:#?} instead of {:#?}", before.rows[table]);
        }
        ensure!(self.list == before.list, "{} instead of {}", self.list, before.list);
        let names = |gallery: &Self| gallery.files.keys().cloned().collect::<Vec<_>>();
        ensure!(names(self) == names(before), "{:?} instead of {:?}", names(self), names(before));
        let differing: Vec<&String> =
            self.files.iter().filter(|(name, bytes)| before.files[*name] != **bytes).map(|(name, _)| name).collect();
        ensure!(differing.is_empty(), "other bytes in {differing:?}");
        ensure!(self.sidecars == before.sidecars, "{:#?} instead of {:#?}", self.sidecars, before.sidecars);
        ensure!(self == before, "something else differs");
        Ok(())
    }
}

fn read_files(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_files(root, &path, files)?;
        } else {
            files.insert(path.strip_prefix(root)?.display().to_string(), std::fs::read(&path)?);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_lost_is_made_again_from_the_bucket_and_the_gallery_is_the_same() -> anyhow::Result<()> {
    let (lost, empty) = (Database::create().await?, Database::empty().await?);
    let mut before = None;
    with_processes(&lost.url, BusSettings::default(), &IMPATIENT, async |processes| {
        let variants = make(processes).await?;
        at_rest(&processes.connections, variants).await?;
        listed(&processes.connections.blobs, &lost.pool).await?;
        before = Some(Gallery::of(processes, &lost.pool).await?);

        for name in NAMES {
            processes.daemons.stop_one(name).await?;
        }
        remove_site(&processes.site)?;
        processes.environment.insert("ATELIER__DATABASE__URL".to_owned(), empty.url.clone());
        let [option, folder] = processes.data_dir();
        let arguments = [option.as_str(), &folder, "restore", "--json"];
        let summary = last(&processes.run("atelier", &arguments).await?.stdout)?;
        ensure!(summary["restored"] == 6 && summary["damaged"] == 0, "{summary}");
        let again = last(&processes.run("atelier", &arguments).await?.stdout)?;
        ensure!(again["restored"] == 0 && again["already_there"] == 6, "{again}");

        for name in NAMES {
            processes.daemons.start_one_with(name, &[("ATELIER__DATABASE__URL".to_owned(), empty.url.clone())])?;
        }
        let connections = Connections { log: empty.log(), ..processes.connections.clone() };
        at_rest(&connections, variants).await?;
        listed(&connections.blobs, &empty.pool).await?;
        let before = before.take().context("it was looked at before")?;
        Gallery::of(processes, &empty.pool).await?.check(&before)?;
        let types = history::events(&connections.log).await?;
        let shown: i64 = sqlx::query_scalar("select count(*) from read.artworks where status = 'active'")
            .fetch_one(&empty.pool)
            .await?;
        let told = history::counts(&types).get("artwork.published").copied().unwrap_or_default();
        ensure!(i64::try_from(told)? == shown, "{told} of {shown} artworks were told as published");
        let made = ["variant.requested", "variant.generated", "variant.uploaded", "variant.rendered"];
        ensure!(types.iter().all(|event| !made.contains(&event.event_type.as_str())), "something was made again");
        ensure!(atelier_index::compare(&connections.log, |_| {}).await?.differing.is_empty(), "the read model differs");
        let verified = last(&processes.run("atelier", &[&option, &folder, "verify", "--json"]).await?.stdout)?;
        let blobs = before.rows["variants"].len() + before.rows["renditions"].len();
        ensure!(verified["flaws"] == 0 && verified["blobs"] == blobs, "{verified} of {blobs} blobs");
        // It goes on from there.
        sketches(&processes.client, "afterwards", 1, 128).await?;
        history::rendered(&connections.log, 1).await
    })
    .await
}

/// Sketches, uploads, and two further versions of the first sketch; one more that can be made of nothing.
async fn make(processes: &Processes) -> anyhow::Result<i64> {
    let works = sketches(&processes.client, "first", 3, 128).await?;
    for (number, format, media_type) in [(0, ImageFormat::Png, "image/png"), (1, ImageFormat::Jpeg, "image/jpeg")] {
        upload(&processes.client, &format!("picture-{number}"), media_type, &pictures::small(number, 96, format)?)
            .await?;
    }
    history::rendered(&processes.connections.log, 5).await?;
    let parent =
        processes.client.artwork(works[0], std::time::Duration::ZERO, atelier_standalone::client::Until::Ready);
    let parent = parent.await?.variants.first().context("it has a variant")?.id;
    let body = json!({
        "prompt": "the same harbour in the rain", "count": 2, "width": 128, "height": 128,
        "artwork_id": works[0], "parent": parent,
    });
    let asked = reqwest::Client::new().post(format!("{}/v1/generations", processes.api_url)).json(&body);
    asked.bearer_auth(&processes.api_key).send().await?.error_for_status()?;
    upload(&processes.client, "last", "image/png", &pictures::small(7, 120, ImageFormat::Png)?).await?;
    Ok(8)
}

/// Everything that follows from the log is done: jobs, read model and site.
async fn at_rest(connections: &Connections, variants: i64) -> anyhow::Result<()> {
    let statement = "select
        (select count(*) from events where type in ('variant.rendered', 'variant.restored')) >= $1
        and not exists (select from jobs where finished_at is null)
        and (select position from checkpoints where name = 'relay') = (select position from log_head)
        and (select position from read.checkpoint) = (select position from log_head)
        and (select max(position) from events where type in ('variant.rendered', 'variant.restored'))
            <= (select max((data->>'position')::bigint) from events where type = 'site.deployed')
        and not exists (select from read.artworks where status = 'active' and published_position is null)";
    until("everything is done", || async {
        let rests = sqlx::query_scalar(statement).bind(variants).fetch_one(connections.log.pool()).await;
        Ok(rests.unwrap_or(None::<bool>).unwrap_or(false))
    })
    .await
}

/// The list of all artworks shows what the read model knows.
async fn listed(blobs: &Blobs, pool: &PgPool) -> anyhow::Result<()> {
    let statement = "select count(*), max(shown_at) from read.artworks where status = 'active'";
    until("the list is written", || async {
        let (count, shown_at): (i64, _) = sqlx::query_as(statement).fetch_one(pool).await?;
        let Ok(list) = blobs.get(keys::GALLERY_METADATA, LIMIT).await else { return Ok(false) };
        let list: atelier_events::gallery_metadata::GalleryMetadata = serde_json::from_slice(&list)?;
        Ok(i64::try_from(list.artworks.len())? == count && list.last_updated == Some(shown_at))
    })
    .await
}

/// What is live came from a log that is no more, and would be ahead of the new one.
fn remove_site(site: &Path) -> anyhow::Result<()> {
    std::fs::remove_file(site)?;
    Ok(std::fs::remove_dir_all(site.with_extension("releases"))?)
}

fn last(stdout: &[u8]) -> anyhow::Result<Value> {
    let text = std::str::from_utf8(stdout)?;
    Ok(serde_json::from_str(text.lines().last().context("it says nothing")?)?)
}
