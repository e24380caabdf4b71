//! What `restore` makes of a bucket.

use std::collections::BTreeMap;

use atelier_events::artwork::{Created, Published};
use atelier_events::log::Write;
use atelier_events::variant::{Failed, Restored};
use atelier_events::{
    Append, Artwork, ArtworkEvent, ArtworkId, Blob, Connections, Context, Event, ExpectedVersion, NewEvent, Position,
    RenditionKind, Stage, Stream, VariantEvent, VariantId, keys, log,
};
use atelier_index::gallery;
use atelier_standalone::restore::{Found, Options, Outcome, Summary, Then, restore};
use bytes::Bytes;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::installation::{Installation, details};
use crate::store::bytes;
use crate::works::{OWNER, Work, gallery as three_works, history, simple, write_sidecars};

/// Longer than any sidecar here.
const LIMIT: u64 = 1 << 20;

async fn artwork(connections: &Connections, id: ArtworkId) -> Option<Artwork> {
    Artwork::of(&connections.log.read_stream(&Stream::artwork(id)).await.unwrap()).unwrap()
}

async fn restored(connections: &Connections) -> (Summary, BTreeMap<String, Found>) {
    restored_with(connections, Options::default()).await
}

async fn restored_with(connections: &Connections, options: Options) -> (Summary, BTreeMap<String, Found>) {
    let mut found = BTreeMap::new();
    let summary = restore(connections, options, |progress| {
        if let atelier_standalone::restore::Progress::Found { found: one, .. } = progress {
            found.insert(one.sidecar.clone(), one.clone());
        }
    });
    let summary = summary.await.unwrap();
    (summary, found)
}

/// The sidecars, without what places their artworks in one log.
async fn sidecars(connections: &Connections) -> BTreeMap<String, Value> {
    let mut sidecars = BTreeMap::new();
    for entry in connections.blobs.page("originals/", None).await.unwrap().entries {
        if entry.key.strip_suffix(".json").is_some() {
            let mut sidecar: Value =
                serde_json::from_slice(&connections.blobs.get(&entry.key, LIMIT).await.unwrap()).unwrap();
            for placed in ["position", "readyPosition"] {
                assert!(sidecar[placed].take().is_number());
            }
            for variant in sidecar["variants"].as_array_mut().unwrap() {
                let is_complete = variant["state"] == "completed";
                assert_eq!(variant["shownPosition"].take().is_number(), is_complete);
            }
            sidecars.insert(entry.key, sidecar);
        }
    }
    sidecars
}

async fn list(connections: &Connections) -> Bytes {
    atelier_index::replay(&connections.log, |_| {}).await.unwrap();
    gallery::write(&connections.log, &connections.blobs, "", true).await.unwrap();
    connections.blobs.get(keys::GALLERY_METADATA, LIMIT).await.unwrap()
}

/// Variants in the order in which the log first had something to show of each.
async fn publication(connections: &Connections) -> Vec<VariantId> {
    let mut shown = Vec::new();
    for event in history(connections).await {
        let id = match event.event().unwrap() {
            Event::Variant(VariantEvent::Rendered(rendered)) => rendered.variant_id,
            Event::Variant(VariantEvent::Restored(restored)) if restored.rendered.is_some() => restored.variant_id,
            _ => continue,
        };
        if !shown.contains(&id) {
            shown.push(id);
        }
    }
    shown
}

