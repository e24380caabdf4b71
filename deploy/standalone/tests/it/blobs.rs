//! What `atelier_events::Blobs` promises, on the embedded server.

use atelier_events::blobs::{
    Head, MAX_KEY_BYTES, MAX_SERVED_KEY_BYTES, MIN_PART_BYTES, PART_BYTES, Served, StoreSettings, sha256,
};
use atelier_events::{Blob, BlobError, Blobs};
use bytes::Bytes;
use futures::future::{FutureExt as _, join_all, try_join_all};

use crate::store::{Store, bytes, eventually};

#[tokio::test]
async fn a_blob_comes_back_as_it_was_put() {
    let (_store, blobs) = Store::start().await;
    let key = "artworks/1/a b+ü%.txt";
    let blob = blobs.put(key, Bytes::from_static(b"abc"), "text/plain").await.unwrap();

    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
    let expected = Blob { key: key.to_owned(), sha256: digest.clone(), media_type: "text/plain".to_owned(), length: 3 };
    assert_eq!(blob, expected);
    assert_eq!(blobs.get(key, 3).await.unwrap(), "abc");
    assert_eq!(blobs.digest(key).await.unwrap(), Some((digest, 3)));
    let Head { length, media_type, etag, sha256: _ } = blobs.head(key).await.unwrap().unwrap();
    assert_eq!((length, media_type.as_str()), (3, "text/plain"));
    assert!(etag.is_some());
}

#[tokio::test]
async fn bytes_that_are_not_what_they_were_signed_as_are_refused() {
    let (store, blobs) = Store::start().await;
    let (said, other) = (bytes(300_000), bytes(300_001));
    blobs.put_hashed("a", other.slice(1..), sha256(&said), "image/png").await.unwrap_err();
    assert_eq!(blobs.head("a").await.unwrap(), None);
    assert_eq!(store.beside_the_bucket(), Vec::<String>::new());
    let blob = blobs.put_hashed("a", said.clone(), sha256(&said), "image/png").await.unwrap();
    assert_eq!(blob, blobs.put("a", said, "image/png").await.unwrap());
}

