use atelier_events::Swatch;
use atelier_site::gallery::Artwork;
use atelier_site::pages::{RenderError, Site};
use atelier_site::untrusted::{colour, excerpt, is_safe_path, is_xml_char, web_link};
use atelier_site::video::{Video, video};
use miniz_oxide::inflate::decompress_to_vec_zlib;
use proptest::prelude::*;

use crate::documents::{elements, has_extension, named};
use crate::sample;

const ATTACKS: &[&str] = &[
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</title><svg/onload=alert(1)>",
    "]]><x/>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; &amp;",
    "\u{0}\u{8}\u{b}\u{1b}[31m\u{fffe}\u{ffff}",
    "\u{202e}reversed",
    "<!-- --><!ENTITY x SYSTEM 'file:///etc/passwd'>",
];

/// An artwork in which every free text is `text`.
fn hostile(number: u32, text: &str) -> Artwork {
    let text = || text.to_owned();
    Artwork {
        title: text(),
        description: text(),
        artist: text(),
        tags: vec![text(), format!("a{}", text()), "../../../etc".to_owned()],
        category: text(),
        materials: Some(text()),
        dimensions: Some(text()),
        source_url: Some(text()),
        video_url: Some(text()),
        prompt: Some(text()),
        provider: Some(text()),
        model: Some(text()),
        mediums: Vec::new(),
        webp_mediums: Vec::new(),
        lossless: None,
        animation: None,
        card: None,
        pixelated: false,
        palette: [text(), "#000000;background:url(//evil.example)".to_owned()]
            .map(|colour| Swatch { colour, per_mille: u16::MAX })
            .into(),
        placeholder: Some(text()),
        ..sample::artwork(number)
    }
}

