//! Settings: defaults, then the file, then the environment; what nobody knows is refused.

use std::path::Path;

use atelier_events::settings::{BusSettings, DatabaseSettings, LogFormat, SettingsError, TelemetrySettings, load_from};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Settings {
    database: DatabaseSettings,
    bus: BusSettings,
    telemetry: TelemetrySettings,
    api: Api,
    site: Site,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            database: DatabaseSettings::default(),
            bus: BusSettings::default(),
            telemetry: TelemetrySettings::default(),
            api: Api { keys: vec!["default".to_owned()] },
            site: Site::default(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Api {
    keys: Vec<String>,
}

/// A value of every kind that a section may have.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Site {
    title: String,
    on: bool,
    ratio: f64,
    limit: Option<u64>,
    offset: i32,
}

fn read(file: &str, environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("atelier.toml");
    std::fs::write(&path, file).expect("the folder is writable");
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load_from(Some(&path), environment)
}

fn refusal(file: &str, environment: &[(&str, &str)]) -> String {
    read(file, environment).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() -> anyhow::Result<()> {
    let file = "[database]\nconnections = 3\nacquire_timeout_ms = 4\n[telemetry]\nformat = \"json\"\n";
    let settings = read(file, &[("ATELIER__DATABASE__CONNECTIONS", "7"), ("UNRELATED", "1"), ("ATELIER_TEST_X", "1")])?;
    assert_eq!(settings.database.connections, 7);
    assert_eq!(settings.database.acquire_timeout_ms, 4);
    assert_eq!(settings.database.url, DatabaseSettings::default().url);
    assert_eq!(settings.telemetry.format, LogFormat::Json);
    assert_eq!(settings.bus.prefix, "atelier");
    assert_eq!(settings.api.keys, ["default"]);
    Ok(())
}

#[test]
fn without_a_file_and_an_environment_there_are_the_defaults() -> anyhow::Result<()> {
    let settings: Settings = load_from(None, [])?;
    assert_eq!(settings.database.connections, DatabaseSettings::default().connections);
    assert_eq!(settings.telemetry.filter, TelemetrySettings::default().filter);
    Ok(())
}

#[test]
fn an_unknown_section_is_refused_with_the_known_ones() {
    for refused in [refusal("[databse]\nurl = \"x\"\n", &[]), refusal("", &[("ATELIER__DATABSE__URL", "x")])] {
        assert!(refused.contains("\"databse\"") && refused.contains("database, "), "{refused}");
    }
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    for refused in [refusal("[database]\nurll = \"x\"\n", &[]), refusal("", &[("ATELIER__DATABASE__URLL", "x")])] {
        assert!(refused.contains("urll"), "{refused}");
    }
}

#[test]
fn a_section_of_another_daemon_is_no_error() -> anyhow::Result<()> {
    let settings = read("[thumbnails]\nquality = 80\n", &[("ATELIER__RELAY__BATCH", "5")])?;
    assert_eq!(settings.bus.url, "");
    Ok(())
}

#[test]
fn every_kind_of_value_is_read_from_file_and_environment_alike() -> anyhow::Result<()> {
    let expected = Site { title: "A: b, c".to_owned(), on: true, ratio: 0.5, limit: Some(u64::MAX >> 1), offset: -3 };
    let file = "[site]\ntitle = \"A: b, c\"\non = true\nratio = 0.5\nlimit = 9223372036854775807\noffset = -3\n";
    assert_eq!(read(file, &[])?.site, expected);
    let environment = [
        ("ATELIER__SITE__TITLE", "A: b, c"),
        ("ATELIER__SITE__ON", "true"),
        ("ATELIER__SITE__RATIO", "0.5"),
        ("ATELIER__SITE__LIMIT", "9223372036854775807"),
        ("ATELIER__SITE__OFFSET", "-3"),
    ];
    assert_eq!(read("", &environment)?.site, expected);
    Ok(())
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_by_key_and_text() {
    let refused = refusal("", &[("ATELIER__DATABASE__CONNECTIONS", "many")]);
    assert!(refused.contains("connections") && refused.contains("many"), "{refused}");
}

#[test]
fn a_text_that_looks_like_a_number_stays_what_was_written() -> anyhow::Result<()> {
    for text in ["12345", "0123", "1e5", "1.50", "TRUE", "+7", "nan", "0x1f"] {
        let settings = read("", &[("ATELIER__BUS__PREFIX", text), ("ATELIER__API__KEYS", text)])?;
        assert_eq!(settings.bus.prefix, text);
        assert_eq!(settings.api.keys, [text]);
    }
    Ok(())
}

#[test]
fn api_keys_are_a_list_with_commas_and_an_empty_key_is_none() -> anyhow::Result<()> {
    let keys = |text| anyhow::Ok(read("[api]\nkeys = [\"file\"]\n", &[("ATELIER__API__KEYS", text)])?.api.keys);
    assert_eq!(keys("ada:s3cret, 12345,eve:0123")?, ["ada:s3cret", "12345", "eve:0123"]);
    assert_eq!(keys("a,,b,")?, ["a", "b"]);
    assert!(keys("")?.is_empty());
    assert_eq!(read("[api]\nkeys = [\"file\"]\n", &[])?.api.keys, ["file"]);
    Ok(())
}

#[test]
fn a_secret_may_lie_in_a_file() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str, content: &str| -> anyhow::Result<String> {
        let path = folder.path().join(name);
        std::fs::write(&path, content)?;
        Ok(path.display().to_string())
    };
    let (url, keys) = (path("url", "postgres://u:0123@host/db\n")?, path("keys", "a:1,b:2\n")?);
    let settings = read("", &[("ATELIER__DATABASE__URL_FILE", &url), ("ATELIER__API__KEYS_FILE", &keys)])?;
    assert_eq!(settings.database.url, "postgres://u:0123@host/db");
    assert_eq!(settings.api.keys, ["a:1", "b:2"]);

    let missing = refusal("", &[("ATELIER__DATABASE__URL_FILE", "no/such/file")]);
    assert!(missing.contains("ATELIER__DATABASE__URL_FILE") && missing.contains("no/such/file"), "{missing}");
    Ok(())
}

#[test]
fn secrets_are_not_shown() -> anyhow::Result<()> {
    let secret = [("ATELIER__DATABASE__URL", "postgres://u:hidden@h/d"), ("ATELIER__BUS__URL", "amqp://u:hidden@h")];
    let settings = read("", &secret)?;
    let shown = format!("{:?} {:?}", settings.database, settings.bus);
    assert!(!shown.contains("hidden"), "{shown}");
    Ok(())
}

#[test]
fn a_file_that_is_not_toml_is_refused_by_name() {
    let refused = load_from::<Settings>(Some(Path::new("no/such.toml")), []);
    let refused = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("no/such.toml"), "{refused}");
    assert!(refusal("[database\n", &[]).contains("atelier.toml"));
}
