//! What was written can be read: today, after an upgrade, and by `verify`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context as _;
use atelier_e2e::Database;
use atelier_events::blobs::sha256;
use atelier_events::export::{ExportEvent, Variants};
use atelier_events::log::verify;
use atelier_events::site::SiteEvent;
use atelier_events::variant::Requested;
use atelier_events::{
    ArtworkEvent, ArtworkId, Event, ExpectedVersion, GenerationId, Position, Recipe, Stream, Unreadable, VariantEvent,
    VariantId,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::proposals::{append, created, uploaded};

/// An event as some version wrote it. A file's name is `<type>.<schema>[.<case>].json`; it is never changed, since
/// logs hold events like it. The case `bare` lacks every field that can be lacking.
#[derive(Deserialize)]
struct Sample {
    #[serde(rename = "type")]
    event_type: String,
    schema: i16,
    data: Value,
}

/// The sample that has every field. A new event does not compile here before it has one.
fn full_sample(event: &Event) -> &'static str {
    match event {
        Event::Artwork(ArtworkEvent::Created(_)) => include_str!("samples/artwork.created.1.restored.json"),
        Event::Artwork(ArtworkEvent::Published(_)) => include_str!("samples/artwork.published.1.json"),
        Event::Variant(VariantEvent::Requested(_)) => include_str!("samples/variant.requested.1.json"),
        Event::Variant(VariantEvent::Uploaded(_)) => include_str!("samples/variant.uploaded.1.aged.json"),
        Event::Variant(VariantEvent::Started(_)) => include_str!("samples/variant.started.1.json"),
        Event::Variant(VariantEvent::Generated(_)) => include_str!("samples/variant.generated.2.json"),
        Event::Variant(VariantEvent::Rendered(_)) => include_str!("samples/variant.rendered.1.hashed.json"),
        Event::Variant(VariantEvent::RecutRequested(_)) => include_str!("samples/variant.recut_requested.1.json"),
        Event::Variant(VariantEvent::Failed(_)) => include_str!("samples/variant.failed.1.json"),
        Event::Variant(VariantEvent::Restored(_)) => include_str!("samples/variant.restored.1.json"),
        Event::Export(ExportEvent::Requested(_)) => include_str!("samples/export.requested.2.json"),
        Event::Export(ExportEvent::Completed(_)) => include_str!("samples/export.completed.1.variant.json"),
        Event::Export(ExportEvent::Failed(_)) => include_str!("samples/export.failed.1.json"),
        Event::Export(ExportEvent::Expired(_)) => include_str!("samples/export.expired.1.json"),
        Event::Site(SiteEvent::Deployed(_)) => include_str!("samples/site.deployed.1.json"),
    }
}

/// Every sample with its file's name.
fn samples() -> anyhow::Result<Vec<(String, Sample)>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/samples");
    let mut samples = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let sample = serde_json::from_str(&std::fs::read_to_string(&path)?).with_context(|| name.clone())?;
        samples.push((name, sample));
    }
    Ok(samples)
}

/// One event of every type and case.
pub(crate) fn sample_events() -> anyhow::Result<Vec<Event>> {
    samples()?
        .into_iter()
        .map(|(name, sample)| Event::parse(&sample.event_type, sample.schema, &sample.data.into()).context(name))
        .collect()
}

#[test]
fn every_event_ever_written_can_be_read_and_is_written_the_same_today() -> anyhow::Result<()> {
    for (name, sample) in samples()? {
        let Sample { event_type, schema, data } = sample;
        anyhow::ensure!(name.starts_with(&format!("{event_type}.{schema}.")), "{name} holds {event_type} of {schema}");
        let event = Event::parse(&event_type, schema, &data.clone().into()).with_context(|| name.clone())?;
        assert_eq!(event.type_name(), event_type, "{name}");
        let written = event.data();
        if schema == event.schema() && !name.ends_with(".bare.json") {
            assert_eq!(written.to_value(), data, "{name}");
        }
        let again = Event::parse(event.type_name(), event.schema(), &written)?;
        assert_eq!(again, event, "{name}");
    }
    Ok(())
}

#[test]
fn every_event_type_has_a_sample_of_every_schema_and_is_listed() -> anyhow::Result<()> {
    let listed: BTreeSet<(String, i16)> = (Event::TYPES.iter())
        .flat_map(|name| (1..=Event::schema_of(name)).map(|schema| ((*name).to_owned(), schema)))
        .collect();
    let sampled: BTreeSet<(String, i16)> =
        (samples()?.into_iter()).map(|(_, sample)| (sample.event_type, sample.schema)).collect();
    assert_eq!(sampled, listed);

    for event in sample_events()? {
        let full: Sample = serde_json::from_str(full_sample(&event))?;
        assert_eq!(full.event_type, event.type_name());
    }
    Ok(())
}

