use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::bail;
use atelier_site::gallery::Image;
use atelier_site::pages::Site;
use atelier_site::release::{Compare, DeployError, Deployed, Folder, Release};
use bytes::Bytes;
use tempfile::TempDir;

use crate::sample::{self, files, from_bucket};

/// All pages are compared.
const PAGES: Compare = Compare::Since(None);

fn first(artworks: u32) -> Arc<Site> {
    sample::site((0..artworks).map(sample::artwork).collect())
}

async fn deploy(folder: &Folder, position: u64, site: Arc<Site>) -> Deployed {
    folder.deploy(position, site, PAGES, from_bucket).await.expect("the deploy succeeds")
}

fn folder(place: &TempDir) -> (Folder, PathBuf) {
    let path = place.path().join("site");
    (Folder::new(&path, 3).expect("the folder can be resolved"), path)
}

fn expected(site: &Site) -> BTreeMap<String, Vec<u8>> {
    let mut expected = sample::rendered(site);
    expected.extend(sample::images(site));
    expected
}

/// What lies beside the link, but for the lock.
fn beside(place: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(place.path().join("site.releases")).expect("there are releases");
    let names = entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"));
    let mut names: Vec<String> = names.filter(|name| name != ".lock").collect();
    names.sort();
    names
}

fn inodes(path: &std::path::Path) -> BTreeMap<String, u64> {
    let inode = |name: &str| fs::metadata(path.join(name)).expect("the file is live").ino();
    files(path).into_keys().map(|name| (name.clone(), inode(&name))).collect()
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
    let release = deployed.release;
    assert_eq!(folder.live().expect("readable"), Some(release.clone()));
    assert_eq!((release.number, release.position, release.artworks), (1, 7, 30));
    let bytes: usize = live.values().map(Vec::len).sum();
    assert_eq!((release.files, release.bytes), (live.len() as u64, bytes as u64));
    assert_eq!((release.files_written, release.bytes_written), (release.files, release.bytes));
    let target = fs::read_link(&path).expect("the site is a link");
    assert!(target.is_relative(), "{}", target.display());
}

#[tokio::test]
async fn the_same_position_twice_changes_nothing() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    let once = deploy(&folder, 7, first(3)).await;
    let before = fs::symlink_metadata(&path).expect("the link exists").ino();
    let again = folder.deploy(7, first(3), PAGES, async |_| bail!("nothing is fetched")).await.expect("nothing to do");
    assert_eq!(again, Deployed { differing: vec![], changed: false, ..once });
    assert_eq!(fs::symlink_metadata(&path).expect("the link exists").ino(), before);
    assert_eq!(beside(&place), ["a-0000000001", "history"]);
}

#[tokio::test]
async fn unchanged_files_keep_their_inode_and_are_never_fetched_again() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    deploy(&folder, 1, first(60)).await;
    let (old, before) = (inodes(&path), files(&path));
    let fetched = AtomicUsize::new(0);
    let fetch = |image: Image| {
        fetched.fetch_add(1, Ordering::Relaxed);
        from_bucket(image)
    };
    let deployed = folder.deploy(2, first(61), PAGES, fetch).await.expect("the deploy succeeds");
    assert_eq!(fetched.load(Ordering::Relaxed), 4, "the four images of the new artwork");
    let (new, after) = (inodes(&path), files(&path));
    let mut written = 0;
    for (name, bytes) in &after {
        let shared = old.get(name) == new.get(name);
        assert_eq!(shared, before.get(name) == Some(bytes), "{name}");
        written += u64::from(!shared);
    }
    assert_eq!(deployed.release.files_written, written);
    assert!(written <= 28, "{written} files");
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

/// A folder whose releases one to `releases` show that many artworks each, prepared after each deploy.
async fn grown(place: &TempDir, releases: u64) -> (Folder, PathBuf) {
    let (folder, path) = folder(place);
    for number in 1..=releases {
        deploy(&folder, number, first(u32::try_from(number).expect("small"))).await;
        folder.prepare().await.expect("a spare is made");
    }
    (folder, path)
}