#[tokio::test]
async fn a_gallery_is_what_it_was_in_both_its_orders_and_nothing_is_added_by_repeating() {
    let installation = Installation::start().await;
    let works = three_works(&installation).await;
    let (sidecars_before, list_before) =
        (sidecars(&installation.connections).await, list(&installation.connections).await);

    let (connections, database) = installation.without_its_log().await;
    let (summary, _) = restored(&connections).await;
    assert_eq!(summary, Summary { restored: 3, ..Summary::default() });
    for work in &works {
        let (before, after) =
            (artwork(&installation.connections, work.id).await.unwrap(), artwork(&connections, work.id).await.unwrap());
        assert_eq!(Artwork { created_position: before.created_position, ..after }, before);
    }
    assert_eq!(publication(&connections).await, publication(&installation.connections).await);
    let [long, second, third] = works.each_ref().map(|work| work.variants.as_slice());
    assert_eq!(publication(&connections).await, [second[0], long[0], third[0], long[1]]);
    // Nothing is made again.
    let asks = ["variant.requested", "variant.uploaded", "variant.generated", "variant.recut_requested"];
    assert!(history(&connections).await.iter().all(|event| !asks.contains(&event.event_type.as_str())));
    assert_eq!(log::verify(&database.pool, |_| ()).await.unwrap().flaws, []);

    write_sidecars(&connections).await;
    assert_eq!(sidecars(&connections).await, sidecars_before);
    assert_eq!(list(&connections).await, list_before);
    let rebuilt = atelier_index::rebuild::rebuild(&connections.blobs, "").await.unwrap();
    assert_eq!((rebuilt.artworks, rebuilt.unreadable), (3, Vec::new()));
    assert_eq!(connections.blobs.get(keys::GALLERY_METADATA, LIMIT).await.unwrap(), list_before);
    assert!(atelier_index::compare(&connections.log, |_| {}).await.unwrap().differing.is_empty());

    let head = connections.log.head().await.unwrap();
    let (summary, _) = restored(&connections).await;
    assert_eq!(summary, Summary { already_there: 3, ..Summary::default() });
    assert_eq!(connections.log.head().await.unwrap(), head);
    // What goes on there goes on: a later version is no contradiction.
    let stream = Stream::artwork(works[1].id);
    let failed = Failed { variant_id: works[1].variants[0], stage: Stage::Renditions, error: "no".to_owned() };
    tell(&connections, stream, vec![Event::Variant(VariantEvent::Failed(failed))]).await;
    assert_eq!(restored(&connections).await.0.already_there, 3);
}

async fn tell(connections: &Connections, stream: Stream, events: Vec<Event>) {
    let events = events.into_iter().map(|event| NewEvent::new(event, &Context::command("test"))).collect();
    let write = Write { stream, expected: ExpectedVersion::Any, events };
    connections.log.append(Append { key: None, writes: vec![write] }).await.unwrap();
}

#[tokio::test]
async fn a_rehearsal_names_everything_and_changes_nothing() {
    let installation = Installation::start().await;
    let works = three_works(&installation).await;
    let (connections, _database) = installation.without_its_log().await;
    let options = Options { dry_run: true, ..Options::default() };
    let (summary, found) = restored_with(&connections, options).await;
    assert_eq!(summary, Summary { dry_run: true, restored: 3, ..Summary::default() });
    let expected = Outcome::Restorable { artwork_id: works[0].id, title: "Long in the making".to_owned(), variants: 3 };
    assert_eq!(found[&works[0].sidecar()].outcome, expected);
    assert_eq!(history(&connections).await, []);
}