#[test]
fn a_type_or_schema_of_a_newer_version_is_unknown_and_content_that_fits_none_is_an_error() {
    let unknown = |event_type: &str, schema| {
        let read = Event::parse(event_type, schema, &json!({ "wings": 2 }).into());
        matches!(read, Err(Unreadable::UnknownType(name)) if name == event_type)
    };
    assert!(unknown("artwork.sold", 1));
    assert!(unknown("dragon.hatched", 1));
    assert!(unknown("dragon", 1));
    assert!(unknown("", 1));
    assert!(unknown("artwork.created", Event::schema_of("artwork.created") + 1));

    let misfit = Event::parse("artwork.created", 1, &json!({ "wings": 2 }).into());
    assert!(matches!(misfit, Err(Unreadable::Content { schema: 1, .. })), "{misfit:?}");
    let not_an_object = Event::parse("artwork.created", 1, &Value::Null.into());
    assert!(matches!(not_an_object, Err(Unreadable::Content { .. })), "{not_an_object:?}");
}

#[test]
fn a_newer_schema_is_left_alone_even_where_it_fits_todays() -> anyhow::Result<()> {
    for event in sample_events()? {
        let newer = Event::parse(event.type_name(), event.schema() + 1, &event.data());
        assert!(matches!(newer, Err(Unreadable::UnknownType(_))), "{newer:?}");
    }
    Ok(())
}

#[test]
fn samples_are_never_changed_or_removed() -> anyhow::Result<()> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/samples");
    let mut pinned = BTreeSet::new();
    // As `sha256sum *.json` prints it: a new sample is a new line, and no line is ever another.
    for line in include_str!("samples.sha256").lines() {
        let (digest, name) = line.split_once("  ").context("a line is a digest and a name")?;
        let found = sha256(&std::fs::read(folder.join(name)).with_context(|| name.to_owned())?);
        assert_eq!(found, digest, "{name} was changed: logs hold events like the one that it was");
        pinned.insert(name.to_owned());
    }
    let there: BTreeSet<String> = samples()?.into_iter().map(|(name, _)| name).collect();
    assert_eq!(pinned, there, "a sample is pinned in samples.sha256");
    Ok(())
}

#[test]
fn the_cost_of_schema_1_is_read_as_the_us_dollars_that_it_was() -> anyhow::Result<()> {
    let cost = |sample: &str| -> anyhow::Result<u64> {
        let Sample { event_type, schema, data } = serde_json::from_str(sample)?;
        match Event::parse(&event_type, schema, &Value::into(data))? {
            Event::Variant(VariantEvent::Generated(generated)) => Ok(generated.cost_micros),
            other => anyhow::bail!("{other:?}"),
        }
    };
    assert_eq!(cost(include_str!("samples/variant.generated.1.json"))?, 40_000);
    assert_eq!(cost(include_str!("samples/variant.generated.1.bare.json"))?, 0);
    assert_eq!(cost(include_str!("samples/variant.generated.2.json"))?, 40_000);
    // What schema 2 may no longer lack is not made up.
    let data = json!({ "variant_id": VariantId::new(), "original": null, "elapsed_ms": 1, "cost_micros": 1 });
    assert!(matches!(Event::parse("variant.generated", 2, &data.into()), Err(Unreadable::Content { schema: 2, .. })));
    Ok(())
}

#[test]
fn an_export_of_schema_1_is_one_of_covers() -> anyhow::Result<()> {
    let variants = |sample: &str| -> anyhow::Result<Variants> {
        let Sample { event_type, schema, data } = serde_json::from_str(sample)?;
        match Event::parse(&event_type, schema, &Value::into(data))? {
            Event::Export(ExportEvent::Requested(requested)) => Ok(requested.variants),
            other => anyhow::bail!("{other:?}"),
        }
    };
    for old in [
        include_str!("samples/export.requested.1.json"),
        include_str!("samples/export.requested.1.all.json"),
        include_str!("samples/export.requested.1.listed.json"),
    ] {
        assert_eq!(variants(old)?, Variants::Cover);
    }
    assert_eq!(variants(include_str!("samples/export.requested.2.json"))?, Variants::All);
    // Schema 2 says it always: whoever does not know the field does not know the schema.
    let data = json!({ "export_id": atelier_events::ExportId::new(), "selection": { "all": 12 } });
    assert!(matches!(Event::parse("export.requested", 2, &data.into()), Err(Unreadable::Content { schema: 2, .. })));
    Ok(())
}

