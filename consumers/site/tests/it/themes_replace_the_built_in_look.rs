use std::fs;
use std::path::{Path, PathBuf};

use atelier_e2e::{Bucket, Database};
use atelier_runtime::Projection as _;
use atelier_site::check::{Checked, check};
use atelier_site::gallery::PixelRendering;
use atelier_site::pages::{RenderError, Site};
use atelier_site::publication::Publication;
use atelier_site::settings::SiteSettings;
use atelier_site::theme::{MAX_FILES, MAX_TEMPLATE_BYTES, Theme, ThemeError};
use tempfile::TempDir;

use crate::documents::{elements, has_extension, named};
use crate::kept::gallery;
use crate::sample::{self, rendered};

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    for (path, text) in files {
        write(folder.path(), path, text.as_bytes());
    }
    folder
}

fn write(folder: &Path, path: &str, bytes: &[u8]) {
    let path = folder.join(path);
    fs::create_dir_all(path.with_file_name("")).expect("created");
    fs::write(path, bytes).expect("written");
}

fn read(files: &[(&str, &str)]) -> Result<Theme, ThemeError> {
    Theme::read(folder(files).path())
}

fn refused(files: &[(&str, &str)]) -> String {
    read(files).expect_err("it is no theme").to_string()
}

fn site_in(theme: Theme) -> Site {
    let mut site = Site::themed(sample::meta(), theme).expect("the theme can be used");
    (0..30).for_each(|number| site.show(sample::artwork(number)).expect("it can be shown"));
    site
}

fn text(site: &Site, path: &str) -> String {
    String::from_utf8(rendered(site)[path].clone()).expect("pages are text")
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("themes/atlas")
}

#[test]
fn what_a_theme_holds_replaces_the_built_in_and_the_rest_stays() {
    let theme = read(&[
        ("templates/about.html", "<p>{{ page.site.title }} in {{ asset(\"img/logo 1.svg\") }}</p>"),
        ("assets/gallery.css", "body { background: url(\"img/logo 1.svg\") }"),
        ("assets/img/logo 1.svg", "<svg/>"),
    ]);
    let site = site_in(theme.expect("it is a theme"));
    let pages = rendered(&site);
    let assets: Vec<&String> = pages.keys().filter(|path| path.starts_with("assets/")).collect();
    let folder = assets[0].rsplit_once('/').expect("assets lie in a folder").0;
    let expected = ["gallery.css", "gallery.js", "img/logo 1.svg", "likes.js", "search.js", "shard.js"];
    let expected = expected.map(|name| format!("{folder}/{name}"));
    assert!(assets.iter().copied().eq(&expected), "{assets:?}");
    assert_eq!(text(&site, "about/index.html"), format!("<p>Sample in {folder}/img/logo%201.svg</p>"));
    assert_eq!(pages[&format!("{folder}/gallery.css")], b"body { background: url(\"img/logo 1.svg\") }");
    let built_in = site_in(Theme::built_in());
    let home = |site: &Site| text(site, "index.html").replace(&asset_folder(site), "");
    assert_eq!(home(&site), home(&built_in), "what is not replaced is as it was");
}

fn asset_folder(site: &Site) -> String {
    let style = rendered(site).into_keys().find(|path| path.ends_with("/gallery.css")).expect("there is a style sheet");
    style.trim_end_matches("/gallery.css").to_owned()
}

#[test]
fn a_template_can_change_a_block_of_the_one_it_replaces_and_include_pieces_of_its_own() {
    let site = site_in(
        read(&[
            (
                "templates/_base.html",
                "{% extends \"built-in/_base.html\" %}{% block footer %}{% include \"parts/end.html\" %}{% endblock %}",
            ),
            ("templates/parts/end.html", "<footer>The end of {{ page.site.title }}</footer>"),
        ])
        .expect("it is a theme"),
    );
    for path in ["index.html", "about/index.html", "tags/index.html"] {
        let page = elements(text(&site, path).as_bytes());
        assert_eq!(named(&page, "footer").next().expect("a footer").text, "The end of Sample", "{path}");
        assert_eq!(named(&page, "nav").next().expect("a menu").attribute("aria-label"), Some("Site"), "{path}");
    }
}