#[tokio::test]
async fn what_is_damaged_is_named_and_cut_again_from_its_original_or_says_that_it_is_lost() {
    let installation = Installation::start().await;
    let [long, second, third] = three_works(&installation).await;
    let blobs = &installation.connections.blobs;
    let folded = artwork(&installation.connections, long.id).await.unwrap();
    let rendered = |at: usize| folded.variants[at].rendered.clone().unwrap();
    let of = |work: &Work, kind| {
        let (work, variant) = (work.id, work.variants[0]);
        let from = installation.connections.clone();
        async move { artwork(&from, work).await.unwrap().variant(variant).unwrap().rendition(kind).unwrap().blob.clone() }
    };
    // A rendition is missing; one has another content of the same length, and its original is gone; an original is gone.
    let missing = rendered(0).renditions[1].blob.clone();
    blobs.delete(&missing.key).await.unwrap();
    let changed = of(&second, RenditionKind::Display).await;
    blobs.put(&changed.key, vec![7; 900].into(), "image/jpeg").await.unwrap();
    let second_original = keys::original(OWNER, second.variants[0], "png");
    blobs.delete(&second_original).await.unwrap();
    let third_original = keys::original(OWNER, third.variants[0], "png");
    blobs.delete(&third_original).await.unwrap();

    let (connections, _database) = installation.without_its_log().await;
    let (summary, found) = restored(&connections).await;
    let expected = Summary { restored: 2, skipped: 1, damaged: 4, lost: 3, ..Summary::default() };
    assert_eq!(summary, expected);
    assert!(!summary.is_whole());
    let damage = |work: &Work| -> Vec<(String, String, Then)> {
        let damaged = found[&work.sidecar()].damaged.iter();
        damaged.map(|damage| (damage.file.clone(), damage.what.clone(), damage.then)).collect()
    };
    assert_eq!(damage(&long), [(missing.key.clone(), "is missing".to_owned(), Then::CutAgain)]);
    assert_eq!(
        damage(&second),
        [
            (changed.key.clone(), "has another content".to_owned(), Then::Failed),
            (second_original.clone(), "is missing".to_owned(), Then::Failed),
        ]
    );
    assert_eq!(damage(&third), [(third_original, "is missing".to_owned(), Then::Gone)]);
    // It has no other variant: there would be nothing to show of it.
    assert!(matches!(found[&second.sidecar()].outcome, Outcome::Skipped { .. }), "{found:?}");
    assert_eq!(artwork(&connections, second.id).await, None);

    let events = connections.log.read_stream(&Stream::artwork(long.id)).await.unwrap();
    let recut: Vec<Event> = events.iter().map(|event| event.event().unwrap()).collect();
    let recut = recut.iter().filter(|event| event.type_name() == "variant.recut_requested").collect::<Vec<_>>();
    let [Event::Variant(VariantEvent::RecutRequested(recut))] = recut.as_slice() else { panic!("{recut:?}") };
    assert_eq!(recut.variant_id, long.variants[0]);
    let after = Artwork::of(&events).unwrap().unwrap();
    assert_eq!(
        (after.variants[0].state, after.cover().unwrap().id),
        (atelier_events::VariantState::Processing, long.variants[1])
    );
    assert_eq!(after.variants[0].original, folded.variants[0].original);
    // Or else the set would be taken for whole by its lengths.
    let manifest = keys::manifest_of(&missing.key).unwrap();
    assert_eq!(blobs.head(&manifest).await.unwrap(), None);

    // Whoever finds the original somewhere puts it back, and repeats.
    let png: Bytes = [second.variants[0].0.as_bytes().as_slice(), &bytes(4_000)].concat().into();
    blobs.put(&second_original, png, "image/png").await.unwrap();
    let (summary, _) = restored(&connections).await;
    assert_eq!((summary.restored, summary.already_there, summary.skipped), (1, 2, 0));
}

#[tokio::test]
async fn only_lengths_are_looked_at_where_that_is_asked_for() {
    let installation = Installation::start().await;
    let work = simple(&installation, "One").await;
    write_sidecars(&installation.connections).await;
    let original = keys::original(OWNER, work.variants[0], "png");
    let blobs = &installation.connections.blobs;
    let length = blobs.head(&original).await.unwrap().unwrap().length;
    blobs.put(&original, vec![7; usize::try_from(length).unwrap()].into(), "image/png").await.unwrap();
    let (connections, _database) = installation.without_its_log().await;
    let looked = |lengths_only| restored_with(&connections, Options { dry_run: true, lengths_only });
    assert_eq!((looked(true).await.0.damaged, looked(false).await.0.damaged), (0, 1));
}

