//! AVIF on its whole way: taken where Atelier is built with the feature of that name, and refused by name where it is not.

use atelier_standalone::import::{Details, Imported, Options, Summary, import};
use tempfile::TempDir;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("scene.avif"), include_bytes!("pictures/scene.avif")).unwrap();
    folder
}

fn options(folder: &TempDir, wait: bool) -> Options {
    Options { paths: vec![folder.path().to_owned()], details: Details::default(), wait }
}

#[cfg(feature = "avif")]
#[tokio::test(flavor = "multi_thread")]
async fn an_avif_is_imported_cut_and_published() -> anyhow::Result<()> {
    use atelier_events::{Artwork, Stream};
    use atelier_standalone::client::Client;
    use atelier_standalone::import::Outcome;

    let (database, data) = (atelier_e2e::Database::create().await?, tempfile::tempdir()?);
    let up = crate::recut::up(&database, data.path(), 85).await?;
    let client = Client::new(&up.running.api_url, &up.api_key)?;
    let mut told = Vec::new();
    let summary = import(&client, options(&folder(), true), |imported: &Imported| told.push(imported.clone())).await?;
    assert_eq!(summary, Summary { added: 1, already_there: 0, failed: 0 }, "{told:?}");

    let Outcome::Added { artwork_id, .. } = told[0].outcome else { panic!("{told:?}") };
    let artwork = Artwork::of(&up.connections.log.read_stream(&Stream::artwork(artwork_id)).await?)?.expect("it");
    let set = artwork.cover().and_then(|cover| cover.rendered.as_ref()).expect("it is complete");
    assert_eq!((set.original.media_type.as_str(), set.width, set.height), ("image/avif", 64, 48));
    assert!(set.original.key.ends_with(".avif"), "{}", set.original.key);
    let original = up.connections.blobs.get(&set.original.key, 1 << 20).await?;
    assert_eq!(original, include_bytes!("pictures/scene.avif").as_slice());
    up.stop().await
}

#[cfg(not(feature = "avif"))]
#[tokio::test]
async fn an_avif_is_refused_by_name_before_it_is_sent() {
    let installation = crate::installation::Installation::start().await;
    let (client, shutdown) = installation.serve_api().await;
    let mut told = Vec::new();
    let refused = import(&client, options(&folder(), false), |imported: &Imported| told.push(imported.clone())).await;
    assert_eq!(refused.unwrap(), Summary { added: 0, already_there: 0, failed: 1 });
    let said = format!("{told:?}");
    assert!(said.contains("is not read by this build: build Atelier with `--features avif`"), "{said}");
    assert_eq!(installation.connections.blobs.page("", None).await.unwrap().entries, []);
    shutdown.cancel();
}