#[test]
fn an_asset_has_another_address_when_any_of_them_changes() {
    let theme = |css| site_in(read(&[("assets/gallery.css", css), ("assets/a.txt", "a")]).expect("it is a theme"));
    let [one, same, other] = ["a{}", "a{}", "b{}"].map(|css| asset_folder(&theme(css)));
    assert_eq!(one, same);
    assert_ne!(one, other);
}

#[test]
fn another_theme_is_another_edition() {
    let themes = [
        Theme::built_in(),
        read(&[("templates/about.html", "a")]).expect("it is a theme"),
        read(&[("templates/about.html", "b")]).expect("it is a theme"),
        read(&[("assets/gallery.css", "a{}")]).expect("it is a theme"),
        read(&[("assets/mark.svg", "<svg/>")]).expect("it is a theme"),
    ];
    let editions: std::collections::BTreeSet<String> =
        themes.iter().map(|theme| Site::themed(sample::meta(), theme.clone()).expect("usable").edition()).collect();
    assert_eq!(editions.len(), themes.len());
    let again = read(&[("templates/about.html", "a")]).expect("it is a theme");
    assert_eq!(again.digest(), themes[1].digest(), "wherever it lies");
}

#[test]
fn a_template_that_nobody_would_render_is_refused_and_the_known_ones_are_named() {
    let refused = refused(&[("templates/artworks.html", "")]);
    assert!(refused.contains("templates/artworks.html") && refused.contains("artwork.html, "), "{refused}");
    assert!(refused.contains("sitemap_index.xml"), "all are named: {refused}");
}

#[test]
fn what_has_no_place_in_a_theme_is_refused() {
    for (files, expected) in [
        (&[("artwork.html", "")][..], "templates lie in templates/"),
        (&[("fonts/a.woff2", "")], "assets/"),
        (&[("README.md", "a theme without anything")], "neither templates nor assets"),
        (&[("assets/a\\b.png", "")], "name"),
    ] {
        let refused = refused(files);
        assert!(refused.contains(expected), "{refused}");
    }
    let missing = Theme::read(Path::new("/nowhere/at all")).expect_err("nothing is there");
    assert!(missing.to_string().contains("/nowhere/at all"), "{missing}");
    let tidy = read(&[
        ("README.md", ""),
        ("LICENSE-OFL.txt", ""),
        (".git/config", ""),
        ("assets/.DS_Store", ""),
        ("assets/a.txt", ""),
    ]);
    let assets: Vec<String> = tidy.expect("it is a theme").assets().iter().map(|asset| asset.name.clone()).collect();
    assert_eq!(assets, ["a.txt", "gallery.css", "gallery.js", "likes.js", "search.js", "shard.js"]);
}

#[test]
fn links_out_of_a_theme_are_refused() {
    for (target, link) in
        [("/etc/hostname", "assets/host.txt"), ("/etc", "assets/etc"), ("/etc/hostname", "templates/about.html")]
    {
        let folder = folder(&[("assets/a.txt", ""), ("templates/404.html", "")]);
        std::os::unix::fs::symlink(target, folder.path().join(link)).expect("linked");
        let refused = Theme::read(folder.path()).expect_err("it holds a link");
        assert!(matches!(&refused, ThemeError::Link { path } if path.ends_with(link)), "{refused}");
    }
}

#[test]
fn a_theme_has_a_size() {
    let long = " ".repeat(usize::try_from(MAX_TEMPLATE_BYTES).expect("small") + 1);
    let refused = read(&[("templates/about.html", &long)]).expect_err("it is too long");
    assert!(matches!(refused, ThemeError::TooLong { .. }), "{refused}");

    let folder = folder(&[]);
    (0..=MAX_FILES).for_each(|number| write(folder.path(), &format!("assets/{number}"), b""));
    let refused = Theme::read(folder.path()).expect_err("they are too many");
    assert!(matches!(refused, ThemeError::TooMuch { .. }), "{refused}");

    let folder = self::folder(&[]);
    let piece = vec![0; 12 << 20];
    (0..3).for_each(|number| write(folder.path(), &format!("assets/{number}"), &piece));
    let refused = Theme::read(folder.path()).expect_err("it is too much");
    assert!(matches!(refused, ThemeError::TooMuch { .. }), "{refused}");
}

