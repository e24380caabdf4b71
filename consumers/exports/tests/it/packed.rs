//! The ZIP: complete, the same each time, harmless to unpack, and honest about what is not in it.

use atelier_events::blobs::sha256;
use atelier_events::export::{Completed, ExportEvent, Files, Missing, Selection};
use atelier_events::given_up::given_up;
use atelier_events::{ArtworkId, Blob, Consumer, Event, RenditionKind, VariantId, keys};
use atelier_exports::{INDEX, ManifestEntry};
use atelier_runtime::Outcome;
use bytes::Bytes;

use crate::readers;
use crate::story::{OWNER, Story, recipe};

#[tokio::test]
async fn every_picture_is_in_it_unchanged_with_a_manifest_that_says_what_it_is() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let (first, first_blob) = story.complete("Sunset, over the Sea!", b"the first picture").await?;
    let large: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect();
    let (second, second_blob) = story.complete("Night", &large).await?;
    let event = story.request(Selection::Artworks(vec![second, first, second])).await?;
    let completed = story.export(&event).await?;

    assert_eq!((completed.pictures, completed.missing), (2, Vec::new()));
    let export = completed.export_id;
    assert_eq!(completed.archive.key, keys::export(export));
    assert_eq!(completed.archive.media_type, "application/zip");
    let unpacked = story.unpack(&completed.archive).await?;
    assert_eq!(completed.archive.sha256, sha256(&unpacked.bytes));
    let names: Vec<&str> = unpacked.files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["0001-sunset-over-the-sea.png", "0002-night.png", "index.html", "manifest.json"]);
    assert_eq!(sha256(&unpacked.files[0].1), first_blob.sha256);
    assert_eq!(unpacked.files[1].1, large);

    assert_eq!(unpacked.manifest["export"], export.to_string());
    assert_eq!(unpacked.manifest["position"], event.position.0);
    assert_eq!(unpacked.manifest["missing"], serde_json::json!([]));
    let entries: Vec<ManifestEntry> = serde_json::from_value(unpacked.manifest["artworks"].clone())?;
    assert_eq!(entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), [first, second]);
    let entry = &entries[1];
    assert_eq!((entry.file.as_str(), entry.length, &entry.sha256), ("0002-night.png", 3_000_000, &second_blob.sha256));
    assert_eq!((entry.title.as_str(), entry.artist.as_str(), entry.media_type.as_str()), ("Night", "Ann", "image/png"));
    assert_eq!(entry.recipe, Some(recipe()));
    Ok(())
}

#[tokio::test]
async fn every_reader_that_is_installed_unpacks_it_without_a_warning() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    for title in ["Sunset", "東京 — night", "Night"] {
        story.complete(title, title.as_bytes()).await?;
    }
    let event = story.request(Selection::All(story.log.head().await?)).await?;
    let completed = story.export(&event).await?;
    let unpacked = story.unpack(&completed.archive).await?;
    assert_eq!(unpacked.files[1].0, "0002-東京-night.png");
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("export.zip");
    std::fs::write(&path, unpacked.bytes)?;
    readers::check(&path, 5)
}

#[tokio::test]
async fn renditions_are_packed_where_they_are_asked_for_and_whoever_has_none_is_named() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let (with, _) =
        story.complete_with("Harbour", b"original", &[(RenditionKind::Display, b"display".as_slice())]).await?;
    let (without, _) = story.complete("Dusk", b"original too").await?;
    let all = Selection::All(story.log.head().await?);
    let display = story.request_files(all.clone(), Files::Rendition(RenditionKind::Display)).await?;
    let completed = story.export(&display).await?;
    let unpacked = story.unpack(&completed.archive).await?;
    assert_eq!(unpacked.files[0], ("0001-harbour.jpg".to_owned(), b"display".to_vec()));
    let entry: ManifestEntry = serde_json::from_value(unpacked.manifest["artworks"][0].clone())?;
    assert_eq!((entry.id, entry.rendition, entry.width), (with, Some(RenditionKind::Display), Some(3)));
    let variant_id = story.cover(without).await?;
    let reason = format!("artwork {without} has no rendition \"display\" of variant {variant_id}");
    assert_eq!(completed.missing, [Missing { artwork_id: without, variant_id: Some(variant_id), reason }]);
    let nothing = story.request_files(all, Files::Rendition(RenditionKind::Card)).await?;
    let Outcome::Discarded(error) = story.run(&nothing).await? else { anyhow::bail!("it was not discarded") };
    let variant_id = story.cover(with).await?;
    let reason = format!("artwork {with} has no rendition \"card\" of variant {variant_id}");
    assert_eq!(error, format!("nothing to export: {reason}, and 1 more like it"));
    Ok(())
}

