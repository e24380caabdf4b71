//! All variants of an artwork, or the one that stands for it.

use atelier_events::export::{Completed, Files, Missing, Selection, Variants};
use atelier_events::variant::{self, VariantEvent};
use atelier_events::{ArtworkId, Event, Lineage, Relation, RenditionKind, Stream, VariantId, keys};
use atelier_exports::{Manifest, ManifestEntry};
use atelier_runtime::Outcome;
use bytes::Bytes;

use crate::readers;
use crate::story::{OWNER, Story, Unpacked, completed};

/// An artwork with three complete variants and one that is not, between them.
async fn harbour(story: &Story) -> anyhow::Result<(ArtworkId, [VariantId; 3])> {
    let (harbour, _) = story.complete("Harbour", b"first").await?;
    let first = story.cover(harbour).await?;
    let (second, _) = story.refine(harbour, b"second", &[]).await?;
    story.refined(harbour).await?;
    let (third, _) = story.refine(harbour, b"third", &[]).await?;
    Ok((harbour, [first, second, third]))
}

async fn export(story: &Story, selection: Selection, variants: Variants) -> anyhow::Result<(Completed, Unpacked)> {
    let event = story.request_of(selection, Files::Originals, variants).await?;
    let completed = story.export(&event).await?;
    let unpacked = story.unpack(&completed.archive).await?;
    Ok((completed, unpacked))
}

fn names(unpacked: &Unpacked) -> Vec<&str> {
    unpacked.files.iter().map(|(name, _)| name.as_str()).collect()
}

fn page(unpacked: &Unpacked, name: &str) -> anyhow::Result<String> {
    let file = unpacked.files.iter().find(|(file, _)| file == name);
    let (_, content) = file.ok_or_else(|| anyhow::anyhow!("there is no {name}"))?;
    Ok(String::from_utf8(content.clone())?)
}

#[tokio::test]
async fn every_complete_variant_is_a_picture_of_its_own_and_the_manifest_says_which() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let (harbour, [first, second, third]) = harbour(&story).await?;
    let (dusk, _) = story.complete("Dusk", b"dusk").await?;
    let (completed, unpacked) = export(&story, Selection::All(story.log.head().await?), Variants::All).await?;

    assert_eq!((completed.pictures, &completed.missing), (4, &Vec::new()));
    let made = ["index.html", "manifest.json"];
    let pictures = ["0001-harbour.png", "0001-harbour-2.png", "0001-harbour-3.png", "0002-dusk.png"];
    assert_eq!(names(&unpacked), [&pictures[..], &made].concat());
    let contents: Vec<&[u8]> = unpacked.files[..4].iter().map(|(_, content)| content.as_slice()).collect();
    assert_eq!(contents, [&b"first"[..], b"second", b"third", b"dusk"]);

    assert_eq!((&unpacked.manifest["schema"], &unpacked.manifest["variants"]), (&2.into(), &"all".into()));
    let manifest = Manifest::read(page(&unpacked, "manifest.json")?.as_bytes())?;
    assert_eq!(manifest.variants, Variants::All);
    let said = |entry: &ManifestEntry| (entry.id, entry.variant, entry.cover, entry.file.clone());
    let said: Vec<_> = manifest.artworks.iter().map(said).collect();
    let [one, two, three, four] = pictures.map(str::to_owned);
    let dusk_cover = story.cover(dusk).await?;
    let expected = [
        (harbour, first, false, one),
        (harbour, second, false, two),
        (harbour, third, true, three),
        (dusk, dusk_cover, true, four),
    ];
    assert_eq!(said, expected);
    assert_eq!(manifest.artworks[1].lineage, [Lineage { parent: first, relation: Relation::Refined }]);
    assert_eq!(manifest.artworks[2].lineage, [Lineage { parent: second, relation: Relation::Refined }]);
    let ages: Vec<_> = manifest.artworks[..3].iter().filter_map(|entry| entry.requested_at).collect();
    assert!(ages.len() == 3 && ages[0] == manifest.artworks[0].created_at && ages.is_sorted(), "{ages:?}");
    assert!(ages[0] < ages[1] && ages[1] < ages[2] && manifest.artworks[2].created_at == ages[0], "{ages:?}");
    assert!(manifest.artworks.iter().all(|entry| entry.other_variants.is_empty()));

    let page = page(&unpacked, "index.html")?;
    assert!(page.contains("<p>2 works, 4 pictures</p>"), "{page}");
    assert!(
        page.contains("alt=\"Harbour, variant 1 of 3: Waves\"") && page.contains("variant 3 of 3, the cover</small>")
    );
    assert_eq!(page.matches("<figure class=\"variant\">").count(), 3, "{page}");
    assert_eq!(page.matches("<figure>").count(), 1, "{page}");

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("export.zip");
    std::fs::write(&path, unpacked.bytes)?;
    readers::check(&path, 6)
}