#[test]
fn a_style_sheet_that_names_what_is_not_there_is_refused_with_its_line() {
    let css = "a {}\n@font-face { src: url(fonts/txt.woff2); }\n";
    let refused = refused(&[("assets/gallery.css", css), ("assets/fonts/text.woff2", "")]);
    assert!(refused.contains("assets/gallery.css:2: ") && refused.contains("\"fonts/txt.woff2\""), "{refused}");
    assert!(refused.contains("@font-face"), "with the line's text: {refused}");
}

#[test]
fn a_template_that_does_not_compile_is_named_with_its_line_and_what_it_says() {
    let folder = folder(&[("templates/about.html", "<p>\n{% if page.title %}\n{% endfor %}\n")]);
    let theme = Theme::read(folder.path()).expect("it is a theme, if a wrong one");
    let refused = Site::themed(sample::meta(), theme).expect_err("it does not compile").to_string();
    let place = folder.path().join("templates/about.html");
    assert!(refused.contains(&format!("{}:3: ", place.display())), "{refused}");
    assert!(refused.contains("{% endfor %}") && refused.contains("unknown statement endfor"), "{refused}");
}

#[test]
fn a_template_that_fails_is_named_with_its_line_and_the_page_it_failed_on() {
    let files = [
        ("templates/card.html", "{% if card.pixelated %}\n{% endif %}\n<li>{{ card.titel }}</li>"),
        ("templates/about.html", "{% extends \"_bsae.html\" %}"),
        ("templates/overview.html", "{{ asset(\"logo.svg\") }}"),
    ];
    let folder = folder(&files);
    let site = site_in(Theme::read(folder.path()).expect("it is a theme"));
    let failed = |path: &str| {
        let file = site.files().into_iter().find(|file| site.path(*file) == path).expect("there is such a file");
        let failed = site.render(file).expect_err("it fails");
        assert!(matches!(&failed, RenderError::Page { path: named, .. } if named == path), "{failed}");
        failed.to_string()
    };
    let place = |name: &str| format!("{}:", folder.path().join("templates").join(name).display());
    let home = failed("index.html");
    assert!(home.contains(&format!("{}3: ", place("card.html"))) && home.contains("card.titel"), "{home}");
    assert!(home.contains("<li>{{ card.titel }}</li>"), "{home}");
    let about = failed("about/index.html");
    assert!(about.contains(&format!("{}1: ", place("about.html"))) && about.contains("_bsae.html"), "{about}");
    let tags = failed("tags/index.html");
    assert!(tags.contains("logo.svg") && tags.contains("gallery.css, gallery.js"), "the known ones are named: {tags}");
}

#[test]
fn a_check_names_every_fault_once_and_how_many_pages_it_costs() {
    let theme = read(&[
        ("templates/card.html", "{{ card.titel }}"),
        ("templates/about.html", "{{ nothing }}"),
        ("templates/artwork.html", "{% if artwork.model %}{{ artwork.modle }}{% endif %}"),
    ]);
    let Checked { findings, .. } = check(&sample::meta(), &theme.expect("it is a theme")).expect("it can be tried");
    let found: Vec<(String, usize)> = findings
        .iter()
        .map(|found| (found.fault.place.rsplit('/').next().unwrap_or_default().to_owned(), found.pages))
        .collect();
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["about.html", "artwork.html", "card.html"], "{findings:?}");
    assert_eq!(found[0].1, 3, "the page about each of the galleries that are tried");

    let broken = read(&[("templates/about.html", "{% if %}"), ("templates/404.html", "{{ }")]).expect("it is a theme");
    let Checked { findings, files } = check(&sample::meta(), &broken).expect("it can be tried");
    assert_eq!((findings.len(), files), (2, 0), "all that do not compile: {findings:?}");
}

#[test]
fn the_built_in_theme_and_the_example_are_without_fault() {
    for theme in [Theme::built_in(), Theme::read(&example()).expect("it is a theme")] {
        let Checked { findings, files } = check(&sample::meta(), &theme).expect("it can be tried");
        assert!(findings.is_empty() && files > 100, "{files}: {findings:?}");
    }
}

#[test]
fn the_built_in_theme_written_to_a_folder_makes_the_same_pages() {
    let folder = folder(&[]);
    atelier_site::theme::files().for_each(|(path, bytes)| write(folder.path(), &path, bytes));
    let written = Theme::read(folder.path()).expect("it is a theme");
    assert!(rendered(&site_in(written)) == rendered(&site_in(Theme::built_in())));
}