#[tokio::test]
async fn a_sidecar_that_is_none_is_newer_or_reaches_for_what_is_not_its_own_is_named_and_left_out() {
    let installation = Installation::start().await;
    let [one, two] = [simple(&installation, "One").await, simple(&installation, "Two").await];
    write_sidecars(&installation.connections).await;
    let blobs = &installation.connections.blobs;
    let honest: Value = serde_json::from_slice(&blobs.get(&one.sidecar(), LIMIT).await.unwrap()).unwrap();
    let put = async |key: &str, sidecar: &Value| {
        let json = serde_json::to_vec(sidecar).unwrap();
        blobs.put_mutable(key, json.into(), "application/json").await.unwrap();
    };
    let mut expected = Vec::new();
    let mut forge = async |edit: &dyn Fn(&mut Value, ArtworkId), reason: String| {
        let id = ArtworkId::new();
        let mut sidecar = honest.clone();
        sidecar["id"] = id.to_string().into();
        edit(&mut sidecar, id);
        let key = keys::sidecar(OWNER, id);
        put(&key, &sidecar).await;
        expected.push((key, reason));
    };
    forge(&|sidecar, _| *sidecar = serde_json::json!({ "not": "ours" }), "it is no sidecar".to_owned()).await;
    forge(&|sidecar, _| sidecar["schema"] = 99.into(), "it has schema 99".to_owned()).await;
    forge(&|sidecar, _| sidecar["owner"] = "bob".into(), "it says that it belongs at \"originals/bob/".to_owned())
        .await;
    let blob = "/variants/0/original/key";
    let foreign = keys::original("bob", one.variants[0], "png");
    let edit = |sidecar: &mut Value, _| *sidecar.pointer_mut(blob).unwrap() = foreign.clone().into();
    forge(&edit, format!("names {foreign:?}, which is not among its own files")).await;
    let rendition = "/variants/0/rendered/renditions/0/blob/key";
    let edit = |sidecar: &mut Value, _| *sidecar.pointer_mut(rendition).unwrap() = "icons/ann/../x.jpg".into();
    forge(&edit, "which is not among its own files".to_owned()).await;
    forge(&|sidecar, _| sidecar["cover"] = VariantId::new().to_string().into(), "stand for it".to_owned()).await;
    // It is whole, and claims the variant of another.
    forge(&|_, _| (), format!("variant {} is there already, of artwork {}", one.variants[0], one.id)).await;

    let (connections, _database) = installation.without_its_log().await;
    let (summary, found) = restored(&connections).await;
    for (key, reason) in &expected {
        let (Outcome::Skipped { reason: said } | Outcome::Conflict { reason: said }) = &found[key].outcome else {
            panic!("{:?}", found[key])
        };
        assert!(said.contains(reason), "{said:?} does not say {reason:?}");
    }
    assert_eq!((summary.restored, summary.skipped, summary.conflicts), (2, 6, 1), "{found:?}");
    assert!(!summary.is_whole());
    for work in [&one, &two] {
        assert_eq!(artwork(&connections, work.id).await.unwrap().owner, OWNER);
    }
    let rebuilt = atelier_index::rebuild::rebuild(&connections.blobs, "").await.unwrap();
    assert_eq!(rebuilt.unreadable.len(), 6);
}

#[tokio::test]
async fn a_restoration_that_was_broken_off_goes_on() {
    let installation = Installation::start().await;
    let [long, ..] = three_works(&installation).await;
    // The first work is created before the others are restored, and has two of its three variants when both of them are. What
    // was sent just before it was broken off is told or not.
    for (others, variants) in [(1, 0..=2), (2, 2..=3)] {
        let (connections, _database) = installation.without_its_log().await;
        let (broken_off, mut found) = (CancellationToken::new(), 0);
        let restoring = restore(&connections, Options::default(), |progress| {
            found += u64::from(matches!(progress, atelier_standalone::restore::Progress::Found { .. }));
            if found == others {
                broken_off.cancel();
            }
        });
        tokio::select! {
            biased;
            () = broken_off.cancelled() => {}
            summary = restoring => panic!("it was not broken off: {summary:?}"),
        }
        assert!(variants.contains(&artwork(&connections, long.id).await.unwrap().variants.len()));
        // The site's daemon goes on with what is there.
        let published = Published { position: Position(1), url: "/".to_owned() };
        let published = Event::Artwork(ArtworkEvent::Published(published));
        tell(&connections, Stream::artwork(long.id), vec![published]).await;
        // And, the last time, the index's: what only the sidecar tells of stays in it.
        if others == 2 {
            let before = sidecars(&connections).await;
            write_sidecars(&connections).await;
            assert_eq!(sidecars(&connections).await, before);
        }
        let (summary, _) = restored(&connections).await;
        assert_eq!((summary.restored + summary.already_there, summary.is_whole()), (3, true));
        assert!(summary.already_there >= others);
        assert_eq!(publication(&connections).await, publication(&installation.connections).await);
        let again = artwork(&connections, long.id).await.unwrap().variants;
        assert_eq!(again, artwork(&installation.connections, long.id).await.unwrap().variants);
    }
}

