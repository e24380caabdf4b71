use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

fn atelier(folder: &Path, arguments: &[&str]) -> Command {
    let mut atelier = Command::new(env!("CARGO_BIN_EXE_atelier"));
    atelier.current_dir(folder).env_remove("ATELIER_CONFIG").arg("theme").args(arguments).kill_on_drop(true);
    atelier
}

async fn told(folder: &Path, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
    let Output { status, stdout, stderr } = atelier(folder, arguments).output().await?;
    let said = [stdout, stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    Ok((status.success(), said))
}

#[tokio::test]
async fn a_theme_is_begun_from_the_built_in_one_and_its_faults_are_named() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let (began, said) = told(folder.path(), &["new", "mine"]).await?;
    ensure!(began, "{said}");
    let (whole, said) = told(folder.path(), &["check", "mine"]).await?;
    ensure!(whole && said.contains("nothing wrong"), "{said}");

    let template = folder.path().join("mine/templates/about.html");
    fs::write(&template, "<h1>\n{{ page.titel }}\n</h1>")?;
    let (whole, said) = told(folder.path(), &["check", "mine"]).await?;
    ensure!(!whole && said.contains("mine/templates/about.html:2: ") && said.contains("page.titel"), "{said}");
    let (_, said) = told(folder.path(), &["check", "mine", "--json"]).await?;
    let finding: Value = serde_json::from_str(said.trim())?;
    ensure!(finding["line"] == 2 && finding["page"] == "about/index.html", "{finding}");

    let (began, said) = told(folder.path(), &["new", "mine"]).await?;
    ensure!(!began && said.contains("holds something already"), "{said}");
    ensure!(fs::read_to_string(&template)?.contains("titel"), "what was there is there");
    ensure!(fs::read_dir(folder.path())?.count() == 1, "nothing else is left behind");
    Ok(())
}

#[tokio::test]
async fn a_preview_shows_a_theme_as_it_was_saved_last() -> anyhow::Result<()> {
    // Whoever was first has installed the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = TempDir::new()?;
    fs::create_dir_all(folder.path().join("mine/templates"))?;
    let template = folder.path().join("mine/templates/about.html");
    fs::write(&template, "one")?;
    let mut preview = atelier(folder.path(), &["preview", "mine", "--listen", "127.0.0.1:0"]);
    let mut preview = preview.stdout(Stdio::piped()).spawn()?;
    let mut said = BufReader::new(preview.stdout.take().context("it says where it listens")?).lines();
    let line = said.next_line().await?.context("it says where it listens")?;
    let url = line.split(' ').next().unwrap_or_default().to_owned();
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{url}{path}")).await?;
        anyhow::Ok((answer.status().as_u16(), answer.text().await?))
    };
    ensure!(get("about/").await? == (200, "one".to_owned()));
    fs::write(&template, "two")?;
    ensure!(get("about/").await? == (200, "two".to_owned()));
    fs::write(&template, "\n{% if %}")?;
    let (status, said) = get("about/").await?;
    ensure!(status == 500 && said.contains("mine/templates/about.html:2: "), "{said}");
    fs::write(&template, "three")?;
    ensure!(get("nowhere").await?.0 == 404);
    let (status, home) = get("").await?;
    let picture = home.split("src=\"./media/").nth(1).and_then(|rest| rest.split('"').next()).context("a picture")?;
    ensure!(status == 200 && get(&format!("media/{picture}")).await?.0 == 200);
    preview.kill().await?;
    Ok(())
}