/// What no page of any gallery contains: scripts and handlers that are not ours.
fn check_inert(site: &Site) {
    for (path, bytes) in sample::rendered(site) {
        if has_extension(&path, "json") {
            let _: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
        if has_extension(&path, "bin") {
            let shard = decompress_to_vec_zlib(&bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
            let _: serde_json::Value = serde_json::from_slice(&shard).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
        if !has_extension(&path, "html") && !has_extension(&path, "xml") {
            continue;
        }
        let found = elements(&bytes);
        for script in named(&found, "script") {
            match script.attribute("type") {
                Some("module") => {
                    let src = script.attribute("src").expect("a module has a source");
                    let ours = ["/gallery.js", "/likes.js", "/search.js"].iter().any(|name| src.ends_with(name));
                    assert!(ours && src.contains("/assets/") && script.text.is_empty(), "{path}: {src}");
                }
                Some("application/ld+json") => {
                    assert!(!script.text.contains('<') && !script.text.contains('>'), "{path}: {}", script.text);
                    let _: serde_json::Value = serde_json::from_str(&script.text).expect("linked data is JSON");
                }
                other => panic!("{path} has a script of type {other:?}"),
            }
        }
        for element in &found {
            for (name, value) in &element.attributes {
                assert!(!name.starts_with("on"), "{path}: {name}={value}");
                let lower = value.trim().to_lowercase();
                assert!(!lower.starts_with("javascript:"), "{path}: {name}={value}");
                if name == "style" {
                    assert!(!value.contains("//"), "{path}: {value}");
                }
            }
        }
        assert_eq!(named(&found, "svg").count() + named(&found, "x").count(), 0, "{path}");
        assert!(String::from_utf8(bytes).expect("pages are UTF-8").chars().all(is_xml_char), "{path}");
    }
}

#[test]
fn no_text_of_an_artwork_becomes_markup() {
    for attack in ATTACKS {
        check_inert(&sample::site(vec![sample::artwork(0), hostile(1, attack), sample::artwork(2)]));
    }
}

#[test]
fn no_text_of_the_site_itself_becomes_markup() {
    for attack in ATTACKS {
        let mut meta = sample::meta();
        for text in [&mut meta.title, &mut meta.description, &mut meta.author, &mut meta.about] {
            *text = (*attack).to_owned();
        }
        meta.links = vec![attack.to_string(), format!("https://evil.example/{attack}")];
        check_inert(&sample::site_of(meta, (0..3).map(sample::artwork)));
    }
}

#[test]
fn what_was_written_is_what_is_read() {
    let text = "<i>5 > 4</i> & \"quotes\" 'too'";
    let site = sample::site(vec![hostile(1, text)]);
    let pages = sample::rendered(&site);
    let page = &pages["artworks/00000000-0000-0000-0000-000000000002/index.html"];
    let found = elements(page);
    assert_eq!(named(&found, "h1").next().expect("a work has a heading").text, text);
    let prompt = found.iter().find(|element| element.attribute("class") == Some("prompt"));
    assert_eq!(prompt.expect("the prompt is shown").text, text);
}

#[test]
fn a_title_of_ten_thousand_characters_or_of_none_still_makes_a_page() {
    for title in ["x".repeat(10_000), "word ".repeat(2_000), String::new(), "\u{1}\u{2}".to_owned()] {
        let mut artwork = sample::artwork(1);
        artwork.title = title;
        let pages = sample::rendered(&sample::site(vec![artwork]));
        let home = elements(&pages["index.html"]);
        let label =
            home.iter().find(|element| element.attribute("class") == Some("title")).expect("a card has a label");
        assert!(label.text.chars().count() <= 121, "{} characters", label.text.chars().count());
        assert!(!label.text.is_empty());
    }
}

#[test]
fn only_unambiguous_web_addresses_become_links() {
    for refused in [
        "javascript:alert(1)",
        " javascript://example.org/%0aalert(1)",
        "data:text/html,<script>",
        "//example.org/",
        "/etc/passwd",
        "ftp://example.org/",
        "https://",
        "https:///path",
        "https://known.example@evil.example/",
        "https://evil.example\\@known.example/",
        "https://example.org/\nx",
        "https://exa mple.org/",
        "",
    ] {
        assert_eq!(web_link(refused), None, "{refused}");
    }
    let link = web_link(" HTTPS://www.Example.org:8080/a?b=c&d#e ").expect("this is a web address");
    assert_eq!(
        (link.href.as_str(), link.host.as_str()),
        ("HTTPS://www.Example.org:8080/a?b=c&d#e", "example.org:8080")
    );
}

#[test]
fn a_video_is_framed_only_by_the_players_we_know() {
    let player = |url| match video(url) {
        Some(Video::Player { src, .. }) => Some(src),
        _ => None,
    };
    let framed = Some("https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ".to_owned());
    assert_eq!(player("https://www.youtube.com/watch?list=1&v=dQw4w9WgXcQ#t=1"), framed);
    assert_eq!(player("https://youtu.be/dQw4w9WgXcQ?si=x"), framed);
    assert_eq!(player("https://vimeo.com/76979871"), Some("https://player.vimeo.com/video/76979871?dnt=1".to_owned()));
    assert_eq!(player("https://youtube.com.evil.example/watch?v=dQw4w9WgXcQ"), None);
    assert_eq!(player("https://youtu.be/\"onload=\"x"), None);
    assert!(matches!(video("https://cdn.example/a.MP4?sig=1"), Some(Video::File { media_type: "video/mp4", .. })));
    assert!(matches!(video("https://example.org/watch"), Some(Video::Link { .. })));
    assert_eq!(video("javascript:0"), None);
}

#[test]
fn only_plain_colours_reach_a_style() {
    assert_eq!(colour("#A0b1C2").as_deref(), Some("#a0b1c2"));
    for refused in ["#fff", "red", "#12345g", "#1234567", "#123456;", "", "#١٢٣"] {
        assert_eq!(colour(refused), None, "{refused}");
    }
}

fn shown(artworks: Vec<Artwork>) -> Result<(), RenderError> {
    let mut site = Site::new(sample::meta()).expect("the sample can be rendered");
    artworks.into_iter().try_for_each(|artwork| site.show(artwork))
}

#[test]
fn a_key_that_leaves_the_site_is_refused() {
    for key in ["../secret", "a/../../b", "/etc/passwd", "", "a//b", "a\\..\\b", "a/\u{0}", "c:/x", "./a"] {
        let mut artwork = sample::artwork(1);
        artwork.display.key = key.to_owned();
        let refused = shown(vec![artwork]);
        assert!(matches!(refused, Err(RenderError::Key(named)) if named == key), "{key}");
    }
}

#[test]
fn one_key_for_two_images_is_refused() {
    let (mut first, second) = (sample::artwork(1), sample::artwork(2));
    first.icon.key.clone_from(&second.icon.key);
    let refused = shown(vec![first, second]);
    assert!(matches!(refused, Err(RenderError::KeyReused(_))), "{refused:?}");
}

#[test]
fn a_base_url_that_would_break_links_is_refused() {
    for base_url in ["", "art.example", "https://art.example/", "javascript:0", "https://art.example?x", "https://a b"]
    {
        let mut meta = sample::meta();
        meta.base_url = base_url.to_owned();
        assert!(matches!(Site::new(meta), Err(RenderError::BaseUrl(_))), "{base_url}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_at_all_makes_well_formed_pages(text in any::<String>()) {
        check_inert(&sample::site(vec![hostile(1, &text)]));
    }

    #[test]
    fn an_excerpt_is_one_line_within_its_length(text in any::<String>(), max in 1_usize..50) {
        let line = excerpt(&text, max);
        prop_assert!(line.chars().count() <= max + 1, "{line:?}");
        prop_assert!(!line.contains('\n'));
    }

    #[test]
    fn every_page_of_any_tags_has_a_safe_path(tags in proptest::collection::vec(any::<String>(), 0..6)) {
        let mut artwork = sample::artwork(1);
        artwork.tags = tags;
        for path in sample::rendered(&sample::site(vec![artwork])).keys() {
            prop_assert!(is_safe_path(path), "{path:?}");
        }
    }
}