#[tokio::test]
async fn three_trees_are_kept_and_one_of_them_is_as_the_live_one() {
    let place = TempDir::new().expect("a temporary folder");
    let (_, path) = grown(&place, 6).await;
    let mut trees = beside(&place);
    assert_eq!(trees.pop().as_deref(), Some("history"));
    let numbers: Vec<&str> = trees.iter().map(|name| &name[2..]).collect();
    assert_eq!(numbers.iter().filter(|number| **number == "0000000006").count(), 2, "{trees:?}");
    assert_eq!(numbers.iter().filter(|number| **number == "0000000005").count(), 1, "{trees:?}");
    let live = inodes(&path);
    let releases = place.path().join("site.releases");
    for tree in trees.iter().filter(|name| name.ends_with('6')) {
        assert_eq!(inodes(&releases.join(tree)), live, "{tree}");
    }
    let before = trees.iter().find(|name| name.ends_with('5')).expect("the release before");
    assert!(files(&releases.join(before)) == expected(&first(5)));
}

#[tokio::test]
async fn a_deploy_touches_no_file_that_it_does_not_change() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = grown(&place, 3).await;
    let trees: Vec<String> = beside(&place).into_iter().filter(|name| name != "history").collect();
    let releases = place.path().join("site.releases");
    let changed_at = |name: &str| fs::metadata(releases.join(name)).map(|tree| (tree.ctime(), tree.ctime_nsec())).ok();
    let before: Vec<_> = trees.iter().map(|tree| changed_at(tree)).collect();
    let mut site = Arc::into_inner(first(3)).expect("its only owner");
    site.settle();
    site.hide(sample::artwork(0).id);
    let since = folder.number().expect("readable");
    let deployed = folder.deploy(4, Arc::new(site), Compare::Since(since), from_bucket).await.expect("it succeeds");
    // The live one and the one before are as they were; the spare has another name.
    let kept = trees.iter().zip(&before).filter(|(tree, at)| changed_at(tree) == **at).count();
    assert_eq!(kept, 2, "{trees:?}");
    assert!(deployed.release.files_written <= 20 && deployed.release.files_removed == 13, "{deployed:?}");
    assert!(!path.join(format!("artworks/{}", sample::artwork(0).id)).exists(), "nor is the empty folder");
}

#[tokio::test]
async fn one_can_go_back_to_each_release_that_is_kept_and_forth_again() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = grown(&place, 6).await;
    let numbers = |releases: Vec<Release>| releases.iter().map(|release| release.number).collect::<Vec<_>>();
    assert_eq!(numbers(folder.releases().expect("readable")), [6, 5, 4, 3]);
    for (to, artworks) in [(Some(3), 3), (Some(5), 5), (None, 3), (Some(6), 6)] {
        let back = folder.roll_back(to).await.expect("it is kept");
        assert!(back.changed);
        assert!(files(&path) == expected(&first(artworks)), "{to:?}");
        assert_eq!(back.release.artworks, u64::from(artworks));
        let bytes: usize = files(&path).values().map(Vec::len).sum();
        assert_eq!((back.release.files, back.release.bytes), (files(&path).len() as u64, bytes as u64));
        assert_eq!(folder.live().expect("readable"), Some(back.release));
    }
    let back: Vec<Option<u64>> = folder.releases().expect("readable").iter().map(|release| release.back_to).collect();
    assert_eq!(back, [Some(6), Some(7), Some(5), Some(3)]);
}

#[tokio::test]
async fn where_there_is_no_way_back_it_is_said_which_there_are() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    let refused = folder.roll_back(None).await;
    assert!(matches!(&refused, Err(DeployError::Nothing(named)) if *named == path), "{refused:?}");
    let (folder, path) = grown(&place, 6).await;
    for (asked, said) in [(2, "those from 3 to 5 are kept"), (7, "those from 3 to 5 are kept")] {
        let refused = folder.roll_back(Some(asked)).await.expect_err("it is not kept").to_string();
        assert!(refused.ends_with(said), "{refused}");
    }
    assert!(matches!(folder.roll_back(Some(6)).await, Err(DeployError::Live(6))));
    assert!(files(&path) == expected(&first(6)));
}

