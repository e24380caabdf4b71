//! What `bench` prints, and what it leaves.

use std::process::Stdio;

use atelier_e2e::Database;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

/// An empty database, and a folder to run in.
async fn scene() -> (Database, TempDir) {
    (Database::empty().await.unwrap(), tempfile::tempdir().unwrap())
}

/// Runs `atelier bench` with these words; answers what it printed, an object a line.
async fn bench(words: &[&str], database: &Database, folder: &TempDir) -> Vec<Value> {
    let program = Command::new(env!("CARGO_BIN_EXE_atelier"))
        .arg("bench")
        .args(words)
        .args(["--json", "--data-dir"])
        .arg(folder.path())
        .env("ATELIER__DATABASE__URL", &database.url)
        .env_remove("ATELIER__BUS__URL")
        .env("TMPDIR", folder.path())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output();
    let output = program.await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn bench_log_prints_an_object_a_line_with_the_baseline_of_the_same_run() {
    let (database, folder) = scene().await;
    let measured = bench(&["log", "--seconds", "0.1"], &database, &folder).await;
    let names: Vec<&str> = measured.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["append_single_32", "append_batch", "verify"]);
    for one in &measured {
        let number = |key: &str| one[key].as_f64().unwrap();
        assert!(number("value") > 0.0 && number("baseline_value") > 0.0, "{one}");
        assert!((number("ratio") * number("baseline_value") / number("value") - 1.0).abs() < 1e-6, "{one}");
        assert_eq!(one["unit"], "events/s");
        assert!(one["baseline"].as_str().unwrap().len() > 10, "{one}");
        assert!(one["on"].as_str().unwrap().contains("Postgres 1"), "{one}");
        assert_eq!(one.as_object().unwrap().len(), 7, "{one}");
    }
    let tables: i64 =
        sqlx::query_scalar("select count(*) from information_schema.tables where table_schema = 'public'")
            .fetch_one(&database.pool)
            .await
            .unwrap();
    assert_eq!(tables, 0, "it measures on a database of its own");
}

#[tokio::test]
async fn bench_replay_prints_rate_and_memory_with_their_baselines_and_leaves_nothing() {
    let (database, folder) = scene().await;
    let measured = bench(&["replay", "--events", "3000"], &database, &folder).await;
    let named: Vec<_> = measured.iter().map(|one| (one["name"].as_str(), one["unit"].as_str())).collect();
    assert_eq!(named, [(Some("replay_index"), Some("events/s")), (Some("replay_peak_mib"), Some("MiB"))]);
    assert!(measured.iter().all(|one| one["value"].as_f64() > Some(0.0) && one["ratio"].as_f64() > Some(0.0)));
    let mut left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.all(|name| !name.to_string_lossy().starts_with("atelier-bench")), "its folder is still there");
}

#[tokio::test]
async fn bench_jobs_prints_every_stage_of_a_job_with_its_baseline() {
    let (database, folder) = scene().await;
    let measured = bench(&["jobs", "--seconds", "0.1"], &database, &folder).await;
    let named: Vec<_> =
        measured.iter().map(|one| (one["name"].as_str().unwrap(), one["unit"].as_str().unwrap())).collect();
    let rates = ["enqueue_single_8", "enqueue_bulk", "drain_postgres", "life"].map(|name| (name, "jobs/s"));
    let waits = ["latency_p50_postgres", "latency_p99_postgres"].map(|name| (name, "ms"));
    assert_eq!(named, [rates.as_slice(), waits.as_slice()].concat());
    for one in &measured {
        let number = |key: &str| one[key].as_f64().unwrap();
        assert!(number("value") > 0.0 && number("baseline_value") > 0.0 && number("ratio") > 0.0, "{one}");
    }
}

const RIDGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pictures/evening-ridges.jpg");

#[tokio::test]
async fn bench_renditions_prints_stages_that_add_up_a_cold_start_and_the_memory_of_a_worker() {
    let (database, folder) = scene().await;
    let measured = bench(&["renditions", RIDGES, "--images", "20"], &database, &folder).await;
    let names: Vec<&str> = measured.iter().map(|one| one["name"].as_str().unwrap()).collect();
    let stages = ["decode_ms", "resize_ms", "text_ms", "encode_ms"];
    let whole = ["cold_start_cpu_ms", "peak_mib", "peak_after_all_mib"];
    assert_eq!(names, [["set_cpu_ms"].as_slice(), &stages, &whole].concat());
    let value = |name: &str| -> f64 {
        let line = measured.iter().find(|one| one["name"] == name).unwrap();
        assert_eq!(line["file"], RIDGES);
        line["value"].as_f64().unwrap()
    };
    assert!((stages.map(value).iter().sum::<f64>() / value("set_cpu_ms") - 1.0).abs() < 1e-6, "{measured:?}");
    // A process of its own reads fonts and makes buffers, which the other has.
    assert!(value("cold_start_cpu_ms") > value("set_cpu_ms"), "{measured:?}");
    // The picture alone is 2400 x 1600 pixels of three bytes; the worker may have no more than its limit.
    assert!((11.0..512.0).contains(&value("peak_mib")), "{measured:?}");
    for one in measured.iter().filter(|one| !one["baseline"].is_null()) {
        let number = |key: &str| one[key].as_f64().unwrap();
        assert!((number("ratio") * number("baseline_value") / number("value") - 1.0).abs() < 1e-6, "{one}");
    }
    let mut left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.all(|name| !name.to_string_lossy().starts_with("atelier-bench")), "its folder is there");
}

