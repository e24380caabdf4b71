use std::collections::BTreeMap;

use md5::{Digest, Md5};
use time::OffsetDateTime;

use super::{BlobError, Blobs, hex, observed};

/// An upload in parts that was begun and neither finished nor aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Where it would become visible.
    pub key: String,
    /// The store's name of it.
    pub upload_id: String,
    /// When it was begun, by the store's clock; none where the store does not tell.
    pub begun: Option<OffsetDateTime>,
}

/// What an earlier try has sent of an upload.
#[derive(Debug, Default)]
pub(super) struct SentBefore {
    pub(super) upload_id: Option<String>,
    /// By number: the store's tag of the part.
    e_tags: BTreeMap<i32, String>,
}

impl SentBefore {
    /// The tag of a part if the store has it, and with these bytes. The tag of a part is the MD5 of its bytes at every
    /// store that does not encrypt with keys of its own; where it is not, nothing matches and all is sent again.
    pub(super) fn e_tag(&self, number: i32, part: &[u8]) -> Option<String> {
        let e_tag = self.e_tags.get(&number)?;
        (e_tag.trim_matches('"') == hex(&Md5::digest(part))).then(|| e_tag.clone())
    }
}

impl Blobs {
    /// The uploads under a prefix that were begun and are not finished; none where the store cannot tell.
    pub async fn unfinished_uploads(&self, prefix: &str) -> Result<Vec<Unfinished>, BlobError> {
        let mut found = Vec::new();
        let (mut key_marker, mut id_marker) = (None, None);
        loop {
            let request = self.client.list_multipart_uploads().bucket(&self.bucket).prefix(prefix);
            let request = request.set_key_marker(key_marker).set_upload_id_marker(id_marker);
            let page = match observed("list_uploads", prefix, request.send()).await {
                Ok(page) => page,
                Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 501) => return Ok(found),
                Err(error) => return Err(BlobError::of_bucket(&self.bucket, error)),
            };
            found.extend(page.uploads().iter().filter_map(|upload| {
                let begun = upload.initiated().and_then(|at| OffsetDateTime::from_unix_timestamp(at.secs()).ok());
                Some(Unfinished { key: upload.key()?.to_owned(), upload_id: upload.upload_id()?.to_owned(), begun })
            }));
            if page.is_truncated() != Some(true) {
                return Ok(found);
            }
            (key_marker, id_marker) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }

    /// Gives an upload up that was begun elsewhere; fine when it is gone.
    pub async fn abort_upload(&self, key: &str, upload_id: &str) -> Result<(), BlobError> {
        let request = self.client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload_id);
        match observed("abort_upload", key, request.send()).await {
            Ok(_) => Ok(()),
            Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404) => Ok(()),
            Err(error) => Err(BlobError::of(&self.bucket, key, error)),
        }
    }

    /// The newest upload of a key that is not finished, with the parts that the store has of it.
    pub(super) async fn sent_before(&self, key: &str) -> Result<SentBefore, BlobError> {
        let of_key = self.unfinished_uploads(key).await?.into_iter().filter(|upload| upload.key == key);
        let Some(upload) = of_key.max_by_key(|upload| upload.begun) else {
            return Ok(SentBefore::default());
        };
        let mut e_tags = BTreeMap::new();
        let mut marker = None;
        loop {
            let request = self.client.list_parts().bucket(&self.bucket).key(key).upload_id(&upload.upload_id);
            let request = request.set_part_number_marker(marker);
            let page = match observed("list_parts", key, request.send()).await {
                Ok(page) => page,
                // It was aborted or finished a moment ago: then there is nothing to go on with.
                Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404) => {
                    return Ok(SentBefore::default());
                }
                Err(error) => return Err(BlobError::of(&self.bucket, key, error)),
            };
            e_tags.extend(page.parts().iter().filter_map(|part| Some((part.part_number()?, part.e_tag()?.to_owned()))));
            if page.is_truncated() != Some(true) {
                return Ok(SentBefore { upload_id: Some(upload.upload_id), e_tags });
            }
            marker = page.next_part_number_marker;
        }
    }
}
