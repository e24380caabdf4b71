//! `deploy/atelier.toml` is the reference of all settings, so it must be true.

use std::collections::HashMap;
use std::path::Path;

use atelier_events::settings::load_from;
use serde::Serialize;
use toml::{Table, Value};

fn reference() -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../atelier.toml");
    let text = std::fs::read_to_string(path).expect("the reference is there");
    text.parse().expect("the reference is TOML")
}

fn defaults(section: &impl Serialize) -> Value {
    Value::try_from(section).expect("settings are representable as TOML")
}

#[test]
fn the_settings_reference_names_every_setting_with_its_default() {
    let producer = atelier_producer::settings::Settings::default();
    let runtime = atelier_runtime::Settings::default();
    let expected: Table = [
        ("database", defaults(&producer.database)),
        ("bus", defaults(&producer.bus)),
        ("store", defaults(&producer.store)),
        ("telemetry", defaults(&producer.telemetry)),
        ("api", defaults(&producer.api)),
        ("relay", defaults(&producer.relay)),
        ("consumer", defaults(&runtime.consumer)),
        ("thumbnails", defaults(&atelier_thumbnails::Policy::default())),
        ("render", defaults(&atelier_thumbnails::settings::RenderSettings::default())),
        ("watermark", defaults(&atelier_thumbnails::watermarks::Watermarks::default())),
        ("exports", defaults(&atelier_exports::ExportSettings::default())),
        ("index", defaults(&atelier_index::IndexSettings::default())),
        ("site", defaults(&atelier_site::settings::SiteSettings::default())),
    ]
    .into_iter()
    .map(|(name, section)| (name.to_owned(), section))
    .collect();
    let reference = reference();
    assert_eq!(reference.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (section, settings) in expected {
        assert_eq!(reference[&section], settings, "section [{section}]");
    }
}

#[test]
fn every_daemon_reads_the_settings_reference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../atelier.toml");
    let file = Some(path.as_path());
    load_from::<atelier_producer::settings::Settings>(file, HashMap::new()).expect("the producer");
    load_from::<atelier_runtime::Settings>(file, HashMap::new()).expect("a consumer");
    load_from::<atelier_thumbnails::settings::Settings>(file, HashMap::new()).expect("thumbnails");
    load_from::<atelier_exports::settings::Settings>(file, HashMap::new()).expect("exports");
    load_from::<atelier_index::settings::Settings>(file, HashMap::new()).expect("index");
    load_from::<atelier_site::settings::Settings>(file, HashMap::new()).expect("site");
}
