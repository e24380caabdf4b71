//! What a person types finds what a person means.

use atelier_events::{ArtworkId, Details, Stream, VariantId};

use crate::story::{Story, created, recipe, requested, titled};

async fn found(story: &Story, words: &str) -> anyhow::Result<Vec<String>> {
    let statement = "select title from read.artworks where search @@ read.search_query($1) order by created_position";
    Ok(sqlx::query_scalar(statement).bind(words).fetch_all(story.pool()).await?)
}

#[tokio::test]
async fn titles_tags_artists_descriptions_and_prompts_are_found() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    story.complete(titled("Mountains of the North")).await?;
    let tags = vec!["oil painting".to_owned()];
    story.complete(Details { tags, ..titled("Quiet harbour") }).await?;
    let description = "Waves below a lighthouse".to_owned();
    story.complete(Details { description, artist: "Müller".to_owned(), ..titled("Untitled") }).await?;
    let (artwork, variant) = (ArtworkId::new(), VariantId::new());
    let events =
        vec![created(artwork, titled("東京 at night")), requested(artwork, variant, recipe("a red fox"), Vec::new())];
    story.tell(Stream::artwork(artwork), events).await?;
    story.read_model().await?;

    let expected: &[(&str, &[&str])] = &[
        ("mountain", &["Mountains of the North"]),
        ("MOUNTAINS north", &["Mountains of the North"]),
        ("oil", &["Quiet harbour"]),
        ("wave", &["Untitled"]),
        ("müller", &["Untitled"]),
        ("fox", &["東京 at night"]),
        ("東京", &["東京 at night"]),
        ("\"quiet harbour\"", &["Quiet harbour"]),
        ("\"harbour quiet\"", &[]),
        ("harbour or fox", &["Quiet harbour", "東京 at night"]),
        ("ann -harbour -mountains", &["東京 at night"]),
        ("nothing", &[]),
        ("'; drop table read.artworks; --", &[]),
        ("", &[]),
    ];
    for (words, titles) in expected {
        assert_eq!(found(&story, words).await?, *titles, "{words:?}");
    }
    Ok(())
}

#[tokio::test]
async fn no_word_is_too_common_to_be_found_and_none_must_be_there() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let description = "To be, or not to be: running from the harbours".to_owned();
    story.complete(Details { description, ..titled("Hamlet") }).await?;
    story.complete(titled("Sea")).await?;
    story.complete(titled("Over the sea")).await?;
    story.read_model().await?;

    let expected: &[(&str, &[&str])] = &[
        ("\"to be or not to be\"", &["Hamlet"]),
        ("\"not be\"", &[]),
        ("runs", &["Hamlet"]),
        ("the sea", &["Sea", "Over the sea"]),
        ("\"over the sea\"", &["Over the sea"]),
        ("ann -running", &["Sea", "Over the sea"]),
        ("ann -harbours -over", &["Sea", "Over the sea"]),
    ];
    for (words, titles) in expected {
        assert_eq!(found(&story, words).await?, *titles, "{words:?}");
    }
    Ok(())
}

#[tokio::test]
async fn texts_of_megabytes_stop_nothing_and_are_found_by_their_beginning() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let mut words: Vec<String> = (0..400_000).map(|number| format!("w{number}")).collect();
    words.push("x".repeat(1_000_000));
    story.complete(Details { description: words.join(" "), ..titled("Long") }).await?;
    story.complete(titled("Short")).await?;
    story.read_model().await?;
    assert_eq!(found(&story, "w17").await?, ["Long"]);
    assert_eq!(found(&story, "short").await?, ["Short"]);
    Ok(())
}
