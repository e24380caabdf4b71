use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::bail;
use atelier_site::gallery::Image;
use atelier_site::pages::Site;
use atelier_site::release::{DeployError, Deployed, Folder};
use bytes::Bytes;
use tempfile::TempDir;

use crate::sample;

fn first(artworks: u32) -> Arc<Site> {
    sample::site((0..artworks).map(sample::artwork).collect())
}

async fn from_bucket(image: Image) -> anyhow::Result<Bytes> {
    Ok(sample::image_bytes(&image.key).into())
}

async fn deploy(folder: &Folder, position: u64, site: Arc<Site>) -> Deployed {
    folder.deploy(position, site, from_bucket).await.expect("the deploy succeeds")
}

fn folder(place: &TempDir) -> (Folder, PathBuf) {
    let path = place.path().join("site");
    (Folder::new(&path).expect("the folder can be resolved"), path)
}

/// Everything below `root` by its path.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder can be listed") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).expect("the file lies below").to_str().expect("UTF-8").to_owned();
                found.insert(name, fs::read(path).expect("a file can be read"));
            }
        }
    }
    found
}

fn expected(site: &Site) -> BTreeMap<String, Vec<u8>> {
    let mut expected = sample::rendered(site);
    expected.extend(site.images().into_iter().map(|(path, image)| (path, sample::image_bytes(&image.key))));
    expected
}

fn releases(place: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(place.path().join("site.releases")).expect("there are releases");
    let names = entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"));
    let mut names: Vec<String> = names.filter(|name| name != ".lock").collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_deploy_holds_every_page_and_image_and_nothing_else() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    let site = first(30);
    let deployed = deploy(&folder, 7, Arc::clone(&site)).await;
    let (live, wanted) = (files(&path), expected(&site));
    assert_eq!(live.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    assert!(live == wanted);
    assert_eq!(folder.live().expect("readable"), Some(7));
    let bytes: usize = live.values().map(Vec::len).sum();
    assert_eq!((deployed.files, deployed.bytes), (live.len() as u64, bytes as u64));
    assert_eq!((deployed.files_written, deployed.bytes_written), (deployed.files, deployed.bytes));
    let target = fs::read_link(&path).expect("the site is a link");
    assert!(target.is_relative(), "{}", target.display());
}

#[tokio::test]
async fn the_same_position_twice_changes_nothing() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    let once = deploy(&folder, 7, first(3)).await;
    let before = fs::symlink_metadata(&path).expect("the link exists").ino();
    let again = folder.deploy(7, first(3), async |_| bail!("nothing is fetched")).await.expect("nothing to do");
    assert_eq!(again, Deployed { changed: false, files_written: 0, bytes_written: 0, ..once });
    assert_eq!(fs::symlink_metadata(&path).expect("the link exists").ino(), before);
    assert_eq!(releases(&place).len(), 1);
}

#[tokio::test]
async fn unchanged_files_keep_their_inode_and_are_never_fetched_again() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    deploy(&folder, 1, first(60)).await;
    let inode = |file: &str| fs::metadata(path.join(file)).expect("the file is live").ino();
    let old: BTreeMap<String, u64> = files(&path).into_keys().map(|name| (name.clone(), inode(&name))).collect();
    let before = files(&path);
    let fetched = AtomicUsize::new(0);
    let fetch = |image: Image| {
        fetched.fetch_add(1, Ordering::Relaxed);
        from_bucket(image)
    };
    let deployed = folder.deploy(2, first(61), fetch).await.expect("the deploy succeeds");
    assert_eq!(fetched.load(Ordering::Relaxed), 4, "the four images of the new artwork");
    let after = files(&path);
    let mut written = 0;
    for (name, bytes) in &after {
        let shared = old.get(name) == Some(&inode(name));
        assert_eq!(shared, before.get(name) == Some(bytes), "{name}");
        written += u64::from(!shared);
    }
    assert_eq!(deployed.files_written, written);
    assert!(written <= 20, "{written} files");
}

