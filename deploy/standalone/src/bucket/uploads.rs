//! Uploads in parts that are not finished: which there are, and which parts of them. `s3s-fs` knows neither the first nor
//! the tags of the parts, by which a client that goes on with an upload finds what need not be sent again.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use md5::{Digest as _, Md5};
use s3s::dto::{ETag, ListPartsOutput, MultipartUpload, Part, Timestamp};

/// Parts that one answer lists: they are read through for their tags.
const PAGE: usize = 32;

/// The uploads of a bucket whose keys begin so. Of each there is a file with its headers, named after bucket, key and
/// upload: `.bucket-<bucket>.object-<key>.upload-<id>.metadata.json`.
pub(super) fn unfinished(root: &Path, bucket: &str, prefix: &str) -> io::Result<Vec<MultipartUpload>> {
    let of_bucket = format!(".bucket-{}.object-", BASE64_URL_SAFE_NO_PAD.encode(bucket));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name();
        let named = name.to_str().and_then(|name| {
            let (key, upload) = name.strip_prefix(&of_bucket)?.split_once(".upload-")?;
            let key = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(key).ok()?).ok()?;
            Some((key, upload.strip_suffix(".metadata.json")?.to_owned()))
        });
        // What was finished or aborted has no file of its own any more.
        let Some((key, upload_id)) = named.filter(|(_, id)| root.join(format!(".upload-{id}.json")).exists()) else {
            continue;
        };
        if key.starts_with(prefix) {
            let initiated = Some(Timestamp::from(entry.metadata()?.modified()?));
            let (key, upload_id) = (Some(key), Some(upload_id));
            found.push(MultipartUpload { key, upload_id, initiated, ..Default::default() });
        }
    }
    found.sort_by(|one, other| (&one.key, &one.upload_id).cmp(&(&other.key, &other.upload_id)));
    Ok(found)
}

/// Some parts of an upload behind the one with this number, each with its tag.
pub(super) fn parts(root: &Path, upload_id: &str, after: i32) -> io::Result<ListPartsOutput> {
    let prefix = format!(".upload_id-{upload_id}.part-");
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(root)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(&prefix)?.parse::<i32>().ok());
        numbers.extend(number.filter(|number| *number > after));
    }
    numbers.sort_unstable();
    let is_truncated = numbers.len() > PAGE;
    numbers.truncate(PAGE);
    let (mut parts, mut piece) = (Vec::with_capacity(numbers.len()), vec![0; 256 * 1024]);
    for number in &numbers {
        let mut file = File::open(root.join(format!("{prefix}{number}")))?;
        let (mut md5, mut length) = (Md5::new(), 0);
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            md5.update(&piece[..read]);
            length += read;
        }
        let e_tag: Vec<String> = md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        parts.push(Part {
            part_number: Some(*number),
            e_tag: Some(ETag::Strong(e_tag.concat())),
            size: i64::try_from(length).ok(),
            ..Default::default()
        });
    }
    Ok(ListPartsOutput {
        parts: Some(parts),
        is_truncated: Some(is_truncated),
        next_part_number_marker: numbers.last().copied().filter(|_| is_truncated),
        ..Default::default()
    })
}