#[tokio::test]
async fn index_html_is_a_gallery_in_which_hostile_texts_stay_texts() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    story.complete("<script>alert('x')</script> & \"quoted\"", b"one").await?;
    story.complete("Dusk", b"two").await?;
    let completed = story.export(&story.request(Selection::All(story.log.head().await?)).await?).await?;
    let unpacked = story.unpack(&completed.archive).await?;
    let (name, page) = &unpacked.files[2];
    let page = std::str::from_utf8(page)?;
    assert_eq!(name, INDEX);
    assert!(
        !page.contains("<script")
            && page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quoted")
    );
    assert!(page.contains("<img src=\"0002-dusk.png\" alt=\"Dusk: Waves\" width=\"30\" height=\"20\""), "{page}");
    assert!(page.contains("href=\"https://post.example/1\"") && page.contains("color-scheme:light dark"));
    assert!(page.contains("<p>2 works</p>"), "{page}");
    Ok(())
}

#[tokio::test]
async fn what_a_query_found_is_packed_from_its_list() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let (first, _) = story.complete("First", b"first").await?;
    story.complete("Second", b"second").await?;
    let (third, _) = story.complete("Third", b"third").await?;
    let list = format!("{third}\n{first}\n");
    let blob = story.bucket.blobs.put("exports/list.txt", Bytes::from(list), "text/plain").await?;
    let completed = story.export(&story.request(Selection::Listed(blob.clone())).await?).await?;
    let unpacked = story.unpack(&completed.archive).await?;
    let names: Vec<&str> = unpacked.files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["0001-first.png", "0002-third.png", "index.html", "manifest.json"]);
    let other = Blob { sha256: "00".repeat(32), ..blob };
    let refused = story.run(&story.request(Selection::Listed(other)).await?).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("is not what its event says")));
    Ok(())
}

#[tokio::test]
async fn three_runs_write_the_same_bytes() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let mut ids: Vec<ArtworkId> = Vec::new();
    for number in 0..120 {
        ids.push(story.complete(&format!("Work {number}"), format!("picture {number}").as_bytes()).await?.0);
    }
    ids.push(ArtworkId::new());
    let event = story.request(Selection::Artworks(ids)).await?;
    let first = story.export(&event).await?;
    let bytes = story.unpack(&first.archive).await?.bytes;
    assert_eq!(first.pictures, 120);
    for _ in 0..2 {
        // What happens to the artworks later is not in the export.
        story.complete("Later", b"later").await?;
        // Packed, and not found as it was.
        story.bucket.blobs.delete(&keys::export_contents(first.contents.as_deref().unwrap_or_default())).await?;
        let again = story.export(&event).await?;
        assert_eq!(again, Completed { kept_until: again.kept_until, ..first.clone() });
        assert!(story.unpack(&again.archive).await?.bytes == bytes);
    }
    Ok(())
}

