//! A bucket that the site is brought to.

use std::collections::BTreeMap;
use std::sync::Arc;

use atelier_site::pages::Site;
use atelier_site::release::{Compare, Folder};
use atelier_site::target::served::Kind;
use atelier_site::target::settings::{BucketSettings, TargetKind, TargetSettings};
use atelier_site::target::{Brought, Look, POINTER, Target, TargetError};
use axum::http::Method;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::sample::{self, files, from_bucket};
use crate::store::Store;

const HOUR_MS: u64 = 3_600_000;

struct Scene {
    place: TempDir,
    folder: Folder,
    store: Store,
    settings: BucketSettings,
    position: u64,
}

impl Scene {
    async fn set() -> Self {
        let place = TempDir::new().expect("a temporary folder");
        let folder = Folder::new(place.path().join("site"), 3).expect("the folder can be resolved");
        let store = Store::create().await.expect("a store");
        Self { place, folder, store, settings: BucketSettings::default(), position: 0 }
    }

    fn target(&self) -> Target {
        self.target_with(TargetSettings { backoff_initial_ms: 1, ..TargetSettings::default() })
    }

    fn target_with(&self, settings: TargetSettings) -> Target {
        let settings = TargetSettings { kind: TargetKind::Bucket, bucket: self.settings.clone(), ..settings };
        Target::new(&settings, &self.store.settings, "https://art.example").expect("the settings can be used")
    }

    /// Makes a release of these artworks.
    async fn release(&mut self, artworks: impl IntoIterator<Item = u32>) {
        self.position += 1;
        let site: Arc<Site> = sample::site(artworks.into_iter().map(sample::artwork).collect());
        let deployed = self.folder.deploy(self.position, site, Compare::Since(None), from_bucket).await;
        deployed.expect("the folder can be deployed to");
    }

    async fn bring(&self, look: Look) -> Result<Brought, TargetError> {
        let brought = self.target().bring(&self.folder, look, || Ok(vec![])).await?;
        Ok(brought.expect("there is a release, and the target is not the folder"))
    }

    async fn brought(&self) -> Brought {
        self.bring(Look::Changes).await.expect("the target can be reached")
    }

    fn live(&self) -> BTreeMap<String, Vec<u8>> {
        files(&self.place.path().join("site"))
    }

    /// Without the pointer.
    async fn there(&self) -> BTreeMap<String, Vec<u8>> {
        let mut there = self.store.files("site/").await.expect("the store answers");
        there.remove(POINTER);
        there
    }

    /// The paths that have been put since somebody looked last.
    fn puts(&self) -> Vec<String> {
        let keys = self.store.asked_by(&Method::PUT);
        keys.iter()
            .map(|key| key.strip_prefix("site/").expect("all lies in the folder of the site").to_owned())
            .collect()
    }

    async fn has(&self) -> Option<u64> {
        self.target().has(&self.folder).await.expect("the store answers").map(|has| has.number)
    }

    async fn sweep_in(&self, ms: u64) -> Option<OffsetDateTime> {
        let now = OffsetDateTime::now_utc() + std::time::Duration::from_millis(ms);
        self.target().sweep(&self.folder, now).await.expect("the store answers")
    }
}

#[tokio::test]
async fn nothing_leads_to_what_is_not_there_yet_and_the_pointer_comes_last() {
    let mut scene = Scene::set().await;
    scene.release(0..30).await;
    let brought = scene.brought().await;
    let puts = scene.puts();
    let (pointer, files) = puts.split_last().expect("files are put");
    assert_eq!(pointer, POINTER);
    assert!(files.is_sorted_by_key(|path| Kind::of(path)), "{files:?}");
    assert_eq!(files.last().map(String::as_str), Some("index.html"));
    assert!(scene.there().await == scene.live());
    assert_eq!((brought.changed, brought.number, brought.files), (true, 1, files.len() as u64));
    assert_eq!(brought.bytes, scene.live().values().map(|bytes| bytes.len() as u64).sum::<u64>());
    assert_eq!(scene.has().await, Some(1));
}