#[tokio::test]
async fn what_is_no_longer_published_is_gone() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    deploy(&folder, 1, first(30)).await;
    let remaining = sample::site((1..30).map(sample::artwork).collect());
    deploy(&folder, 2, Arc::clone(&remaining)).await;
    assert!(files(&path) == expected(&remaining));
}

#[tokio::test]
async fn three_releases_are_kept() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, _) = folder(&place);
    for position in 1..=6 {
        deploy(&folder, position, first(2)).await;
    }
    let positions: Vec<String> = releases(&place).iter().map(|name| name[..20].to_owned()).collect();
    assert_eq!(positions, ["00000000000000000004", "00000000000000000005", "00000000000000000006"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_never_finds_the_site_missing_or_half_there() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    deploy(&folder, 1, first(1)).await;
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (done, path) = (Arc::clone(&done), path.clone());
        std::thread::spawn(move || {
            let mut reads = 0_u32;
            while !done.load(Ordering::Relaxed) {
                let home = fs::read_to_string(path.join("index.html")).expect("there is always a home page");
                assert!(home.ends_with("</html>") || home.ends_with("</html>\n"), "the home page is whole");
                // One resolution of the link is one release: what its home page leads to is there.
                let release = fs::canonicalize(&path).expect("the link always leads somewhere");
                let pruned = || fs::canonicalize(&path).is_ok_and(|live| live != release);
                assert!(release.join("feed.xml").exists() || pruned(), "a live release is whole");
                reads += 1;
            }
            reads
        })
    };
    for position in 2..=25 {
        deploy(&folder, position, first(u32::try_from(position % 5).expect("small") + 1)).await;
    }
    done.store(true, Ordering::Relaxed);
    assert!(reader.join().expect("the reader never failed") > 0);
}

#[tokio::test]
async fn a_deploy_that_fails_leaves_the_old_release_and_the_next_one_clears_up() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    let old = first(3);
    deploy(&folder, 1, Arc::clone(&old)).await;
    let calls = AtomicUsize::new(0);
    let breaks = async |image: Image| {
        if calls.fetch_add(1, Ordering::Relaxed) == 5 {
            bail!("the bucket is gone")
        }
        from_bucket(image).await
    };
    let failed = folder.deploy(2, first(6), breaks).await;
    assert!(matches!(&failed, Err(DeployError::Fetch { .. })), "{failed:?}");
    assert!(files(&path) == expected(&old));
    assert_eq!(releases(&place).iter().filter(|name| name.starts_with(".building")).count(), 1);
    deploy(&folder, 2, first(6)).await;
    assert!(files(&path) == expected(&first(6)));
    assert!(releases(&place).iter().all(|name| !name.starts_with('.')), "{:?}", releases(&place));
}

#[tokio::test]
async fn a_deploy_that_is_dropped_leaves_the_old_release_and_its_files_alone() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    deploy(&folder, 1, first(3)).await;
    let asked = tokio::sync::Notify::new();
    let hangs = async |_: Image| {
        asked.notify_one();
        std::future::pending().await
    };
    tokio::select! {
        _ = folder.deploy(2, first(6), hangs) => panic!("the bucket never answers"),
        () = asked.notified() => {}
    }
    assert!(files(&path) == expected(&first(3)));
    deploy(&folder, 2, first(6)).await;
    assert!(files(&path) == expected(&first(6)));
}