#[tokio::test]
async fn two_that_restore_at_once_restore_everything_once() {
    let installation = Installation::start().await;
    three_works(&installation).await;
    let (connections, database) = installation.without_its_log().await;
    let other = Connections { log: database.log(), ..connections.clone() };
    let ((first, _), (second, _)) = tokio::join!(restored(&connections), restored(&other));
    let (summary, _) = restored(&connections).await;
    assert_eq!(summary.already_there + summary.restored, 3, "{first:?} {second:?}");
    let created = history(&connections).await.iter().filter(|event| event.event_type == "artwork.created").count();
    let variants = history(&connections).await.iter().filter(|event| event.event_type == "variant.restored").count();
    assert_eq!((created, variants), (3, 5));
}

#[tokio::test]
async fn what_the_log_has_already_is_left_as_it_is_and_a_contradiction_is_named() {
    let installation = Installation::start().await;
    let [one, two] = [simple(&installation, "One").await, simple(&installation, "Two").await];
    write_sidecars(&installation.connections).await;
    let (connections, _database) = installation.without_its_log().await;
    let created = |id, title| Event::Artwork(ArtworkEvent::Created(Created::new(id, OWNER.to_owned(), details(title))));
    tell(&connections, Stream::artwork(one.id), vec![created(one.id, "Another")]).await;
    // Another artwork has the second's variant.
    let (other, variant_id) = (ArtworkId::new(), two.variants[0]);
    let at = time::OffsetDateTime::UNIX_EPOCH;
    let bare =
        serde_json::json!({ "artwork_id": other, "variant_id": variant_id, "requested_at": "1970-01-01T00:00:00Z" });
    let bare: Restored = serde_json::from_value(bare).unwrap();
    assert_eq!(bare.requested_at, at);
    tell(
        &connections,
        Stream::artwork(other),
        vec![created(other, "Other"), Event::Variant(VariantEvent::Restored(Box::new(bare)))],
    )
    .await;
    let before = history(&connections).await;
    let (summary, found) = restored(&connections).await;
    assert_eq!(summary, Summary { conflicts: 2, ..Summary::default() });
    let reason = |work: &Work| match &found[&work.sidecar()].outcome {
        Outcome::Conflict { reason } => reason.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(&one), format!("artwork {} has other details in the log", one.id));
    assert_eq!(reason(&two), format!("variant {variant_id} is there already, of artwork {other}"));
    assert_eq!(history(&connections).await, before);
}

#[tokio::test]
async fn an_original_that_was_exchanged_together_with_its_sidecar_s_digest_is_still_another_than_the_log_s() {
    let installation = Installation::start().await;
    let work = simple(&installation, "One").await;
    write_sidecars(&installation.connections).await;
    let blobs = &installation.connections.blobs;
    let key = keys::original(OWNER, work.variants[0], "png");
    let Blob { sha256, .. } = blobs.put(&key, bytes(4_016), "image/png").await.unwrap();
    let mut sidecar: Value = serde_json::from_slice(&blobs.get(&work.sidecar(), LIMIT).await.unwrap()).unwrap();
    for original in ["/variants/0/original/sha256", "/variants/0/rendered/original/sha256"] {
        *sidecar.pointer_mut(original).unwrap() = sha256.clone().into();
    }
    let json = serde_json::to_vec(&sidecar).unwrap();
    blobs.put_mutable(&work.sidecar(), json.into(), "application/json").await.unwrap();
    let (_, found) = restored(&installation.connections).await;
    let expected = format!("artwork {} has another variant {} in the log", work.id, work.variants[0]);
    assert_eq!(found[&work.sidecar()].outcome, Outcome::Conflict { reason: expected });
}