#[tokio::test]
async fn only_what_has_changed_is_put_and_nothing_is_listed() {
    let mut scene = Scene::set().await;
    scene.release(0..60).await;
    scene.brought().await;
    let before = scene.live();
    scene.release(0..61).await;
    scene.store.asked();
    scene.brought().await;
    let asked = scene.store.asked();
    let changed: Vec<String> = scene
        .live()
        .into_iter()
        .filter(|(path, bytes)| before.get(path) != Some(bytes))
        .map(|(path, _)| path)
        .collect();
    let mut puts: Vec<String> =
        asked.iter().filter(|asked| asked.method == Method::PUT).map(|asked| asked.key[5..].to_owned()).collect();
    puts.sort();
    let mut expected = changed.clone();
    expected.push(POINTER.to_owned());
    expected.sort();
    assert_eq!(puts, expected);
    // Beside that it is asked which release it has, and nothing else.
    assert_eq!(asked.len(), puts.len() + 1, "{asked:?}");
    let pages = changed.iter().filter(|path| !path.starts_with("media/"));
    assert!(pages.count() <= 26, "{changed:?}");
    assert!(scene.there().await == scene.live());

    scene.store.asked();
    assert!(!scene.brought().await.changed);
    assert_eq!(scene.store.asked().len(), 1, "what it has already is asked for once");
}

#[tokio::test]
async fn what_a_store_fails_at_is_tried_again_and_what_it_has_taken_is_not_put_twice() {
    let mut scene = Scene::set().await;
    scene.release(0..8).await;
    // In the middle of it, and more often than the client tries by itself.
    scene.store.fail_after(20, 30);
    let settings = TargetSettings { attempts: 30, backoff_initial_ms: 1, ..TargetSettings::default() };
    let brought = scene.target_with(settings).bring(&scene.folder, Look::Changes, || Ok(vec![])).await;
    let brought = brought.expect("it is mended in the end").expect("there is a release");
    assert_eq!(scene.store.failed(), 30, "it has failed");
    let mut puts = scene.puts();
    assert_eq!(brought.files + 1, puts.len() as u64);
    puts.sort();
    puts.dedup();
    assert_eq!(brought.files + 1, puts.len() as u64, "a file was put twice");
    assert!(scene.there().await == scene.live());
}

#[tokio::test]
async fn a_store_that_goes_on_failing_is_tried_as_often_as_the_settings_say_and_no_longer_than_they_allow() {
    let mut scene = Scene::set().await;
    scene.release(0..2).await;
    let tried = async |attempts, pause_ms, timeout_ms| {
        let [backoff_initial_ms, backoff_max_ms] = [pause_ms; 2];
        let settings =
            TargetSettings { attempts, backoff_initial_ms, backoff_max_ms, timeout_ms, ..TargetSettings::default() };
        scene.store.fail_after(0, usize::MAX);
        let error = scene.target_with(settings).bring(&scene.folder, Look::Changes, || Ok(vec![])).await;
        let failed = scene.store.failed();
        scene.store.fail_after(0, 0);
        let error = error.expect_err("the store fails");
        assert!(error.is_transient(), "{error:?}");
        failed
    };
    let once = tried(1, 1, 600_000).await;
    assert!(once > 0);
    assert_eq!(tried(2, 1, 600_000).await, 2 * once);
    // The next attempt would begin after the time is over.
    assert_eq!(tried(2, 600_000, 300_000).await, once);
    assert_eq!(scene.has().await, None);
    scene.brought().await;
    assert!(scene.there().await == scene.live());
}

#[tokio::test]
async fn each_file_says_what_it_is_and_how_long_it_may_be_kept() {
    let mut scene = Scene::set().await;
    scene.release(0..2).await;
    scene.brought().await;
    let asked = scene.store.asked();
    let check = |path: &str, media_type: &str, cache_control: &str| {
        let (start, end) = path.split_once('*').unwrap_or((path, ""));
        let is_named = |key: &str| key.starts_with(start) && key.ends_with(end);
        let is_it = |asked: &&crate::store::Asked| asked.method == Method::PUT && is_named(&asked.key);
        let asked = asked.iter().find(is_it).unwrap_or_else(|| panic!("{path} is put"));
        let header = |name| asked.headers.get(name).map(|value| value.to_str().expect("ASCII"));
        assert_eq!(header("content-type"), Some(media_type), "{path}");
        assert_eq!(header("cache-control"), Some(cache_control), "{path}");
    };
    let (immutable, fresh) = ("public, max-age=31536000, immutable", "public, max-age=0, must-revalidate");
    check("site/assets/*.css", "text/css; charset=utf-8", immutable);
    check("site/media/preview/*", "image/webp", immutable);
    check("site/artworks/*", "text/html; charset=utf-8", fresh);
    check("site/index.html", "text/html; charset=utf-8", fresh);
    check("site/worker.js", "text/javascript; charset=utf-8", fresh);
    check("site/search.json", "application/json", fresh);
    check("site/feed.xml", "application/atom+xml; charset=utf-8", "public, max-age=300");
    check("site/feed.json", "application/feed+json", "public, max-age=300");
    check("site/release.json", "application/json", fresh);
}