#[tokio::test]
async fn a_crash_before_or_after_the_release_was_named_is_made_good() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    deploy(&folder, 1, first(3)).await;
    deploy(&folder, 2, first(6)).await;
    let names = releases(&place);
    // As a crash leaves it between the release's naming and the swap, with the next link made but not yet moved.
    let releases_folder = place.path().join("site.releases");
    fs::remove_file(&path).expect("the link can be removed");
    std::os::unix::fs::symlink(format!("site.releases/{}", names[0]), &path).expect("linked");
    std::os::unix::fs::symlink(format!("site.releases/{}", names[1]), releases_folder.join(".link-left"))
        .expect("linked");
    // And as one leaves it in the middle of building.
    let half = releases_folder.join(".building-left/artworks");
    fs::create_dir_all(&half).expect("created");
    fs::write(half.join("index.html"), "half").expect("written");

    assert!(files(&path) == expected(&first(3)), "the old release is live");
    let deployed =
        folder.deploy(2, first(6), async |_| bail!("nothing is fetched")).await.expect("only the swap is left");
    assert!(deployed.changed && deployed.files_written == 0);
    assert_eq!(deployed.files, files(&path).len() as u64);
    assert!(files(&path) == expected(&first(6)));
    assert_eq!(releases(&place), names);
}

#[tokio::test]
async fn an_image_with_other_bytes_than_promised_is_not_deployed() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    let refused = folder.deploy(1, first(2), async |_| Ok(Bytes::from_static(b"something else"))).await;
    assert!(matches!(refused, Err(DeployError::Digest { .. })), "{refused:?}");
    assert!(!path.exists());
}

#[tokio::test]
async fn a_folder_that_holds_anything_else_is_refused_and_kept() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    fs::create_dir(&path).expect("created");
    fs::write(path.join("index.html"), "mine").expect("written");
    let refused = folder.deploy(1, first(1), from_bucket).await;
    assert!(matches!(&refused, Err(DeployError::Occupied(named)) if *named == path), "{refused:?}");
    assert_eq!(fs::read_to_string(path.join("index.html")).expect("readable"), "mine");

    fs::remove_dir_all(&path).expect("removed");
    std::os::unix::fs::symlink(place.path(), &path).expect("linked");
    let refused = folder.deploy(1, first(1), from_bucket).await;
    assert!(matches!(&refused, Err(DeployError::Occupied(_))), "a link to elsewhere: {refused:?}");
}

#[tokio::test]
async fn an_empty_folder_is_taken_over() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    fs::create_dir(&path).expect("created");
    deploy(&folder, 1, first(1)).await;
    assert!(files(&path) == expected(&first(1)));
}

#[tokio::test]
async fn an_older_position_never_replaces_a_newer_one() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    deploy(&folder, 9, first(2)).await;
    let refused = folder.deploy(8, first(1), from_bucket).await;
    assert!(matches!(refused, Err(DeployError::Stale { asked: 8, live: 9, .. })), "{refused:?}");
    assert!(files(&path) == expected(&first(2)));
}

#[tokio::test]
async fn another_look_of_the_same_position_is_deployed() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    deploy(&folder, 1, first(2)).await;
    let mut meta = sample::meta();
    meta.title = "Renamed".to_owned();
    let renamed = Arc::new(Site::new(meta, sample::gallery(2)).expect("the sample renders"));
    let deployed = deploy(&folder, 1, Arc::clone(&renamed)).await;
    assert!(deployed.changed);
    assert!(files(&path) == expected(&renamed));
}

#[tokio::test]
async fn two_deploys_at_once_do_not_mix() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    let asked = tokio::sync::Notify::new();
    let answer = tokio::sync::Notify::new();
    let waits = async |image: Image| {
        asked.notify_one();
        answer.notified().await;
        answer.notify_one();
        from_bucket(image).await
    };
    let slow = folder.deploy(1, first(1), waits);
    let second = async {
        asked.notified().await;
        let busy = folder.deploy(2, first(2), from_bucket).await;
        assert!(matches!(busy, Err(DeployError::Busy(_))), "{busy:?}");
        answer.notify_one();
    };
    let (done, ()) = tokio::join!(slow, second);
    done.expect("the first deploy goes on");
    assert!(files(&path) == expected(&first(1)));
}