#[tokio::test]
async fn a_selection_and_a_query_have_all_variants_of_theirs() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    story.complete("Dusk", b"dusk").await?;
    let (harbour, _) = harbour(&story).await?;
    let list = story.bucket.blobs.put("exports/list.txt", format!("{harbour}\n").into(), "text/plain").await?;
    let mut found = Vec::new();
    for selection in [Selection::Artworks(vec![harbour]), Selection::Listed(list)] {
        let (completed, unpacked) = export(&story, selection, Variants::All).await?;
        let pictures = ["0001-harbour.png", "0001-harbour-2.png", "0001-harbour-3.png", "index.html", "manifest.json"];
        assert_eq!(names(&unpacked), pictures);
        found.push(completed.archive);
    }
    assert_eq!(found[0], found[1], "the same content is one ZIP");
    Ok(())
}

#[tokio::test]
async fn covers_alone_are_another_zip_that_names_what_it_has_not() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let (dusk, _) = story.complete("Dusk", b"dusk").await?;
    let single = Selection::Artworks(vec![dusk]);
    let (all, _) = export(&story, single.clone(), Variants::All).await?;
    let (covers, unpacked) = export(&story, single, Variants::Cover).await?;
    // The pictures are the same, and what the manifest promises is not.
    assert_eq!((all.pictures, covers.pictures), (1, 1));
    assert!(all.contents != covers.contents && all.archive.key != covers.archive.key);
    assert_eq!(unpacked.manifest["variants"], "cover");

    let (harbour, [first, second, third]) = harbour(&story).await?;
    let (covers, unpacked) = export(&story, Selection::Artworks(vec![harbour]), Variants::Cover).await?;
    assert_eq!(covers.pictures, 1);
    assert_eq!(unpacked.files[0], ("0001-harbour.png".to_owned(), b"third".to_vec()));
    let entry: ManifestEntry = serde_json::from_value(unpacked.manifest["artworks"][0].clone())?;
    assert_eq!((entry.variant, entry.cover, entry.other_variants), (third, true, vec![first, second]));
    let page = page(&unpacked, "index.html")?;
    assert!(page.contains("<p>1 work</p>") && !page.contains("variant "), "{page}");
    Ok(())
}

#[tokio::test]
async fn a_variant_that_is_missing_or_has_changed_takes_no_other_with_it() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let (harbour, [first, second, third]) = harbour(&story).await?;
    let (dusk, dusk_blob) = story.complete("Dusk", b"dusk").await?;
    let key = |variant| keys::original(OWNER, variant, "png");
    story.bucket.blobs.delete(&key(second)).await?;
    let all = Selection::Artworks(vec![harbour, dusk]);
    let check = async |expected: &[&str], absent: &[(ArtworkId, VariantId, &str)], works: &str| {
        let (completed, unpacked) = export(&story, all.clone(), Variants::All).await?;
        let made = ["index.html", "manifest.json"];
        assert_eq!(names(&unpacked), [expected, &made].concat());
        assert_eq!((completed.pictures, completed.contents), (expected.len() as u64, None));
        assert_eq!(unpacked.manifest["missing"], serde_json::to_value(&completed.missing)?);
        let said = |missing: &Missing| (missing.artwork_id, missing.variant_id);
        let said: Vec<_> = completed.missing.iter().map(said).collect();
        assert_eq!(said, absent.iter().map(|(artwork, variant, _)| (*artwork, Some(*variant))).collect::<Vec<_>>());
        for ((_, variant, reason), missing) in absent.iter().zip(&completed.missing) {
            assert!(missing.reason.contains(&key(*variant)) && missing.reason.contains(reason), "{missing:?}");
        }
        let page = page(&unpacked, "index.html")?;
        assert!(page.contains(&format!("<p>{works}; {} could not", absent.len())), "{page}");
        anyhow::Ok(())
    };
    let gone = "is not in the bucket";
    let whole = ["0001-harbour.png", "0001-harbour-3.png", "0002-dusk.png"];
    check(&whole, &[(harbour, second, gone)], "2 works, 3 pictures").await?;
    story.bucket.blobs.put(&key(third), Bytes::from_static(b"THIRD"), "image/png").await?;
    let changed = "has changed";
    let absent = [(harbour, second, gone), (harbour, third, changed)];
    check(&["0001-harbour.png", "0002-dusk.png"], &absent, "2 works").await?;
    // Of a work of which nothing is left, the next keeps its number.
    story.bucket.blobs.delete(&key(first)).await?;
    let absent = [(harbour, first, gone), (harbour, second, gone), (harbour, third, changed)];
    check(&["0002-dusk.png"], &absent, "1 work").await?;
    story.bucket.blobs.delete(&dusk_blob.key).await?;
    let nothing = story.run(&story.request_of(all.clone(), Files::Originals, Variants::All).await?).await?;
    assert!(matches!(&nothing, Outcome::Discarded(error) if error.contains("every picture is missing")), "{nothing:?}");
    Ok(())
}