#[tokio::test]
async fn what_is_gone_stays_for_those_who_read_an_older_page_and_goes_when_the_grace_is_over() {
    let mut scene = Scene::set().await;
    scene.release(0..3).await;
    scene.brought().await;
    let before = scene.there().await;
    scene.release(1..3).await;
    let brought = scene.brought().await;
    let gone = before.keys().filter(|path| !scene.live().contains_key(*path)).count();
    assert!(gone > 4, "a page and its images");
    assert_eq!(brought.deleted, 0);
    let due = brought.sweep_at.expect("something is to be deleted");
    assert!(due > OffsetDateTime::now_utc() + time::Duration::minutes(59), "{due}");
    assert_eq!(scene.there().await.len(), scene.live().len() + gone);

    assert!(scene.sweep_in(HOUR_MS / 2).await.is_some());
    assert_eq!(scene.there().await.len(), scene.live().len() + gone);
    assert_eq!(scene.sweep_in(HOUR_MS + 1_000).await, None);
    assert!(scene.there().await == scene.live());
}

#[tokio::test]
async fn what_comes_back_within_the_grace_is_not_deleted() {
    let mut scene = Scene::set().await;
    scene.release(0..3).await;
    scene.brought().await;
    scene.release(1..3).await;
    scene.brought().await;
    scene.folder.roll_back(None).await.expect("the one before is kept");
    scene.brought().await;
    assert_eq!(scene.sweep_in(2 * HOUR_MS).await, None);
    assert!(scene.there().await == scene.live());
    assert_eq!(scene.has().await, Some(3));
}

#[tokio::test]
async fn more_deletions_than_allowed_are_none_and_the_release_is_there_all_the_same() {
    let mut scene = Scene::set().await;
    scene.settings.max_deletes = 4;
    scene.settings.grace_ms = 0;
    scene.release(0..3).await;
    scene.brought().await;
    scene.release(1..3).await;
    let brought = scene.brought().await;
    assert_eq!((brought.changed, brought.deleted, brought.sweep_at), (true, 0, None));
    assert!(scene.there().await.len() > scene.live().len());
    assert_eq!(scene.has().await, Some(2));
    assert!(scene.store.asked_by(&Method::DELETE).is_empty());

    scene.settings.max_deletes = 100;
    assert_eq!(scene.sweep_in(0).await, None);
    assert!(scene.there().await == scene.live());
}

#[tokio::test]
async fn a_deploy_that_breaks_off_leaves_the_old_release_and_the_next_one_completes_it() {
    let mut scene = Scene::set().await;
    scene.release(0..8).await;
    scene.brought().await;
    let home = scene.there().await["index.html"].clone();
    scene.release(0..9).await;
    for puts in [0, 3, 9] {
        scene.store.break_after(puts);
        let failed = scene.bring(Look::Changes).await;
        assert!(matches!(failed, Err(TargetError::Bucket(_))), "{failed:?}");
        assert_eq!(scene.has().await, Some(1));
        assert!(scene.there().await["index.html"] == home, "the home page does not lead to what may be missing");
    }
    scene.store.mend();
    // Meanwhile there is another one.
    scene.release(0..10).await;
    assert!(scene.brought().await.changed);
    assert!(scene.there().await == scene.live());
    assert_eq!(scene.has().await, Some(3));
}