#[tokio::test]
async fn missing_and_changed_originals_are_left_out_and_named() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let (kept, _) = story.complete("Kept", b"kept").await?;
    let (gone, blob) = story.complete("Gone", b"gone").await?;
    story.bucket.blobs.delete(&blob.key).await?;
    let mut changed = Vec::new();
    // Of the same length, shorter and longer: a length alone would not tell.
    for now in [&b"CHANGED"[..], b"cha", b"changed and more"] {
        let (artwork, blob) = story.complete("Changed", b"changed").await?;
        story.bucket.blobs.put(&blob.key, Bytes::from_static(now), "image/png").await?;
        changed.push(artwork);
    }
    let (last, _) = story.complete("Last", b"last").await?;
    let unknown = ArtworkId::new();
    let (unfinished, _) = story.begun("Unfinished").await?;

    let all = vec![kept, gone, changed[0], changed[1], changed[2], last, unknown, unfinished];
    let completed = story.export(&story.request(Selection::Artworks(all)).await?).await?;
    assert_eq!(completed.pictures, 2);
    let unpacked = story.unpack(&completed.archive).await?;
    let names: Vec<&str> = unpacked.files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["0001-kept.png", "0006-last.png", "index.html", "manifest.json"]);
    let reason = |artwork: ArtworkId| {
        let found = completed.missing.iter().find(|missing| missing.artwork_id == artwork);
        found.map(|missing| missing.reason.clone()).unwrap_or_default()
    };
    assert!(reason(gone).contains("is not in the bucket"), "{}", reason(gone));
    assert!(changed.iter().all(|artwork| reason(*artwork).contains("has changed")), "{:?}", completed.missing);
    assert_eq!(reason(unknown), format!("there is no artwork {unknown}"));
    assert!(reason(unfinished).ends_with("its status is pending"), "{}", reason(unfinished));
    assert_eq!(completed.missing.len(), 6);
    let told: Vec<Missing> = serde_json::from_value(unpacked.manifest["missing"].clone())?;
    assert_eq!(told, completed.missing);
    assert_eq!(unpacked.manifest["artworks"].as_array().map(Vec::len), Some(2));
    Ok(())
}

#[tokio::test]
async fn hostile_titles_lead_nowhere() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let titles = [
        "../../../etc/passwd",
        "/absolute",
        "C:\\windows\\system32",
        "CON",
        "nul.txt",
        "\u{202e}gnp.exe",
        "new\nline",
        "...",
        "   ",
        "same",
        "same",
        &"long ".repeat(2_000),
    ];
    for title in titles {
        story.complete(title, title.as_bytes()).await?;
    }
    let completed = story.export(&story.request(Selection::All(story.log.head().await?)).await?).await?;
    let unpacked = story.unpack(&completed.archive).await?;
    assert_eq!(unpacked.files.len(), titles.len() + 2);
    let mut names = std::collections::BTreeSet::new();
    for ((name, content), title) in unpacked.files.iter().zip(titles) {
        assert_eq!(content, title.as_bytes());
        assert!(name.len() <= 100 && name.starts_with(|char: char| char.is_ascii_digit()), "{name:?}");
        assert!(!name.contains(['/', '\\', ':', '\n', '\u{202e}']) && !name.contains(".."), "{name:?}");
        assert!(names.insert(name), "{name:?} is there twice");
    }
    let folder = tempfile::tempdir()?;
    zip::ZipArchive::new(std::io::Cursor::new(unpacked.bytes))?.extract(folder.path())?;
    assert_eq!(std::fs::read_dir(folder.path())?.count(), titles.len() + 2);
    Ok(())
}

#[tokio::test]
async fn an_export_of_nothing_is_refused_with_its_reason_and_leaves_no_zip() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let refused = async |selection| -> anyhow::Result<(String, bool)> {
        let event = story.request(selection).await?;
        let Outcome::Discarded(error) = story.run(&event).await? else { anyhow::bail!("it was not discarded") };
        let Event::Export(ExportEvent::Requested(requested)) = event.event()? else { anyhow::bail!("{event:?}") };
        let writes = given_up(Consumer::Exports, &event, "atelier-exports", &error);
        let failed = &writes[0].events[0].event;
        anyhow::ensure!(
            matches!(failed, Event::Export(ExportEvent::Failed(failed)) if failed.error == error && failed.export_id == requested.export_id),
            "{failed:?}"
        );
        Ok((error, story.bucket.blobs.head(&keys::export(requested.export_id)).await?.is_some()))
    };
    let unknown = ArtworkId::new();
    let (error, written) = refused(Selection::Artworks(Vec::new())).await?;
    assert_eq!((error.as_str(), written), ("nothing to export: there is no artwork with a picture", false));
    let (error, written) = refused(Selection::Artworks(vec![unknown])).await?;
    assert_eq!((error, written), (format!("nothing to export: there is no artwork {unknown}"), false));
    let begun = story.begun("Lost").await?;
    let blob = Blob {
        key: keys::original(OWNER, VariantId::new(), "png"),
        sha256: "00".repeat(32),
        media_type: "image/png".to_owned(),
        length: 4,
    };
    let head = story.finish(begun, blob).await?;
    let (error, written) = refused(Selection::All(head)).await?;
    assert_eq!((error.as_str(), written), ("nothing to export: every picture is missing or has changed", false));
    Ok(())
}