#[tokio::test]
async fn renditions_of_all_variants_are_packed_and_a_variant_without_one_is_named() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let display = |bytes: &'static [u8]| [(RenditionKind::Display, bytes)];
    let (harbour, _) = story.complete_with("Harbour", b"first", &display(b"one")).await?;
    let (without, _) = story.refine(harbour, b"second", &[]).await?;
    story.refine(harbour, b"third", &display(b"three")).await?;
    let files = Files::Rendition(RenditionKind::Display);
    let completed =
        story.export(&story.request_of(Selection::Artworks(vec![harbour]), files, Variants::All).await?).await?;
    let unpacked = story.unpack(&completed.archive).await?;
    assert_eq!(names(&unpacked), ["0001-harbour.jpg", "0001-harbour-3.jpg", "index.html", "manifest.json"]);
    let reason = format!("artwork {harbour} has no rendition \"display\" of variant {without}");
    assert_eq!(completed.missing, [Missing { artwork_id: harbour, variant_id: Some(without), reason }]);
    Ok(())
}

#[tokio::test]
async fn all_variants_are_the_same_bytes_each_time() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let (work, _) = harbour(&story).await?;
    let event = story.request_of(Selection::Artworks(vec![work]), Files::Originals, Variants::All).await?;
    let first = story.export(&event).await?;
    let bytes = story.unpack(&first.archive).await?.bytes;
    // A variant that is added later is not in the export.
    story.refine(work, b"later", &[]).await?;
    story.bucket.blobs.delete(&keys::export_contents(first.contents.as_deref().unwrap_or_default())).await?;
    let again = completed(story.run(&event).await?)?;
    assert_eq!(again, Completed { kept_until: again.kept_until, ..first });
    assert!(story.unpack(&again.archive).await?.bytes == bytes);
    Ok(())
}

#[tokio::test]
async fn a_work_of_very_many_variants_goes_over_several_pages() -> anyhow::Result<()> {
    const VARIANTS: u64 = 501;
    let story = Story::begin().await?;
    let (artwork_id, _) = story.complete("Harbour", b"first").await?;
    let events = story.log.read_stream(&Stream::artwork(artwork_id)).await?;
    let mut sample = Vec::new();
    for event in &events {
        sample.push(event.event()?);
    }
    let mut many = Vec::new();
    for _ in 1..VARIANTS {
        let variant_id = VariantId::new();
        for event in &sample {
            many.extend(match event {
                Event::Variant(VariantEvent::Requested(asked)) => {
                    let lineage = Vec::new();
                    Some(VariantEvent::Requested(variant::Requested { variant_id, lineage, ..asked.clone() }))
                }
                Event::Variant(VariantEvent::Rendered(rendered)) => {
                    Some(VariantEvent::Rendered(variant::Rendered { variant_id, ..rendered.clone() }))
                }
                _ => None,
            });
        }
    }
    story.tell(Stream::artwork(artwork_id), many.into_iter().map(Event::Variant).collect()).await?;
    let (completed, unpacked) = export(&story, Selection::Artworks(vec![artwork_id]), Variants::All).await?;
    assert_eq!(completed.pictures, VARIANTS);
    assert_eq!(unpacked.files[500], ("0001-harbour-501.png".to_owned(), b"first".to_vec()));
    assert!(page(&unpacked, "index.html")?.contains("<p>1 work, 501 pictures</p>"));
    let second = page(&unpacked, "page-2.html")?;
    assert_eq!(second.matches("<figure").count(), 1);
    assert!(second.contains("variant 501 of 501, the cover"), "{second}");
    Ok(())
}