#[test]
fn pixels_are_squares_where_the_settings_say_so() {
    let mut pixel_art = sample::artwork(1);
    pixel_art.pixelated = true;
    for (rendering, expected) in [(PixelRendering::Auto, 1), (PixelRendering::Always, 2), (PixelRendering::Never, 0)] {
        let mut meta = sample::meta();
        meta.pixel_rendering = rendering;
        let site = sample::site_of(meta, [sample::artwork(0), pixel_art.clone()]);
        let home = elements(&rendered(&site)["index.html"]);
        let pixels = named(&home, "img").filter(|image| image.attribute("class") == Some("pixels"));
        assert_eq!(pixels.count(), expected, "{rendering:?}");
    }
}

#[test]
fn likes_that_are_off_leave_nothing_behind() {
    let mut meta = sample::meta();
    meta.likes = false;
    let pages = rendered(&sample::site_of(meta, (0..30).map(sample::artwork)));
    assert!(!pages.contains_key("likes/index.html"));
    for (path, bytes) in pages.iter().filter(|(path, _)| has_extension(path, "html")) {
        let page = String::from_utf8_lossy(bytes);
        assert!(!page.contains("likes") && !page.contains("heart"), "{path}");
    }
    let pages = rendered(&sample::site(vec![sample::artwork(0)]));
    assert!(pages.contains_key("likes/index.html"));
    let page = elements(&pages["artworks/00000000-0000-0000-0000-000000000001/index.html"]);
    let heart = page.iter().find(|element| element.attribute("class") == Some("heart")).expect("a heart");
    let card: serde_json::Value = serde_json::from_str(heart.attribute("data-card").expect("a card")).expect("JSON");
    assert_eq!(card["href"], "artworks/00000000-0000-0000-0000-000000000001/");
}

#[tokio::test]
async fn a_theme_renders_everything_anew_and_a_wrong_one_leaves_what_is_live() -> anyhow::Result<()> {
    let (database, bucket) = (Database::create().await?, Bucket::create().await?);
    let log = database.log();
    gallery(&log, &bucket.blobs).await?;
    let place = TempDir::new()?;
    let dir = place.path().join("site");
    let theme = folder(&[("templates/about.html", "<p>mine</p>")]);
    let settings = SiteSettings { dir: dir.clone(), quiet_ms: 0, ..SiteSettings::default() };
    let themed = SiteSettings { theme: theme.path().to_owned(), ..settings.clone() };
    let publish = async |settings: &SiteSettings| -> anyhow::Result<()> {
        let mut publication = Publication::new(log.clone(), bucket.blobs.clone(), settings.clone())?;
        loop {
            let events = log.read(publication.checkpoint().await?, 100).await?;
            if events.is_empty() {
                break;
            }
            publication.apply(&events).await?;
        }
        publication.caught_up().await
    };
    publish(&settings).await?;
    publish(&themed).await?;
    let live = || anyhow::Ok((settings.folder()?.number()?, fs::read_to_string(dir.join("about/index.html"))?));
    assert_eq!(live()?, (Some(2), "<p>mine</p>".to_owned()));

    // It compiles, and fails on a page.
    write(theme.path(), "templates/artwork.html", b"{{ artwork.titel }}");
    let failed = format!("{:#}", publish(&themed).await.expect_err("no page of a work can be made"));
    assert!(failed.contains("templates/artwork.html:1: ") && failed.contains("artwork.titel"), "{failed}");
    assert_eq!(live()?.0, Some(2));
    // It does not compile.
    write(theme.path(), "templates/artwork.html", b"\n{% if %}");
    let failed = format!("{:#}", publish(&themed).await.expect_err("it does not compile"));
    assert!(failed.contains("templates/artwork.html:2: ") && failed.contains("{% if %}"), "{failed}");
    assert_eq!(live()?.0, Some(2));

    fs::remove_file(theme.path().join("templates/artwork.html"))?;
    write(theme.path(), "templates/about.html", b"<p>mine again</p>");
    publish(&themed).await?;
    assert_eq!(live()?, (Some(3), "<p>mine again</p>".to_owned()));
    Ok(())
}
