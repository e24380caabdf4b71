//! How long a ZIP is kept, and who gets which.

use atelier_events::export::{Completed, Export, ExportEvent, Failed, Selection};
use atelier_events::{Event, ExportId, NewEvent, Recorded, Stream, keys};
use atelier_exports::ExportSettings;
use atelier_runtime::{Attempt, Job as _, Outcome};
use time::{Duration, OffsetDateTime};

use crate::story::{Story, completed};

fn attempt(event: &Recorded) -> Attempt {
    let event = event.clone();
    Attempt::first(event)
}

/// The event by which an export is completed, as it lies in the log.
async fn told(story: &Story, completed: &Completed) -> anyhow::Result<Recorded> {
    let stream = Stream::export(completed.export_id);
    story.tell(stream.clone(), vec![Event::Export(ExportEvent::Completed(completed.clone()))]).await?;
    story.log.read_stream(&stream).await?.pop().ok_or_else(|| anyhow::anyhow!("{stream} is empty"))
}

#[tokio::test]
async fn a_zip_is_deleted_when_its_time_is_over_and_not_before() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    story.complete("Harbour", b"harbour").await?;
    let all = Selection::All(story.log.head().await?);
    let job = story.job();
    let packed = completed(job.run(&attempt(&story.request(all.clone()).await?)).await?)?;
    let until = packed.kept_until.ok_or_else(|| anyhow::anyhow!("it is kept for ever"))?;
    let week = Duration::WEEK;
    assert!((until - OffsetDateTime::now_utc() - week).abs() < Duration::MINUTE, "{until}");

    let early = job.run(&attempt(&told(&story, &packed).await?)).await?;
    assert!(matches!(early, Outcome::Snoozed(left) if (week - left).abs() < Duration::MINUTE), "{early:?}");
    assert!(story.bucket.blobs.head(&packed.archive.key).await?.is_some());

    let over = Completed { kept_until: Some(OffsetDateTime::now_utc() - Duration::SECOND), ..packed.clone() };
    let event = told(&story, &over).await?;
    let Outcome::Completed(writes) = job.run(&attempt(&event)).await? else { anyhow::bail!("it was not done") };
    let events: Vec<&NewEvent> = writes.iter().flat_map(|write| &write.events).collect();
    assert!(
        matches!(&events[0].event, Event::Export(ExportEvent::Expired(gone)) if gone.export_id == packed.export_id)
    );
    assert_eq!(story.bucket.blobs.head(&packed.archive.key).await?, None);
    // Nor is it found by who asks for the same.
    let contents = packed.contents.clone().unwrap_or_default();
    assert_eq!(story.bucket.blobs.head(&keys::export_contents(&contents)).await?, None);
    let anew = completed(job.run(&attempt(&story.request(all).await?)).await?)?;
    assert_ne!(anew.archive.key, packed.archive.key);
    // Doing it again does no harm.
    assert!(matches!(job.run(&attempt(&event)).await?, Outcome::Completed(_)));
    Ok(())
}

#[tokio::test]
async fn kept_for_ever_there_is_nothing_to_wait_for() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    story.complete("Harbour", b"harbour").await?;
    let job = story.job_with(ExportSettings { keep_s: 0, ..ExportSettings::default() });
    let packed = completed(job.run(&attempt(&story.request(Selection::All(story.log.head().await?)).await?)).await?)?;
    assert_eq!(packed.kept_until, None);
    let done = job.run(&attempt(&told(&story, &packed).await?)).await?;
    assert!(matches!(&done, Outcome::Completed(writes) if writes.is_empty()), "{done:?}");
    assert!(story.bucket.blobs.head(&packed.archive.key).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn the_same_selection_twice_is_one_zip_until_its_time_is_half_over() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let (harbour, _) = story.complete("Harbour", b"harbour").await?;
    let job = story.job();
    let first = story.export(&story.request(Selection::All(story.log.head().await?)).await?).await?;
    // The position is another, and what is there is the same; so is a list of it.
    story.begun("Not yet").await?;
    for selection in [Selection::All(story.log.head().await?), Selection::Artworks(vec![harbour])] {
        let event = story.request(selection).await?;
        let again = completed(job.run(&attempt(&event)).await?)?;
        assert_ne!(again.export_id, first.export_id);
        assert_eq!(again, Completed { export_id: again.export_id, ..first.clone() });
        assert_eq!(story.bucket.blobs.head(&keys::export(again.export_id)).await?, None);
    }
    // A day of keeping has more than half of its time left in a note of a week, and a month has not.
    let month = story.job_with(ExportSettings { keep_s: 2_592_000, ..ExportSettings::default() });
    let later = completed(month.run(&attempt(&story.request(Selection::Artworks(vec![harbour])).await?)).await?)?;
    assert_ne!(later.archive.key, first.archive.key);
    story.complete("Dusk", b"dusk").await?;
    let more = story.export(&story.request(Selection::All(story.log.head().await?)).await?).await?;
    assert_ne!((more.contents, more.pictures), (first.contents, 1));
    Ok(())
}

