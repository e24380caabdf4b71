//! Folds are total: no sequence of events, however mad, breaks them or undoes what is complete.

use atelier_events::artwork::{Created, Published};
use atelier_events::site::SiteEvent;
use atelier_events::variant::{Failed, RecutRequested, Restored, Uploaded};
use atelier_events::{
    Artwork, ArtworkEvent, ArtworkId, Event, Export, ExportEvent, Position, Priority, Recorded, Site, Stage, Stream,
    Variant, VariantEvent, VariantId, VariantState, Version,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::content::sample_events;

/// The event about another variant.
fn about(event: Event, variant_id: VariantId) -> Event {
    let Event::Variant(event) = event else { return event };
    Event::Variant(match event {
        VariantEvent::Requested(mut event) => {
            event.variant_id = variant_id;
            VariantEvent::Requested(event)
        }
        VariantEvent::Uploaded(mut event) => {
            event.variant_id = variant_id;
            VariantEvent::Uploaded(event)
        }
        VariantEvent::Started(mut event) => {
            event.variant_id = variant_id;
            VariantEvent::Started(event)
        }
        VariantEvent::Generated(mut event) => {
            event.variant_id = variant_id;
            VariantEvent::Generated(event)
        }
        VariantEvent::Rendered(mut event) => {
            event.variant_id = variant_id;
            VariantEvent::Rendered(event)
        }
        VariantEvent::RecutRequested(mut event) => {
            event.variant_id = variant_id;
            VariantEvent::RecutRequested(event)
        }
        VariantEvent::Failed(mut event) => {
            event.variant_id = variant_id;
            VariantEvent::Failed(event)
        }
        VariantEvent::Restored(mut event) => {
            event.variant_id = variant_id;
            VariantEvent::Restored(event)
        }
    })
}

/// A release of its own, so that older ones can come after newer ones.
fn released(event: Event, position: i64) -> Event {
    match event {
        Event::Site(SiteEvent::Deployed(mut deployed)) => {
            deployed.position = Position(position);
            Event::Site(SiteEvent::Deployed(deployed))
        }
        other => other,
    }
}

fn recorded(event: &Event, position: i64) -> Recorded {
    let id = Uuid::now_v7();
    Recorded {
        position: Position(position),
        stream: Stream::site("any"),
        version: Version(position),
        id,
        event_type: event.type_name().to_owned(),
        schema: event.schema(),
        data: event.data(),
        actor: "ada".to_owned(),
        correlation_id: id,
        causation_id: None,
        traceparent: None,
        occurred_at: OffsetDateTime::UNIX_EPOCH,
    }
}

/// Any events of three variants, in any order, each as often as it likes.
fn histories() -> impl Strategy<Value = Vec<Recorded>> {
    let events = sample_events().unwrap_or_default();
    let variants: Vec<VariantId> = (0..3).map(|number| VariantId(Uuid::from_u128(number))).collect();
    let event = (select(events), select(variants), 0..50_i64)
        .prop_map(|(event, variant, position)| released(about(event, variant), position));
    prop::collection::vec(event, 0..40)
        .prop_map(|events| (1..).zip(&events).map(|(position, event)| recorded(event, position)).collect())
}

fn complete(artwork: Option<&Artwork>) -> Vec<VariantId> {
    let variants = artwork.into_iter().flat_map(|artwork| &artwork.variants);
    variants.filter(|variant| variant.state == VariantState::Completed).map(|variant| variant.id).collect()
}

fn order(artwork: Option<&Artwork>) -> Vec<(OffsetDateTime, VariantId)> {
    let variants = artwork.into_iter().flat_map(|artwork| &artwork.variants);
    variants.map(|variant| (variant.requested_at, variant.id)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn an_artwork_keeps_its_complete_variants_and_their_order_whatever_happens(history in histories()) {
        let created = Event::Artwork(ArtworkEvent::Created(Created::new(
            ArtworkId(Uuid::nil()),
            "ada".to_owned(),
            serde_json::from_value(json!({ "title": "The sea" }))?,
        )));
        let mut state = Artwork::fold(None, &recorded(&created, 0))?;
        for event in &history {
            let next = Artwork::fold(state.clone(), event)?;
            prop_assert!(next.is_some());
            let (before, after) = (complete(state.as_ref()), complete(next.as_ref()));
            prop_assert!(before.iter().all(|id| after.contains(id)), "{before:?} became {after:?}");
            let (before, mut after) = (order(state.as_ref()), order(next.as_ref()));
            prop_assert!(after.is_sorted());
            after.retain(|variant| before.contains(variant));
            prop_assert_eq!(after, before);
            let status = next.as_ref().map(|artwork| artwork.status().as_str());
            prop_assert_eq!(status == Some("active"), !complete(next.as_ref()).is_empty());
            state = next;
        }
    }

    #[test]
    fn an_event_that_comes_twice_in_a_row_is_no_news(history in histories()) {
        let (mut artwork, mut export, mut site) = (None, None, Site::default());
        for event in &history {
            artwork = Artwork::fold(artwork, event)?;
            prop_assert_eq!(&Artwork::fold(artwork.clone(), event)?, &artwork);
            export = Export::fold(export, event)?;
            prop_assert_eq!(&Export::fold(export.clone(), event)?, &export);
            site = Site::fold(site, event)?;
            prop_assert_eq!(&Site::fold(site.clone(), event)?, &site);
        }
    }

    #[test]
    fn a_complete_export_stays_complete_until_it_expires_and_a_site_never_goes_back(history in histories()) {
        let (mut export, mut site) = (None, Site::default());
        for event in &history {
            let before = export.clone();
            export = Export::fold(export, event)?;
            if matches!(before, Some(Export::Completed(_))) {
                let expires = matches!(event.event()?, Event::Export(ExportEvent::Expired(_)));
                prop_assert_eq!(matches!(export, Some(Export::Expired(_))), expires);
                prop_assert_eq!(matches!(export, Some(Export::Completed(_))), !expires);
            }
            let before = site.live.as_ref().map(|live| live.position);
            site = Site::fold(site, event)?;
            prop_assert!(site.live.as_ref().map(|live| live.position) >= before);
        }
    }
}

#[test]
fn an_artwork_goes_from_pending_over_processing_to_active_or_failed() -> anyhow::Result<()> {
    let events = sample_events()?;
    let variant = VariantId::new();
    let status_after = |types: &[&str]| -> anyhow::Result<Option<&'static str>> {
        let mut state = None;
        for (position, name) in (1..).zip(types) {
            let event = events.iter().find(|event| event.type_name() == *name).cloned();
            let event = about(event.ok_or_else(|| anyhow::anyhow!("no sample of {name}"))?, variant);
            state = Artwork::fold(state, &recorded(&event, position))?;
        }
        Ok(state.map(|artwork| artwork.status().as_str()))
    };
    assert_eq!(status_after(&["variant.requested"])?, None, "no artwork, no state");
    assert_eq!(status_after(&["artwork.created"])?, Some("pending"));
    let mut history = vec!["artwork.created", "variant.requested"];
    for (next, status) in [
        ("variant.started", "processing"),
        ("variant.failed", "failed"),
        ("variant.started", "processing"),
        ("variant.generated", "processing"),
        ("variant.rendered", "active"),
        ("variant.failed", "active"),
    ] {
        history.push(next);
        assert_eq!(status_after(&history)?, Some(status), "after {history:?}");
    }
    // What was never asked for is not made up from its outcome.
    assert_eq!(status_after(&["artwork.created", "variant.rendered"])?, Some("pending"));
    Ok(())
}

#[test]
fn an_artwork_that_can_be_shown_is_published_as_was_told_last() -> anyhow::Result<()> {
    let variant = VariantId::new();
    let sample = |name: &str| -> anyhow::Result<Event> {
        let event = sample_events()?.into_iter().find(|event| event.type_name() == name);
        Ok(about(event.ok_or_else(|| anyhow::anyhow!("no sample of {name}"))?, variant))
    };
    let told = |position| Published { position: Position(position), url: format!("https://art.example/{position}") };
    let published = |position| Event::Artwork(ArtworkEvent::Published(told(position)));
    let after = |events: &[Event]| -> anyhow::Result<Option<Published>> {
        let mut state = None;
        for (position, event) in (1..).zip(events) {
            state = Artwork::fold(state, &recorded(event, position))?;
        }
        Ok(state.and_then(|artwork| artwork.published))
    };
    let mut history = vec![published(1), sample("artwork.created")?, sample("variant.requested")?];
    history.extend([sample("variant.started")?, published(4)]);
    assert_eq!(after(&history)?, None, "there is nothing to be shown");
    history.extend([sample("variant.generated")?, sample("variant.rendered")?]);
    assert_eq!(after(&history)?, None, "nobody has told of it");
    history.push(published(7));
    assert_eq!(after(&history)?, Some(told(7)));
    history.extend([sample("variant.failed")?, published(9)]);
    assert_eq!(after(&history)?, Some(told(9)));
    Ok(())
}

#[test]
fn what_is_to_be_cut_again_is_shown_until_it_is_and_what_was_refused_is_on_its_way_again() -> anyhow::Result<()> {
    let (variant_id, now) = (VariantId::new(), OffsetDateTime::UNIX_EPOCH);
    let asked = VariantEvent::RecutRequested(RecutRequested { variant_id, priority: Priority::Bulk });
    let failed = |stage| VariantEvent::Failed(Failed { variant_id, stage, error: "no".to_owned() });
    let begun = |last: VariantEvent| -> anyhow::Result<Option<Variant>> {
        let uploaded = sample_events()?.into_iter().find(|event| event.type_name() == "variant.uploaded");
        let Some(Event::Variant(uploaded)) = uploaded.map(|event| about(event, variant_id)) else {
            anyhow::bail!("no sample")
        };
        Ok(Variant::apply(Variant::apply(None, &uploaded, now), &last, now))
    };
    let rendered = sample_events()?.into_iter().find(|event| event.type_name() == "variant.rendered");
    let Some(Event::Variant(rendered)) = rendered.map(|event| about(event, variant_id)) else {
        anyhow::bail!("no sample")
    };
    for (before, after) in [
        (rendered, VariantState::Completed),
        (failed(Stage::Renditions), VariantState::Processing),
        (failed(Stage::Generate), VariantState::Failed),
    ] {
        let before = begun(before)?;
        let then = Variant::apply(before.clone(), &asked, now).ok_or_else(|| anyhow::anyhow!("it is gone"))?;
        assert_eq!(then.state, after);
        assert_eq!(then.rendered, before.and_then(|variant| variant.rendered));
    }
    assert_eq!(Variant::apply(None, &asked, now), None, "nothing begins with it");
    Ok(())
}

#[test]
fn what_is_restored_is_as_it_was_and_goes_on_from_there() -> anyhow::Result<()> {
    let (mut created, mut sample) = (None, None);
    for event in sample_events()? {
        match event {
            Event::Artwork(ArtworkEvent::Created(event)) if event.added_at.is_some() => created = Some(event),
            Event::Variant(VariantEvent::Restored(event)) if event.rendered.is_some() => sample = Some(*event),
            _ => {}
        }
    }
    let (Some(created), Some(sample)) = (created, sample) else { anyhow::bail!("no samples") };
    let whole = Restored { failure: None, ..sample.clone() };
    let restored = |restored: &Restored| Event::Variant(VariantEvent::Restored(Box::new(restored.clone())));
    let first = Artwork::fold(None, &recorded(&Event::Artwork(ArtworkEvent::Created(created.clone())), 1))?;
    let after = |event: &Event| Artwork::fold(first.clone(), &recorded(event, 2));

    let Some(artwork) = after(&restored(&whole))? else { anyhow::bail!("it is gone") };
    // By the clock of the gallery that it comes from.
    assert_eq!((Some(artwork.created_at), artwork.ready_at), (created.added_at, created.ready_at));
    assert_eq!(artwork.cover().map(|cover| cover.id), Some(whole.variant_id));
    let variant = &artwork.variants[0];
    assert_eq!((&variant.recipe, &variant.lineage), (&whole.recipe, &whole.lineage));
    assert_eq!((&variant.rendered, &variant.original), (&whole.rendered, &whole.original));
    assert_eq!((variant.generation_id, variant.elapsed_ms), (whole.generation_id, whole.elapsed_ms));
    assert_eq!(restored(&whole).into_blobs().len(), 1 + whole.rendered.iter().flat_map(|it| &it.renditions).count());
    // Told twice, it is no news; what is there is not undone.
    let emptied = Restored { rendered: None, original: None, ..whole.clone() };
    assert_eq!(Artwork::fold(Some(artwork.clone()), &recorded(&restored(&emptied), 3))?, Some(artwork));

    let failure = sample.failure;
    for (variant, state) in [
        (Restored { rendered: None, failure, ..whole.clone() }, VariantState::Failed),
        (Restored { rendered: None, ..whole.clone() }, VariantState::Processing),
        (emptied, VariantState::Pending),
    ] {
        let artwork = after(&restored(&variant))?;
        assert_eq!(artwork.map(|artwork| artwork.variants[0].state), Some(state), "{variant:?}");
    }
    Ok(())
}

#[test]
fn the_newest_complete_variant_stands_for_the_work_in_whatever_order_the_log_learned_of_them() -> anyhow::Result<()> {
    let created = Created::new(ArtworkId::new(), "ada".to_owned(), serde_json::from_value(json!({ "title": "Sea" }))?);
    let mut state = Artwork::fold(None, &recorded(&Event::Artwork(ArtworkEvent::Created(created)), 1))?;
    let mut position = 1;
    let mut tell = |state: Option<Artwork>, event: VariantEvent, minute: i64| {
        position += 1;
        let event = recorded(&Event::Variant(event), position);
        let occurred_at = OffsetDateTime::UNIX_EPOCH + time::Duration::minutes(minute);
        Artwork::fold(state, &Recorded { occurred_at, ..event })
    };
    let uploaded = |variant_id, minute: Option<i64>| {
        let requested_at = minute.map(|minute| OffsetDateTime::UNIX_EPOCH + time::Duration::minutes(minute));
        let (artwork_id, upload_key, filename) = (ArtworkId::new(), String::new(), "sea.png".to_owned());
        let (length, recipe, lineage, priority) = (1, None, Vec::new(), Priority::Bulk);
        let uploaded =
            Uploaded { artwork_id, variant_id, upload_key, filename, length, recipe, lineage, requested_at, priority };
        VariantEvent::Uploaded(uploaded)
    };
    let sample = sample_events()?.into_iter().find(|event| event.type_name() == "variant.rendered");
    let sample = sample.ok_or_else(|| anyhow::anyhow!("no sample"))?;
    let rendered = |variant_id| match about(sample.clone(), variant_id) {
        Event::Variant(event) => Ok(event),
        other => anyhow::bail!("{other:?}"),
    };
    let [newer, older, native, twin] = [VariantId::new(), VariantId::new(), VariantId::new(), VariantId::new()];
    // Each with when it was made elsewhere, if it was, when the log was told, and what stands for the work then.
    for (variant_id, made, told, cover) in [
        (newer, Some(20), 100, newer),
        (older, Some(10), 101, newer),
        (native, None, 102, native),
        // Of two of the same moment, the one whose id is later.
        (twin, Some(102), 103, twin),
    ] {
        state = tell(state, uploaded(variant_id, made), told)?;
        let before = state.as_ref().and_then(Artwork::cover).map(|cover| cover.id);
        assert_ne!(before, Some(variant_id), "it is not complete");
        state = tell(state, rendered(variant_id)?, told)?;
        let artwork = state.as_ref().ok_or_else(|| anyhow::anyhow!("it is gone"))?;
        assert_eq!(artwork.cover().map(|cover| cover.id), Some(cover));
        let minute = OffsetDateTime::UNIX_EPOCH + time::Duration::minutes(made.unwrap_or(told));
        assert_eq!(artwork.variant(variant_id).map(|variant| variant.requested_at), Some(minute));
    }
    let in_order: Vec<VariantId> = order(state.as_ref()).into_iter().map(|(_, variant)| variant).collect();
    assert_eq!(in_order, [older, newer, native, twin], "the order is that of the requests");
    Ok(())
}
