//! What goes in follows from the log up to the position at which it was asked for.

use atelier_events::export::Selection;

use crate::story::Story;

#[tokio::test]
async fn all_means_what_was_active_at_its_position_in_the_order_of_creation() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let slow = story.begun("Slow").await?;
    let (_, blob) = story.complete("Quick", b"quick").await?;
    story.begun("Never").await?;
    let before = story.log.head().await?;
    let after = story.finish(slow, blob).await?;
    story.complete("Late", b"late").await?;

    for (position, expected) in [(before, &["0001-quick.png"][..]), (after, &["0001-slow.png", "0002-quick.png"])] {
        let completed = story.export(&story.request(Selection::All(position)).await?).await?;
        let unpacked = story.unpack(&completed.archive).await?;
        let names: Vec<&str> = unpacked.files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[..names.len() - 2], *expected);
        assert_eq!((completed.missing, unpacked.manifest["position"].as_i64()), (Vec::new(), Some(position.0)));
    }
    Ok(())
}