#[tokio::test]
async fn what_somebody_changed_removed_or_added_by_hand_is_found_and_made_good() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = grown(&place, 3).await;
    let site = first(3);
    let untouched = folder.deploy(3, Arc::clone(&site), Compare::Everything, from_bucket).await.expect("it succeeds");
    assert!(!untouched.changed, "{untouched:?}");
    let image = format!("media/{}", sample::artwork(1).thumb.key);
    let mut bytes = fs::read(path.join(&image)).expect("it is live");
    bytes[0] ^= 1;
    fs::write(path.join(&image), bytes).expect("written");
    fs::write(path.join("index.html"), "mine").expect("written");
    fs::remove_file(path.join("feed.xml")).expect("removed");
    fs::write(path.join("tags/stray.html"), "stray").expect("written");
    let repaired = folder.deploy(3, Arc::clone(&site), Compare::Everything, from_bucket).await.expect("it succeeds");
    assert!(repaired.changed);
    assert_eq!((repaired.release.files_written, repaired.release.files_removed), (3, 1));
    assert!(files(&path) == expected(&site));
    assert_eq!(repaired.release.files, files(&path).len() as u64);
    // The damage is in no tree that is used again, and going back does not bring it back.
    for position in 4..=6 {
        folder.prepare().await.expect("a spare is made");
        deploy(&folder, position, first(3)).await;
        assert!(files(&path) == expected(&first(3)), "{position}");
    }
}

#[tokio::test]
async fn going_back_beyond_a_repair_does_not_bring_the_damage_back() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = grown(&place, 3).await;
    fs::write(path.join("index.html"), "mine").expect("written");
    fs::remove_file(path.join("feed.xml")).expect("removed");
    fs::write(path.join("tags/stray.html"), "stray").expect("written");
    folder.deploy(3, first(3), Compare::Everything, from_bucket).await.expect("it succeeds");
    folder.roll_back(Some(3)).await.expect("it is kept");
    assert!(files(&path) == expected(&first(3)));
    folder.roll_back(Some(2)).await.expect("it is kept");
    assert!(files(&path) == expected(&first(2)));
}

#[tokio::test]
async fn a_tree_whose_update_was_broken_off_is_made_anew() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = grown(&place, 3).await;
    let releases = place.path().join("site.releases");
    let live = fs::read_link(&path).expect("a link");
    let spare = beside(&place).into_iter().find(|name| name.ends_with('3') && !live.ends_with(name)).expect("a spare");
    // As a crash leaves it in the middle of an update.
    let unfinished = releases.join(format!(".updating-{}", &spare[..1]));
    fs::rename(releases.join(&spare), &unfinished).expect("renamed");
    fs::remove_file(unfinished.join("index.html")).expect("removed");
    // Another file, and not the one that the trees share.
    fs::remove_file(unfinished.join("feed.xml")).expect("removed");
    fs::write(unfinished.join("feed.xml"), "half").expect("written");
    deploy(&folder, 4, first(4)).await;
    assert!(files(&path) == expected(&first(4)));
    folder.prepare().await.expect("a spare is made");
    deploy(&folder, 5, first(5)).await;
    assert!(files(&path) == expected(&first(5)));
    assert!(beside(&place).iter().all(|name| !name.starts_with('.')), "{:?}", beside(&place));
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
                std::thread::yield_now();
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
    let failed = folder.deploy(2, first(6), PAGES, breaks).await;
    assert!(matches!(&failed, Err(DeployError::Fetch { .. })), "{failed:?}");
    assert!(files(&path) == expected(&old));
    assert_eq!(beside(&place), ["a-0000000001", "history"], "nor is anything left");
    deploy(&folder, 2, first(6)).await;
    assert!(files(&path) == expected(&first(6)));
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
        _ = folder.deploy(2, first(6), PAGES, hangs) => panic!("the bucket never answers"),
        () = asked.notified() => {}
    }
    assert!(files(&path) == expected(&first(3)));
    deploy(&folder, 2, first(6)).await;
    assert!(files(&path) == expected(&first(6)));
}