fn awkward_events(artwork_id: ArtworkId) -> Vec<Event> {
    let texts = [
        "",
        " line\nbreaks\r\n and\ttabs ",
        "quotes \" ' \\ \\u0041 /",
        "Ĉ ñ ß é e\u{301} 海 🌊 👩‍🎨 עברית \u{2028}\u{202e}\u{feff}\u{fffd}\u{10ffff}",
        "\u{1}\u{1f}\u{7f}",
    ];
    let mut events: Vec<Event> = texts.iter().map(|text| created(artwork_id, text)).collect();
    events.push(Event::Variant(VariantEvent::Requested(Requested {
        artwork_id,
        variant_id: VariantId::new(),
        generation_id: GenerationId::new(),
        recipe: Recipe {
            provider: "sketch".to_owned(),
            prompt: "numbers".to_owned(),
            seed: u64::MAX,
            width: u32::MAX,
            height: 0,
            params: json!({
                "tiny": 1e-7, "one": 1.0, "third": 1.0 / 3.0, "huge": 1e300, "negative": -0.0, "smallest": 5e-324,
                "big": u64::MAX, "least": i64::MIN, "empty": {}, "": [],
                "nested": { "z": [1, { "c": null, "b": [[], [true]] }], "a": { "ß": { "\n": "\u{2028}" } } },
            }),
        },
        lineage: Vec::new(),
        priority: atelier_events::Priority::Bulk,
        not_before: Some(time::macros::datetime!(2026-11-21 20:00:00.5 +2)),
    })));
    events
}

#[tokio::test]
async fn awkward_content_is_read_as_it_was_written_and_digested_alike_by_sql_and_verify() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let log = database.log();
    let artwork = ArtworkId::new();
    let stream = Stream::artwork(artwork);
    let mut events = awkward_events(artwork);
    events.extend(sample_events()?);
    let mut proposed = append(&stream, ExpectedVersion::NoStream, events.clone());
    let first = &mut proposed.writes[0].events[0].context;
    first.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned());
    first.causation_id = Some(first.correlation_id);
    log.append(proposed.clone()).await?;

    let stored = log.read(Position(0), 1_000).await?;
    let read = stored.iter().map(|stored| Ok(stored.event()?)).collect::<anyhow::Result<Vec<Event>>>()?;
    assert_eq!(read, events);
    for (stored, proposed) in stored.iter().zip(&proposed.writes[0].events) {
        assert_eq!(stored.id, proposed.id);
        assert_eq!(stored.caused("ada").correlation_id, proposed.context.correlation_id);
        assert_eq!(stored.causation_id, proposed.context.causation_id);
        assert_eq!(stored.traceparent, proposed.context.traceparent);
        let on_the_bus: atelier_events::Recorded = serde_json::from_slice(&serde_json::to_vec(stored)?)?;
        assert_eq!(on_the_bus, *stored);
    }

    sqlx::raw_sql(include_str!("event_digest.sql")).execute(&database.pool).await?;
    let alike = "select bool_and(digest = event_digest(e)) from events e";
    assert!(sqlx::query_scalar::<_, bool>(alike).fetch_one(&database.pool).await?);
    assert_eq!(verify(&database.pool, |_| ()).await?.flaws, []);
    Ok(())
}

#[tokio::test]
async fn streams_are_read_by_name_up_to_a_position_and_the_log_in_bounded_pieces() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let log = database.log();
    let ids = [ArtworkId::new(), ArtworkId::new(), ArtworkId::new()];
    let streams = ids.map(Stream::artwork);
    for _ in 0..2 {
        for (id, stream) in ids.into_iter().zip(&streams) {
            log.append(append(stream, ExpectedVersion::Any, vec![uploaded(id)])).await?;
        }
    }
    let read = log.read_streams(&streams[..2], Position(4)).await?;
    let positions = |stream: &Stream| -> Vec<i64> {
        (read.get(stream).into_iter().flatten()).map(|event| event.position.0).collect()
    };
    assert_eq!(streams.each_ref().map(positions), [vec![1, 4], vec![2], vec![]]);

    let piece = log.read(Position(2), 3).await?;
    let piece: Vec<i64> = piece.iter().map(|event| event.position.0).collect();
    assert_eq!(piece, [3, 4, 5]);
    Ok(())
}
