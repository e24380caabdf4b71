//! What a reader meets, in a real Chromium: `browser/check.mjs` looks at a gallery that is served as it is to readers.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use atelier_site::check::site;
use atelier_site::pages::media_path;
use atelier_site::sample;
use atelier_site::settings::SiteSettings;
use atelier_site::theme::Theme;
use atelier_standalone::gallery_server;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

/// Where it is set, a check that cannot be made is a failure.
const REQUIRED: &str = "REQUIRE_BROWSER";
const CHROMIUMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
const CHECKED_WITHIN: Duration = Duration::from_mins(4);

/// All that the check can find.
const KINDS: [&str; 14] = [
    "axe", "console", "focus", "keyboard", "likes", "offline", "origin", "overflow", "pixels", "random", "request",
    "search", "shift", "weight",
];

struct Browser {
    node: PathBuf,
    chromium: PathBuf,
    scripts: PathBuf,
}

struct Looked {
    passed: bool,
    said: String,
}

impl Browser {
    /// None where there is none, which is said.
    fn find() -> anyhow::Result<Option<Self>> {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
        let chromium =
            std::env::var_os("CHROMIUM").map(PathBuf::from).or_else(|| CHROMIUMS.into_iter().find_map(on_path));
        let missing = match (on_path("node"), chromium) {
            (Some(node), Some(chromium)) if scripts.join("node_modules").is_dir() => {
                return Ok(Some(Self { node, chromium, scripts }));
            }
            (None, _) => "node 18 or newer",
            (_, None) => "chromium (apt-get install chromium)",
            _ => "its packages (npm ci in deploy/e2e/browser)",
        };
        ensure!(std::env::var_os(REQUIRED).is_none(), "the gallery cannot be looked at for want of {missing}");
        writeln!(std::io::stderr(), "NOT CHECKED in a browser for want of {missing}")?;
        Ok(None)
    }

    async fn look_at(&self, theme: Theme, looks: &str) -> anyhow::Result<Looked> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let folder = TempDir::new()?;
        write(folder.path(), &url, theme)?;
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn({
            let (folder, shutdown) = (folder.path().to_owned(), shutdown.clone());
            async move { gallery_server::serve(listener, &folder, shutdown).await }
        });
        let mut check = Command::new(&self.node);
        check
            .arg(self.scripts.join("check.mjs"))
            .arg(format!("{url}/"))
            .env("CHROMIUM", &self.chromium)
            .env("LOOKS", looks)
            .kill_on_drop(true);
        let output = tokio::time::timeout(CHECKED_WITHIN, check.output()).await.context("the check does not end")??;
        shutdown.cancel();
        serving.await??;
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        ensure!(output.status.code().is_some_and(|code| code < 2), "the check broke off: {said}");
        Ok(Looked { passed: output.status.success(), said })
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// The sample as files.
fn write(folder: &Path, url: &str, theme: Theme) -> anyhow::Result<()> {
    let settings = SiteSettings { base_url: url.to_owned(), author: "Somebody".to_owned(), ..SiteSettings::default() };
    let (works, pictures) = sample::gallery();
    let site = site(settings.into_meta(), theme, works.into_iter().map(Arc::new))?;
    let pages = site.files().into_iter().map(|file| site.render(file).map(|page| (page.path, page.bytes)));
    let pictures = pictures.into_iter().map(|(image, bytes)| Ok((media_path(&image.key), bytes)));
    for file in pages.chain(pictures) {
        let (path, bytes) = file?;
        let path = folder.join(path);
        std::fs::create_dir_all(path.with_file_name(""))?;
        std::fs::write(path, bytes)?;
    }
    Ok(())
}

async fn without_fault(theme: Theme, looks: &str) -> anyhow::Result<()> {
    let Some(browser) = Browser::find()? else { return Ok(()) };
    let Looked { passed, said } = browser.look_at(theme, looks).await?;
    ensure!(passed, "{said}");
    Ok(())
}

#[tokio::test]
async fn a_reader_of_the_gallery_meets_no_fault() -> anyhow::Result<()> {
    without_fault(Theme::built_in(), "all").await
}

#[tokio::test]
async fn a_reader_of_the_gallery_in_the_theme_that_is_an_example_meets_no_fault() -> anyhow::Result<()> {
    let atlas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../consumers/site/themes/atlas");
    without_fault(Theme::read(&atlas)?, "few").await
}

/// A theme that does everything wrong.
fn faulty() -> anyhow::Result<TempDir> {
    let folder = TempDir::new()?;
    for path in ["templates", "assets"] {
        std::fs::create_dir(folder.path().join(path))?;
    }
    let heavy = "x".repeat(100_000);
    let files = [
        (
            "templates/_base.html",
            "{% extends \"built-in/_base.html\" %}{% block name %}<video src=\"http://127.0.0.1:9/a.mp4\" preload=\"auto\"></video>\
             <img src=\"{{ page.root }}media/missing.png\" width=\"9\" height=\"9\"/>{% endblock %}"
                .to_owned(),
        ),
        ("templates/listing.html", "{% extends \"_base.html\" %}{% block main %}<h1>Works</h1>{% include \"_grid.html\" %}{% endblock %}".to_owned()),
        ("assets/gallery.css", format!("main::before {{ content: ''; display: block; width: 2000px }} * {{ outline: 0 !important }} /*{heavy}*/")),
        (
            "assets/gallery.js",
            "setTimeout(() => { const late = document.createElement('p'); late.textContent = 'late'; document.body.prepend(late); }, 200);"
                .to_owned(),
        ),
        ("assets/likes.js", "console.error('wrong');".to_owned()),
    ];
    for (path, text) in files {
        std::fs::write(folder.path().join(path), text)?;
    }
    Ok(folder)
}

#[tokio::test]
async fn a_gallery_that_does_everything_wrong_is_told_so_by_every_part_of_the_check() -> anyhow::Result<()> {
    let Some(browser) = Browser::find()? else { return Ok(()) };
    let Looked { passed, said } = browser.look_at(Theme::read(faulty()?.path())?, "few").await?;
    let missed: Vec<&str> =
        KINDS.into_iter().filter(|kind| !said.lines().any(|line| line.split(' ').next() == Some(*kind))).collect();
    ensure!(!passed && missed.is_empty(), "{missed:?} went unseen in:\n{said}");
    Ok(())
}