#[tokio::test]
async fn bench_thumbnails_prints_the_rate_of_the_consumer_against_that_of_its_workers() {
    let (database, folder) = scene().await;
    let measured = bench(&["thumbnails", RIDGES, "--images", "4"], &database, &folder).await;
    assert_eq!(measured.len(), 1);
    let number = |key: &str| measured[0][key].as_f64().unwrap();
    assert_eq!((&measured[0]["name"], &measured[0]["unit"]), (&"thumbnails_end_to_end".into(), &"pictures/s".into()));
    assert!(number("value") > 0.0 && number("baseline_value") > 0.0, "{measured:?}");
    assert!((number("ratio") * number("baseline_value") / number("value") - 1.0).abs() < 1e-6, "{measured:?}");
    let mut left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.all(|name| !name.to_string_lossy().starts_with("atelier-bench")), "its folder is still there");
}

#[tokio::test]
async fn bench_export_prints_rate_and_memory_against_a_plain_copy_and_leaves_nothing() {
    let (database, folder) = scene().await;
    let measured = bench(&["export", "--gib", "0.03"], &database, &folder).await;
    let named: Vec<_> = measured.iter().map(|one| (one["name"].as_str(), one["unit"].as_str())).collect();
    assert_eq!(named, [(Some("export_mib_per_s"), Some("MiB/s")), (Some("export_peak_mib"), Some("MiB"))]);
    for one in &measured {
        let number = |key: &str| one[key].as_f64().unwrap();
        assert!((number("ratio") * number("baseline_value") / number("value") - 1.0).abs() < 1e-6, "{one}");
    }
    let mut left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.all(|name| !name.to_string_lossy().starts_with("atelier-bench")), "its folder is still there");
}

#[tokio::test]
async fn bench_live_prints_how_long_a_page_takes_against_the_cutting_alone_and_leaves_nothing() {
    let (database, folder) = (Database::empty().await.unwrap(), tempfile::tempdir().unwrap());
    let measured = bench(&["live"], &database, &folder).await;
    let names: Vec<&Value> = measured.iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["event_to_rendered_ms", "event_to_live_ms"]);
    let value = |at: usize| measured[at]["value"].as_f64().unwrap();
    assert!(0.0 < value(0) && value(0) < value(1), "{measured:?}");
    let mut left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.all(|name| !name.to_string_lossy().starts_with("atelier-bench")), "its folder is still there");
}

#[tokio::test]
async fn bench_site_prints_what_a_release_costs_of_everything_of_one_more_and_of_nothing_and_leaves_nothing() {
    let (database, folder) = scene().await;
    let measured = bench(&["site", "--artworks", "60"], &database, &folder).await;
    let names: Vec<&str> = measured.iter().map(|one| one["name"].as_str().unwrap()).collect();
    let of_one = ["append_ms", "append_files", "append_files_most", "append_bytes", "append_bytes_most"];
    let of_all = ["full_wall_s", "full_files", "spare_trees_s"];
    let of_nothing = ["unchanged_files_written", "unchanged_wall_s"];
    let of_the_process = ["full_cpu_s", "full_rss_mib"];
    assert_eq!(names, [of_one.as_slice(), &of_all, &of_nothing, &of_the_process].concat());
    let value = |name: &str| measured.iter().find(|one| one["name"] == name).unwrap()["value"].as_f64().unwrap();
    assert!(value("full_files") > 60.0 * 5.0, "a page and four pictures of each: {measured:?}");
    assert!((5.0..=value("append_files_most")).contains(&value("append_files")), "{measured:?}");
    assert!(value("append_bytes") > 10_000.0 && value("append_ms") > 0.0, "{measured:?}");
    assert!(value("unchanged_files_written").abs() < f64::EPSILON, "{measured:?}");
    for one in measured.iter().filter(|one| !one["baseline"].is_null()) {
        let number = |key: &str| one[key].as_f64().unwrap();
        assert!((number("ratio") * number("baseline_value") / number("value") - 1.0).abs() < 1e-6, "{one}");
    }
    let mut left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.all(|name| !name.to_string_lossy().starts_with("atelier-bench")), "its folder is still there");
}