#[tokio::test]
async fn a_blob_that_is_not_there_is_none_or_not_found() {
    let (_store, blobs) = Store::start().await;
    assert_eq!(blobs.head("no/such").await.unwrap(), None);
    assert_eq!(blobs.digest("no/such").await.unwrap(), None);
    blobs.delete("no/such").await.unwrap();
    for error in [
        blobs.get("no/such", 10).await.unwrap_err(),
        blobs.stream("no/such").await.unwrap_err(),
        blobs.copy("no/such", "\"tag\"", "some/where", "text/plain").await.map(drop).unwrap_err(),
    ] {
        assert!(matches!(&error, BlobError::NotFound { key } if key == "no/such"), "{error:?}");
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn a_deleted_blob_is_gone_with_all_that_was_kept_beside_it() {
    let (store, blobs) = Store::start().await;
    blobs.put("a/b", bytes(10), "text/plain").await.unwrap();
    assert_eq!(store.beside_the_bucket().len(), 2, "headers and tags");
    blobs.delete("a/b").await.unwrap();
    assert_eq!(blobs.head("a/b").await.unwrap(), None);
    assert_eq!(store.beside_the_bucket(), Vec::<String>::new());
}

#[tokio::test]
async fn a_missing_bucket_is_named_and_may_be_created_twice() {
    let store = Store::empty().await;
    let blobs = store.connect();
    for missing in [
        blobs.ready().await,
        blobs.put("a", bytes(1), "text/plain").await.map(drop),
        blobs.page("", None).await.map(drop),
    ] {
        assert!(matches!(&missing, Err(BlobError::NoBucket { bucket }) if bucket == "atelier"), "{missing:?}");
    }
    blobs.create_bucket().await.unwrap();
    blobs.create_bucket().await.unwrap();
    blobs.ready().await.unwrap();
}

#[tokio::test]
async fn a_listing_walks_every_page_in_the_order_of_the_keys() {
    let (store, blobs) = Store::start().await;
    let folder = store.root().join("atelier/many");
    std::fs::create_dir(&folder).unwrap();
    for number in 0..1_005 {
        std::fs::write(folder.join(format!("{number:04}")), vec![0; number]).unwrap();
    }
    blobs.put("other/1", bytes(1), "text/plain").await.unwrap();

    let first = blobs.page("many/", None).await.unwrap();
    assert_eq!(first.entries.len(), 1_000);
    let second = blobs.page("many/", Some(first.next.clone().unwrap())).await.unwrap();
    assert_eq!(second.next, None);
    let all = first.entries.iter().chain(&second.entries);
    let found: Vec<_> = all.map(|entry| (entry.key.clone(), entry.length)).collect();
    let expected: Vec<_> = (0..1_005).map(|number| (format!("many/{number:04}"), number)).collect();
    assert_eq!(found, expected);
}

async fn etag(blobs: &Blobs, key: &str) -> String {
    blobs.stream(key).await.unwrap().etag().unwrap().to_owned()
}

#[tokio::test]
async fn a_blob_that_has_changed_since_it_was_read_is_not_copied() {
    let (store, blobs) = Store::start().await;
    blobs.put("from", bytes(10), "image/png").await.unwrap();
    let read = etag(&blobs, "from").await;
    blobs.put("from", bytes(11), "image/png").await.unwrap();
    assert!(!blobs.copy("from", &read, "to", "image/png").await.unwrap());
    assert_eq!(blobs.head("to").await.unwrap(), None);
    assert!(blobs.copy("from", &etag(&blobs, "from").await, "to", "image/png").await.unwrap());
    assert_eq!(blobs.get("to", 11).await.unwrap(), bytes(11));
    assert_eq!(std::fs::read_dir(store.root()).unwrap().count(), 2 * 2 + 2, "two blobs have two sidecars each");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_copied_by_its_tag_is_what_was_read_whoever_writes_meanwhile() {
    let (store, blobs) = Store::start().await;
    blobs.put("from", bytes(10), "image/png").await.unwrap();
    let writes = async {
        for length in 11..60 {
            blobs.put("from", bytes(length), "image/png").await.unwrap();
        }
    };
    let copies = join_all((0..3).map(async |number| {
        let (to, mut copied) = (format!("to/{number}"), 0);
        for _ in 0..30 {
            let download = blobs.stream("from").await.unwrap();
            let Some(etag) = download.etag().map(str::to_owned) else { continue };
            let read = download.whole(100).await.unwrap();
            if blobs.copy("from", &etag, &to, "image/png").await.unwrap() {
                assert_eq!(blobs.get(&to, 100).await.unwrap(), read);
                copied += 1;
            }
        }
        copied
    }));
    let ((), counts) = tokio::join!(writes, copies);
    let copies = counts.iter().filter(|copied| **copied > 0).count();
    assert!(copies > 0, "nothing was copied");
    let left = std::fs::read_dir(store.root()).unwrap().count();
    assert_eq!(left, 2 + 2 * (1 + copies), "nothing is left of copies that were refused");
}

#[tokio::test]
async fn a_copy_has_its_own_media_type_and_leaves_the_source() {
    let (_store, blobs) = Store::start().await;
    let from = "uploads/ein Bild+ö%2F.png";
    blobs.put(from, bytes(100_000), "application/octet-stream").await.unwrap();
    let etag = etag(&blobs, from).await;
    assert!(blobs.copy(from, &etag, "artworks/1/original.png", "image/png").await.unwrap());

    assert_eq!(blobs.get("artworks/1/original.png", 100_000).await.unwrap(), bytes(100_000));
    assert_eq!(blobs.head("artworks/1/original.png").await.unwrap().unwrap().media_type, "image/png");
    assert_eq!(blobs.head(from).await.unwrap().unwrap().media_type, "application/octet-stream");
}

#[tokio::test]
async fn a_blob_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let (_store, blobs) = Store::start().await;
    blobs.put("big", bytes(300_000), "image/png").await.unwrap();
    assert_eq!(blobs.get("big", 300_000).await.unwrap().len(), 300_000);
    let refused = blobs.get("big", 299_999).await.unwrap_err();
    assert!(matches!(&refused, BlobError::TooLarge { limit: 299_999, .. }), "{refused:?}");
}

#[tokio::test]
async fn a_blob_streams_in_pieces() {
    let (_store, blobs) = Store::start().await;
    blobs.put("big", bytes(1_000_000), "image/png").await.unwrap();
    let (mut download, mut pieces) = (blobs.stream("big").await.unwrap(), Vec::new());
    while let Some(chunk) = download.chunk().await.unwrap() {
        pieces.push(chunk);
    }
    assert!(pieces.len() > 1);
    assert_eq!(pieces.concat(), bytes(1_000_000));
}

#[tokio::test]
async fn many_may_put_the_same_blob_at_once() {
    let (_store, blobs) = Store::start().await;
    let content = bytes(200_000);
    let puts = (0..12).map(|_| blobs.put("a/same", content.clone(), "image/png"));
    let put = try_join_all(puts).await.unwrap();
    assert!(put.iter().all(|blob| *blob == put[0]));
    assert_eq!(blobs.digest("a/same").await.unwrap(), Some((sha256(&content), 200_000)));
}

#[tokio::test]
async fn a_reader_never_sees_half_of_a_blob_that_is_written_again() {
    let (_store, blobs) = Store::start().await;
    let content = bytes(2_000_000);
    blobs.put("from", content.clone(), "image/png").await.unwrap();
    let etag = etag(&blobs, "from").await;
    assert!(blobs.copy("from", &etag, "to", "image/png").await.unwrap());
    let writes = async {
        for _ in 0..8 {
            assert!(blobs.copy("from", &etag, "to", "image/png").await.unwrap());
            blobs.put("to", content.clone(), "image/png").await.unwrap();
        }
    };
    let reads = join_all((0..4).map(async |_| {
        for _ in 0..10 {
            assert_eq!(blobs.get("to", 2_000_000).await.unwrap().len(), 2_000_000);
        }
    }));
    tokio::join!(writes, reads);
}

/// Chunks of a length that divides no part.
async fn upload(blobs: &Blobs, key: &str, content: &Bytes) -> Result<Blob, BlobError> {
    let mut upload = blobs.upload(key, "application/zip")?;
    for chunk in content.chunks(100_003) {
        upload.write(content.slice_ref(chunk)).await?;
    }
    upload.finish().await
}

#[tokio::test]
async fn an_upload_of_any_length_equals_what_was_written() {
    let (_store, blobs) = Store::start().await;
    for length in [0, 1_000, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 20 * 1024 * 1024] {
        let (key, content) = (format!("exports/{length}.zip"), bytes(length));
        let blob = upload(&blobs, &key, &content).await.unwrap();
        let (digest, length) = (sha256(&content), length as u64);
        let expected =
            Blob { key: key.clone(), sha256: digest.clone(), media_type: "application/zip".to_owned(), length };
        assert_eq!(blob, expected);
        assert_eq!(blobs.digest(&key).await.unwrap(), Some((digest, length)), "{key}");
        assert_eq!(blobs.head(&key).await.unwrap().unwrap().media_type, "application/zip", "{key}");
    }
}

#[tokio::test]
async fn an_upload_given_up_leaves_nothing() {
    let (store, blobs) = Store::start().await;
    let mut aborted = blobs.upload("exports/1.zip", "application/zip").unwrap();
    aborted.write(bytes(3 * PART_BYTES)).await.unwrap();
    assert!(!store.beside_the_bucket().is_empty());
    aborted.abort().await.unwrap();
    assert_eq!(store.beside_the_bucket(), Vec::<String>::new());

    let mut dropped = blobs.upload("exports/2.zip", "application/zip").unwrap();
    dropped.write(bytes(3 * PART_BYTES)).await.unwrap();
    assert!(!store.beside_the_bucket().is_empty());
    drop(dropped);
    eventually("a folder without parts", || store.beside_the_bucket().is_empty()).await;
    assert_eq!(blobs.page("", None).await.unwrap().entries, []);
}

/// How many parts lie in the store, of whatever upload.
fn parts_in(store: &Store) -> usize {
    store.beside_the_bucket().iter().filter(|name| name.starts_with(".upload_id-") && name.contains(".part-")).count()
}

#[tokio::test]
async fn an_upload_that_is_gone_on_with_sends_only_what_the_store_has_not() {
    let (store, blobs) = Store::start().await;
    let key = "exports/1.zip";
    let content = bytes(4 * MIN_PART_BYTES + 5);
    let mut first = blobs.resume_upload(key, "application/zip", 0).await.unwrap();
    first.write(content.slice(..3 * MIN_PART_BYTES)).await.unwrap();
    eventually("three parts", || parts_in(&store) == 3).await;
    drop(first);
    let unfinished = blobs.unfinished_uploads("exports/").await.unwrap();
    assert_eq!(unfinished.iter().map(|upload| upload.key.as_str()).collect::<Vec<_>>(), [key]);
    assert_eq!(blobs.unfinished_uploads("originals/").await.unwrap(), []);
    let part = |number: i32| store.root().join(format!(".upload_id-{}.part-{number}", unfinished[0].upload_id));
    let written = |number| std::fs::metadata(part(number)).unwrap().modified().unwrap();
    // Of the right length, and not the bytes that were meant.
    std::fs::write(part(2), vec![7; MIN_PART_BYTES]).unwrap();
    let before = [1, 2, 3].map(written);

    let mut second = blobs.resume_upload(key, "application/zip", 0).await.unwrap();
    second.write(content.clone()).await.unwrap();
    eventually("four parts", || parts_in(&store) == 4 && written(2) != before[1]).await;
    assert_eq!((written(1), written(3)), (before[0], before[2]), "what was there was sent again");
    let blob = second.finish().await.unwrap();
    assert_eq!((blob.sha256.as_str(), blob.length), (sha256(&content).as_str(), content.len() as u64));
    assert_eq!(blobs.digest(key).await.unwrap(), Some((blob.sha256, blob.length)));
    assert_eq!(blobs.unfinished_uploads("").await.unwrap(), []);
}

#[tokio::test]
async fn an_upload_of_more_than_ten_thousand_short_parts_has_longer_ones() {
    let (store, blobs) = Store::start().await;
    let expected = 10_000 * (MIN_PART_BYTES as u64) + 1;
    let mut upload = blobs.resume_upload("exports/1.zip", "application/zip", expected).await.unwrap();
    upload.write(bytes(MIN_PART_BYTES + 1)).await.unwrap();
    assert_eq!(parts_in(&store), 0);
    upload.write(bytes(1024 * 1024 - 1)).await.unwrap();
    eventually("a part", || parts_in(&store) == 1).await;
    upload.abort().await.unwrap();
    assert_eq!(store.beside_the_bucket(), Vec::<String>::new());
}

#[tokio::test]
async fn an_upload_that_lost_bytes_does_not_finish() {
    let store = Store::empty().await;
    let mut upload = store.connect().upload("exports/1.zip", "application/zip").unwrap();
    let error = upload.write(bytes(PART_BYTES)).await.unwrap_err();
    assert!(matches!(error, BlobError::NoBucket { .. }), "{error:?}");
    store.connect().create_bucket().await.unwrap();
    upload.write(bytes(10)).await.unwrap();
    let error = upload.finish().await.unwrap_err();
    assert!(matches!(error, BlobError::Invalid { .. }), "{error:?}");

    let mut upload = store.connect().upload("exports/2.zip", "application/zip").unwrap();
    // Polled once, it has filled a part and waits for the store to begin a multipart upload.
    assert!(upload.write(bytes(PART_BYTES)).now_or_never().is_none());
    let error = upload.finish().await.unwrap_err();
    assert!(matches!(error, BlobError::Invalid { .. }), "{error:?}");
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_is_worth_another_try() {
    let store = Store::empty().await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = StoreSettings { endpoint: format!("http://{gone}"), ..store.settings.clone() };
    let error = Blobs::connect(&settings).ready().await.unwrap_err();
    assert!(matches!(error, BlobError::Unreachable { .. }), "{error:?}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_wrong_secret_is_refused_for_good() {
    let (store, _) = Store::start().await;
    let settings = StoreSettings { secret_access_key: "a guess".to_owned(), ..store.settings.clone() };
    let error = Blobs::connect(&settings).put("a", bytes(1), "text/plain").await.unwrap_err();
    let BlobError::Refused { status: 403, message, .. } = &error else { panic!("{error:?}") };
    assert!(message.starts_with("SignatureDoesNotMatch"), "{message}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_malformed_key_is_refused_before_it_is_sent() {
    let nowhere = Blobs::connect(&StoreSettings { endpoint: "http://127.0.0.1:1".to_owned(), ..Default::default() });
    let malformed = ["", "/a", "a/", "a//b", "..", "a/../b", "a/./b", "a\\b", "a\nb"];
    // A file of a site may have a longer name than a blob.
    let (long, longest) = ("k".repeat(MAX_KEY_BYTES + 1), "k".repeat(MAX_SERVED_KEY_BYTES + 1));
    let served = Served { media_type: "text/plain", cache_control: "no-store" };
    for key in malformed.into_iter().chain([longest.as_str()]) {
        for error in [
            nowhere.head(key).await.map(drop).unwrap_err(),
            nowhere.put_served(key, bytes(1), served).await.unwrap_err(),
            nowhere.delete(key).await.unwrap_err(),
        ] {
            assert!(matches!(error, BlobError::Invalid { .. }), "{key:?}: {error:?}");
        }
    }
    for key in malformed.into_iter().chain([long.as_str()]) {
        for error in [
            nowhere.get(key, 1).await.map(drop).unwrap_err(),
            nowhere.put(key, bytes(1), "text/plain").await.map(drop).unwrap_err(),
            nowhere.copy("a", "\"tag\"", key, "text/plain").await.map(drop).unwrap_err(),
            nowhere.upload(key, "text/plain").map(drop).unwrap_err(),
        ] {
            assert!(matches!(error, BlobError::Invalid { .. }), "{key:?}: {error:?}");
        }
    }
}

#[tokio::test]
async fn the_longest_keys_can_be_kept() {
    let (_store, blobs) = Store::start().await;
    let long = |bytes| format!("{}/{}", "a".repeat(bytes / 2), "b".repeat(bytes - bytes / 2 - 1));
    blobs.put(&long(MAX_KEY_BYTES), bytes(1), "text/plain").await.unwrap();
    let longest_upload = long(atelier_events::blobs::MAX_UPLOAD_KEY_BYTES);
    upload(&blobs, &longest_upload, &bytes(PART_BYTES + 1)).await.unwrap();
}

#[test]
fn settings_and_presigned_requests_print_no_secret() {
    let settings = StoreSettings { secret_access_key: "hush".to_owned(), ..StoreSettings::default() };
    assert!(!format!("{settings:?}").contains("hush"));
    assert!(
        !format!("{:?}", Blobs::connect(&StoreSettings { endpoint: "http://a".to_owned(), ..settings }))
            .contains("hush")
    );
}