#[tokio::test]
async fn what_could_not_be_packed_whole_is_nobody_else_s() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    story.complete("Kept", b"kept").await?;
    let (_, gone) = story.complete("Gone", b"gone").await?;
    story.bucket.blobs.delete(&gone.key).await?;
    let all = Selection::All(story.log.head().await?);
    let first = story.export(&story.request(all.clone()).await?).await?;
    assert_eq!((first.pictures, first.missing.len(), &first.contents), (1, 1, &None));
    story.bucket.blobs.put(&gone.key, "gone".into(), "image/png").await?;
    let second = story.export(&story.request(all).await?).await?;
    assert_eq!((second.pictures, second.missing.len()), (2, 0));
    Ok(())
}

#[tokio::test]
async fn progress_counts_pictures_and_bytes_to_their_end() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    for number in 0..3_u8 {
        story.complete("Work", &[number; 100]).await?;
    }
    let attempt = attempt(&story.request(Selection::All(story.log.head().await?)).await?);
    story.job().run(&attempt).await?;
    let expected = serde_json::json!({ "pictures": 3, "total_pictures": 3, "bytes": 300, "total_bytes": 300 });
    assert_eq!(attempt.progress.told(), expected);
    Ok(())
}

#[tokio::test]
async fn an_export_that_was_completed_and_has_expired_stays_so() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    story.complete("Harbour", b"harbour").await?;
    let packed = story.export(&story.request(Selection::All(story.log.head().await?)).await?).await?;
    let stream = Stream::export(packed.export_id);
    let expired = atelier_events::export::Expired { export_id: packed.export_id };
    let events = vec![ExportEvent::Completed(packed.clone()), ExportEvent::Expired(expired)];
    story.tell(stream.clone(), events.into_iter().map(Event::Export).collect()).await?;
    let events = story.log.read_stream(&stream).await?;
    assert_eq!(events.iter().try_fold(None, Export::fold)?, Some(Export::Expired(packed)));
    Ok(())
}

#[tokio::test]
async fn the_list_of_a_query_goes_when_its_export_failed_and_can_be_requeued_until_then() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let (harbour, _) = story.complete("Harbour", b"harbour").await?;
    let job = story.job();
    let key = keys::export_list(ExportId::new());
    let list = story.bucket.blobs.put(&key, format!("{harbour}\n").into(), "text/plain").await?;
    let requested = story.request(Selection::Listed(list)).await?;
    let stream = requested.stream.clone();
    let Event::Export(ExportEvent::Requested(asked)) = requested.event()? else { anyhow::bail!("{requested:?}") };
    let failure = Failed { export_id: asked.export_id, error: "no room".to_owned() };
    story.tell(stream.clone(), vec![Event::Export(ExportEvent::Failed(failure))]).await?;
    let event = story.log.read_stream(&stream).await?.pop().ok_or_else(|| anyhow::anyhow!("it is not told"))?;
    let ago = |age| attempt(&Recorded { occurred_at: event.occurred_at - age, ..event.clone() });
    let there = async || Ok::<_, anyhow::Error>(story.bucket.blobs.head(&key).await?.is_some());
    let is_done = |outcome: &Outcome| matches!(outcome, Outcome::Completed(writes) if writes.is_empty());

    let early = job.run(&ago(Duration::DAY)).await?;
    assert!(
        matches!(early, Outcome::Snoozed(left) if (Duration::days(6) - left).abs() < Duration::MINUTE),
        "{early:?}"
    );
    let for_ever =
        story.job_with(ExportSettings { keep_s: 0, ..ExportSettings::default() }).run(&ago(Duration::WEEK)).await?;
    assert!(is_done(&for_ever) && there().await?, "{for_ever:?}");
    // Requeued, it is packed: its list is of use until its ZIP's time is over.
    let packed = completed(job.run(&attempt(&requested)).await?)?;
    let over = job.run(&ago(Duration::WEEK)).await?;
    assert!(is_done(&over) && !there().await?, "{over:?}");

    story.bucket.blobs.put(&key, format!("{harbour}\n").into(), "text/plain").await?;
    told(&story, &packed).await?;
    let completed_after_all = job.run(&ago(Duration::WEEK)).await?;
    assert!(is_done(&completed_after_all) && there().await?, "{completed_after_all:?}");
    Ok(())
}