#[tokio::test]
async fn a_crash_before_the_swap_or_while_staging_is_made_good() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = grown(&place, 2).await;
    let releases = place.path().join("site.releases");
    let old = fs::read_link(&path).expect("a link");
    deploy(&folder, 3, first(3)).await;
    let new = fs::read_link(&path).expect("a link");
    // As a crash leaves it between the tree's naming and the swap, with the next link made but not yet moved.
    fs::remove_file(&path).expect("the link can be removed");
    std::os::unix::fs::symlink(old, &path).expect("linked");
    std::os::unix::fs::symlink(new, releases.join(".link-left")).expect("linked");
    // And as one leaves it while staging.
    fs::create_dir_all(releases.join(".staging-left")).expect("created");
    fs::write(releases.join(".staging-left/0"), "half").expect("written");

    assert!(files(&path) == expected(&first(2)), "the old release is live");
    let deployed = deploy(&folder, 3, first(3)).await;
    assert_eq!((deployed.changed, deployed.release.number), (true, 3));
    assert!(files(&path) == expected(&first(3)));
    assert!(beside(&place).iter().all(|name| !name.starts_with('.')), "{:?}", beside(&place));
    folder.roll_back(None).await.expect("the one before is kept");
    assert!(files(&path) == expected(&first(2)));
}

#[tokio::test]
async fn another_deploy_in_between_is_compared_with_and_not_lost() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = grown(&place, 2).await;
    let mut site = Arc::into_inner(first(2)).expect("its only owner");
    site.settle();
    site.show(sample::artwork(2)).expect("it can be shown");
    // Somebody goes back meanwhile: what the site says has changed is not all that differs now.
    folder.roll_back(Some(1)).await.expect("it is kept");
    folder.deploy(3, Arc::new(site), Compare::Since(Some(2)), from_bucket).await.expect("it succeeds");
    assert!(files(&path) == expected(&first(3)));
}

#[tokio::test]
async fn what_another_daemon_has_deployed_already_is_taken_as_it_is() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, _) = grown(&place, 3).await;
    let taken = folder.deploy(3, first(3), Compare::Since(Some(2)), async |_| bail!("nothing is fetched")).await;
    let taken = taken.expect("nothing to do");
    assert_eq!((taken.changed, taken.release.number), (false, 3));
}

#[tokio::test]
async fn an_image_with_other_bytes_than_promised_is_not_deployed() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    let refused = folder.deploy(1, first(2), PAGES, async |_| Ok(Bytes::from_static(b"something else"))).await;
    assert!(matches!(refused, Err(DeployError::Digest { .. })), "{refused:?}");
    assert!(!path.exists());
}

#[tokio::test]
async fn a_folder_that_holds_anything_else_is_refused_and_kept() {
    let place = TempDir::new().expect("a temporary folder");
    let (folder, path) = folder(&place);
    fs::create_dir(&path).expect("created");
    fs::write(path.join("index.html"), "mine").expect("written");
    let refused = folder.deploy(1, first(1), PAGES, from_bucket).await;
    assert!(matches!(&refused, Err(DeployError::Occupied(named)) if *named == path), "{refused:?}");
    assert_eq!(fs::read_to_string(path.join("index.html")).expect("readable"), "mine");

    fs::remove_dir_all(&path).expect("removed");
    std::os::unix::fs::symlink(place.path(), &path).expect("linked");
    let refused = folder.deploy(1, first(1), PAGES, from_bucket).await;
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
    let refused = folder.deploy(8, first(1), PAGES, from_bucket).await;
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
    let renamed = sample::site_of(meta, (0..2).map(sample::artwork));
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
    let slow = folder.deploy(1, first(1), PAGES, waits);
    let second = async {
        asked.notified().await;
        let busy = folder.deploy(2, first(2), PAGES, from_bucket).await;
        assert!(matches!(busy, Err(DeployError::Busy(_))), "{busy:?}");
        answer.notify_one();
    };
    let (done, ()) = tokio::join!(slow, second);
    done.expect("the first deploy goes on");
    assert!(files(&path) == expected(&first(1)));
}