#[tokio::test]
async fn a_bucket_of_which_nothing_is_known_is_compared_and_what_is_not_ours_is_left_alone() {
    let mut scene = Scene::set().await;
    scene.settings.grace_ms = 0;
    scene.release(0..30).await;
    scene.brought().await;
    // Another machine, or the folder of the releases is lost; somebody has added a file, and damaged two.
    std::fs::remove_file(scene.place.path().join("site.releases/target.json")).expect("it was written");
    scene.store.blobs.put_mutable("site/.well-known/mine.txt", "mine".into(), "text/plain").await.expect("put");
    scene.store.blobs.put_mutable("site/feed.xml", "half".into(), "text/plain").await.expect("put");
    scene.store.blobs.delete("site/robots.txt").await.expect("deleted");
    scene.release(1..31).await;
    scene.store.asked();
    scene.brought().await;
    let puts = scene.puts();
    assert!(puts.contains(&"feed.xml".to_owned()) && puts.contains(&"robots.txt".to_owned()), "{puts:?}");
    assert!(puts.len() < scene.live().len() / 2, "{puts:?}");
    let mut there = scene.there().await;
    assert_eq!(there.remove(".well-known/mine.txt").as_deref(), Some(&b"mine"[..]));
    assert!(there == scene.live());
}

#[tokio::test]
async fn a_look_at_everything_finds_what_somebody_did_to_the_bucket() {
    let mut scene = Scene::set().await;
    scene.release(0..3).await;
    scene.brought().await;
    let media = scene.live().into_keys().find(|path| path.starts_with("media/")).expect("there are pictures");
    let length = scene.live()[&media].len();
    let other = vec![b'x'; length];
    scene.store.blobs.put_mutable(&format!("site/{media}"), other.into(), "image/jpeg").await.expect("put");
    assert!(!scene.brought().await.changed, "nobody asks about every byte at every deploy");
    scene.store.asked();
    scene.bring(Look::Everything).await.expect("the store answers");
    assert_eq!(scene.puts(), [media, POINTER.to_owned()]);
    assert!(scene.there().await == scene.live());
}

#[tokio::test]
async fn the_site_is_not_laid_among_the_originals() {
    let scene = Scene::set().await;
    let refused = |settings: &BucketSettings| settings.store(&scene.store.settings).is_err();
    for prefix in ["", "/", "originals", "display/site", "exports"] {
        assert!(refused(&BucketSettings { prefix: prefix.to_owned(), ..BucketSettings::default() }), "{prefix:?}");
    }
    let own = BucketSettings { bucket: "gallery".to_owned(), prefix: String::new(), ..BucketSettings::default() };
    let (store, prefix) = own.store(&scene.store.settings).expect("another bucket may be the site");
    assert_eq!((store.bucket.as_str(), prefix.as_str()), ("gallery", ""));
    assert_eq!(store.access_key_id, scene.store.settings.access_key_id);
}

#[derive(Clone, Debug)]
enum Step {
    Release(std::ops::Range<u32>),
    Back(u64),
    Bring,
    BreakAfter(usize),
    ForgetRecord,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u32..4, 1_u32..6).prop_map(|(from, count)| Step::Release(from..from + count)),
        2 => (1_u64..4).prop_map(Step::Back),
        4 => any::<()>().prop_map(|()| Step::Bring),
        2 => (0_usize..20).prop_map(Step::BreakAfter),
        1 => any::<()>().prop_map(|()| Step::ForgetRecord),
    ]
}

#[test]
fn whatever_happened_before_the_bucket_is_the_live_release_once_the_grace_is_over() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let config = Config { cases: 10, failure_persistence: None, ..Config::default() };
    let checked = TestRunner::new(config).run(&proptest::collection::vec(step(), 1..14), |steps| {
        runtime.block_on(async {
            let mut scene = Scene::set().await;
            scene.settings.max_deletes = usize::MAX;
            scene.release(0..1).await;
            for step in steps {
                match step {
                    Step::Release(artworks) => scene.release(artworks).await,
                    Step::Back(by) => {
                        let live = scene.folder.number().expect("readable").expect("there is one");
                        // Too far is refused.
                        drop(scene.folder.roll_back(Some(live.saturating_sub(by))).await);
                    }
                    Step::Bring => {
                        scene.store.mend();
                        scene.brought().await;
                    }
                    Step::BreakAfter(puts) => {
                        scene.store.break_after(puts);
                        drop(scene.bring(Look::Changes).await);
                        scene.store.at_rest().await;
                        scene.store.mend();
                    }
                    Step::ForgetRecord => {
                        drop(std::fs::remove_file(scene.place.path().join("site.releases/target.json")));
                    }
                }
            }
            scene.brought().await;
            scene.sweep_in(2 * HOUR_MS).await;
            assert!(scene.there().await == scene.live());
            assert_eq!(scene.has().await, scene.folder.number().expect("readable"));
        });
        Ok(())
    });
    checked.expect("every sequence ends with the live release");
}
