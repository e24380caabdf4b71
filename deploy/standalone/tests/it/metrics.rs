//! What operators are told of metrics is what they get: the table, the dashboard and the alert rules, held against a run of
//! the whole pipeline.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use atelier_e2e::{Database, until};
use atelier_events::settings::{BusSettings, DatabaseSettings};
use atelier_events::telemetry::metrics::METRICS;
use atelier_events::telemetry::{self, Telemetry};
use atelier_site::target::settings::TargetKind;
use atelier_standalone::client::{Client, NewExport, NewGeneration};
use atelier_standalone::installation::Installation;
use atelier_standalone::up::{self, Listen};
use tokio_util::sync::CancellationToken;

/// Name, type and labels.
type Shape = (String, String, BTreeSet<String>);

fn grafana() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../grafana")
}

fn catalogue() -> BTreeSet<Shape> {
    let labels = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    METRICS
        .iter()
        .map(|metric| (metric.name.to_owned(), metric.kind.as_str().to_owned(), labels(metric.labels)))
        .collect()
}

#[test]
fn the_table_of_metrics_is_the_catalogue() {
    let readme = std::fs::read_to_string(grafana().join("README.md")).expect("the table is there");
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `atelier_")).collect();
    let expected: Vec<String> = METRICS
        .iter()
        .map(|metric| {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            format!("| `{}` | {} | {} | {} |", metric.name, metric.kind.as_str(), labels.join(", "), metric.help)
        })
        .collect();
    assert_eq!(rows, expected, "deploy/grafana/README.md must say what events/src/telemetry/metrics.rs says");
}

#[test]
fn every_metric_says_its_unit_in_its_name() {
    for metric in METRICS {
        let counter = metric.kind.as_str() == "counter";
        assert_eq!(metric.name.ends_with("_total"), counter, "{}", metric.name);
        let seconds = metric.unit.as_str() == "seconds";
        assert_eq!(metric.name.ends_with("_seconds"), seconds, "{}", metric.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_the_pipeline_shows_exactly_the_metrics_of_the_table() -> anyhow::Result<()> {
    let (database, folder) = (Database::create().await?, tempfile::tempdir()?);
    let mut installation = Installation::load(folder.path())?;
    installation.worker_program = Some(env!("CARGO_BIN_EXE_atelier").into());
    // A target that fails once.
    installation.site.target.kind = TargetKind::Command;
    installation.site.target.attempts = 1;
    installation.site.target.command.shell = format!("mkdir {0}/failed && exit 1 || exit 0", folder.path().display());
    let producer = &mut installation.producer;
    producer.database = DatabaseSettings { url: database.url.clone(), ..DatabaseSettings::default() };
    producer.bus = BusSettings::default();
    producer.api.listen = "127.0.0.1:0".to_owned();
    let Telemetry { metrics, .. } = &telemetry::start(&producer.telemetry)?;
    let any = "127.0.0.1:0".parse()?;
    let listen = Listen { site_listen: any, bucket_listen: any };
    let up = up::start(installation, &listen, metrics.clone(), CancellationToken::new()).await?;

    let client = Client::new(&up.running.api_url, &up.api_key)?;
    let asked = NewGeneration {
        prompt: "a harbour at dusk".to_owned(),
        width: Some(256),
        height: Some(256),
        ..NewGeneration::default()
    };
    let artwork = client.create_generation(&asked, "one").await?.artworks[0].artwork_id;
    client.published(artwork, Duration::from_mins(1)).await?;
    client.create_export(&NewExport::all(), "all").await?;
    // Some are measured every few seconds only.
    let all: BTreeSet<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    let shown = || shapes(&metrics.render()).map(|shapes| shapes.into_iter().map(|(name, ..)| name).collect());
    until("all metrics have something to show", || async { Ok(all.is_subset(&shown()?)) })
        .await
        .with_context(|| format!("missing: {:?}", shown().map(|shown| &all - &shown)))?;

    let text = metrics.render();
    assert_eq!(shapes(&text)?, catalogue());
    for metric in METRICS {
        assert!(text.contains(&format!("# HELP {} {}\n", metric.name, metric.help)), "{}", metric.name);
    }
    up.stop().await
}

/// What this text in Prometheus' format holds.
fn shapes(text: &str) -> anyhow::Result<BTreeSet<Shape>> {
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut shapes = BTreeSet::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            kinds.extend(typed.split_once(' '));
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let (series, _value) = line.rsplit_once(' ').with_context(|| line.to_owned())?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let name = base(name, |name| kinds.contains_key(name));
        let kind = kinds.get(name).with_context(|| format!("{name} has no type"))?;
        // A route holds braces and commas never come in our labels' values.
        let labels =
            labels.trim_end_matches('}').split(',').filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
        let labels = labels.filter(|label| label != "le").collect();
        shapes.insert((name.to_owned(), (*kind).to_owned(), labels));
    }
    Ok(shapes)
}

/// The metric that a series belongs to: a histogram has three.
fn base(name: &str, known: impl Fn(&str) -> bool) -> &str {
    let parts = ["_bucket", "_sum", "_count"].into_iter().filter_map(|part| name.strip_suffix(part));
    parts.into_iter().find(|name| known(name)).unwrap_or(name)
}

#[test]
fn the_dashboard_and_the_alert_rules_use_metrics_and_labels_that_there_are() {
    let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    for file in ["dashboards/atelier.json", "alerts.yml"] {
        let text = std::fs::read_to_string(grafana().join(file)).expect("the file is there");
        let used = words(&text)
            .filter(|word| word.starts_with("atelier_"))
            .map(|word| base(word, |name| names.contains(name)));
        let used: BTreeSet<&str> = used.collect();
        assert!(used.len() > 5, "{file} uses {used:?}");
        let unknown: Vec<_> = used.difference(&names).collect();
        assert!(unknown.is_empty(), "{file} uses {unknown:?}, which nobody exports");
    }
    let text = std::fs::read_to_string(grafana().join("dashboards/atelier.json")).expect("the dashboard is there");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("the dashboard is JSON");
    let mut used = BTreeSet::new();
    for panel in dashboard["panels"].as_array().into_iter().flatten() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            used.extend(words(target["expr"].as_str().unwrap_or_default()).map(str::to_owned));
        }
    }
    // Whoever adds a metric gives it a place, or says here why it needs none.
    let off_the_board = ["atelier_relay_checkpoint", "atelier_projection_checkpoint"];
    let unseen: Vec<_> = names
        .iter()
        .filter(|name| {
            !off_the_board.contains(name) && !used.iter().any(|word| base(word, |base| base == **name) == **name)
        })
        .collect();
    assert!(unseen.is_empty(), "the dashboard does not show {unseen:?}");
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).filter(|word| !word.is_empty())
}
