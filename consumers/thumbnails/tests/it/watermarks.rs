//! Which words a picture gets, by template and by space.

use std::collections::HashMap;

use atelier_events::Details;
use atelier_events::settings::load_from;
use atelier_thumbnails::settings::Settings;
use atelier_thumbnails::{Corner, Mark};

fn details(artist: &str) -> Details {
    let details = serde_json::json!({ "title": "Harbour", "artist": artist });
    serde_json::from_value(details).expect("what an artwork must have")
}

fn settings(toml: &str) -> anyhow::Result<Settings> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("atelier.toml");
    std::fs::write(&file, toml)?;
    Ok(load_from(Some(&file), HashMap::new())?)
}

fn mark(settings: &Settings, space: &str, artist: &str) -> Option<Mark> {
    settings.watermark.caption(space, &details(artist)).mark
}

#[test]
fn without_settings_the_artist_is_in_the_lower_right_corner() {
    let settings = Settings::default();
    let expected = Mark { text: "Ada".to_owned(), ..Mark::default() };
    assert_eq!(mark(&settings, "ann", "Ada"), Some(expected));
    assert_eq!(mark(&settings, "ann", " "), None, "nobody's picture has nobody's mark");
}

#[test]
fn a_space_differs_in_what_it_sets_and_in_nothing_else() -> anyhow::Result<()> {
    let settings = settings(
        r#"
        [watermark]
        text = "© {artist}, {title}"
        opacity_percent = 50
        [watermark.spaces.ann]
        corner = "upper_left"
        [watermark.spaces.bob]
        enabled = false
        [watermark.spaces.eve]
        text = "{space}"
        opacity_percent = 10
        "#,
    )?;
    let text = |space| mark(&settings, space, "Ada").map(|mark| mark.text);
    assert_eq!(text("zoe").as_deref(), Some("© Ada, Harbour"));
    assert_eq!(text("bob"), None);
    let expected = Mark { text: "© Ada, Harbour".to_owned(), corner: Corner::UpperLeft, opacity_percent: 50 };
    assert_eq!(mark(&settings, "ann", "Ada"), Some(expected));
    let expected = Mark { text: "eve".to_owned(), corner: Corner::LowerRight, opacity_percent: 10 };
    assert_eq!(mark(&settings, "eve", ""), Some(expected));
    Ok(())
}

#[test]
fn an_artist_is_no_template() -> anyhow::Result<()> {
    let settings = settings("[watermark]\ntext = \"by {artist}\"")?;
    assert_eq!(mark(&settings, "ann", "{title}").map(|mark| mark.text).as_deref(), Some("by {title}"));
    Ok(())
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_can() {
    for (toml, said) in [
        ("[watermark]\ntext = \"{name}\"", "{artist}, {title}, {space}"),
        ("[watermark]\ntext = \"{artist\"", "never closes"),
        ("[watermark]\nopacity_percent = 0", "goes from 1 to 100"),
        ("[watermark.spaces.ann]\nopacity_percent = 101", "goes from 1 to 100"),
        (
            "[watermark]\ncorner = \"middle\"",
            "\"middle\" is no corner; there are: lower_right, lower_left, upper_right, upper_left",
        ),
        (
            "[watermark.spaces.ann]\ncorner = \"\"",
            "\"\" is no corner; there are: lower_right, lower_left, upper_right, upper_left",
        ),
        ("[watermark.spaces.ann]\ncolour = \"red\"", "colour"),
    ] {
        let error = settings(toml).expect_err(toml);
        assert!(format!("{error:#}").contains(said), "{toml}: {error:#}");
    }
}
