//! The requests to Cloudflare.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::hashes::Hashed;
use crate::listings::FeedFormat;
use crate::release::{Held, blocking};
use crate::target::TargetError;
use crate::target::served::{cache_control, media_type};
use crate::target::settings::WorkersSettings;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// One request, a bucket of 50 MiB over a slow uplink among them.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(10);
/// Which behaviour of the platform is meant.
const COMPATIBILITY_DATE: &str = "2025-11-01";
/// Characters of an answer that an error repeats.
const SAID_CHARS: usize = 300;

#[derive(Debug)]
pub(super) struct Api {
    http: Client,
    account: String,
    script: String,
    token: Secret,
}

struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// A file that is to be sent.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub hash: String,
    pub path: String,
}

/// An upload that has begun.
#[derive(Debug, Deserialize)]
pub(super) struct Session {
    pub jwt: String,
    /// Hashes that are not stored yet.
    #[serde(default)]
    pub buckets: Vec<Vec<String>>,
}

#[derive(Deserialize)]
struct Answer<T> {
    result: Option<T>,
    #[serde(default)]
    errors: Vec<Flaw>,
}

#[derive(Deserialize)]
struct Flaw {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

#[derive(Default, Deserialize)]
struct Uploaded {
    jwt: Option<String>,
}

impl Api {
    pub(super) fn new(settings: &WorkersSettings) -> Result<Self, TargetError> {
        // Refused when another part of the process was first, and then that one is there.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|source| TargetError::Unreachable { doing: "preparing the client", source })?;
        let account = format!("{}/accounts/{}/workers", settings.api_url.trim_end_matches('/'), settings.account_id);
        Ok(Self { http, account, script: settings.script.clone(), token: Secret(settings.api_token.clone()) })
    }

    /// Says which files the next version has.
    pub(super) async fn begin(&self, files: &BTreeMap<String, Hashed>) -> Result<Session, TargetError> {
        let manifest: BTreeMap<String, &Hashed> = files.iter().map(|(path, file)| (format!("/{path}"), file)).collect();
        let url = format!("{}/scripts/{}/assets-upload-session", self.account, self.script);
        let request = self.http.post(url).bearer_auth(&self.token.0).json(&json!({ "manifest": manifest }));
        answered("beginning an upload", request).await
    }

    /// Sends files. The last upload of a session answers a token for [`Self::publish`].
    pub(super) async fn upload(
        &self,
        held: &Arc<Held>,
        session: &str,
        files: &[File],
    ) -> Result<Option<String>, TargetError> {
        let (still, files) = (Arc::clone(held), files.to_vec());
        let form = blocking(move || {
            let mut form = Form::new();
            for file in &files {
                let encoded = STANDARD.encode(still.read(&file.path)?);
                form.add(&file.hash, Some(&file.hash), media_type(&file.path), encoded.as_bytes());
            }
            Ok::<_, TargetError>(form)
        })
        .await?;
        let url = format!("{}/assets/upload?base64=true", self.account);
        let uploaded: Option<Uploaded> =
            answered("uploading", form.on(self.http.post(url).bearer_auth(session))).await?;
        Ok(uploaded.unwrap_or_default().jwt)
    }

    /// Makes the version that has the files of the session live.
    pub(super) async fn publish(&self, completion: &str) -> Result<(), TargetError> {
        let metadata = json!({
            "compatibility_date": COMPATIBILITY_DATE,
            "assets": {
                "jwt": completion,
                "config": {
                    "html_handling": "auto-trailing-slash",
                    "not_found_handling": "404-page",
                    "_headers": headers(),
                },
            },
        });
        let mut form = Form::new();
        form.add("metadata", None, "application/json", metadata.to_string().as_bytes());
        let url = format!("{}/scripts/{}", self.account, self.script);
        let published: Option<serde_json::Value> =
            answered("publishing", form.on(self.http.put(url).bearer_auth(&self.token.0))).await?;
        drop(published);
        Ok(())
    }
}

/// What is served otherwise than by default, which is to be asked for every time.
fn headers() -> String {
    let folders = ["", "tags/*/", "artists/*/"];
    let feeds =
        folders.iter().flat_map(|folder| FeedFormat::ALL.map(|format| format!("{folder}{}", format.file_name())));
    let paths = ["assets/*", "media/*"].map(str::to_owned).into_iter().chain(feeds);
    let rules: Vec<String> =
        paths.map(|path| format!("/{path}\n  Cache-Control: {}\n", cache_control(&path))).collect();
    rules.concat()
}

async fn answered<T: DeserializeOwned>(doing: &'static str, request: RequestBuilder) -> Result<T, TargetError> {
    let unreachable = |error: reqwest::Error| TargetError::Unreachable { doing, source: error.without_url() };
    let response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let text = response.text().await.map_err(unreachable)?;
    let start = || text.chars().take(SAID_CHARS).collect::<String>();
    if !status.is_success() {
        let flaws = serde_json::from_str::<Answer<serde_json::Value>>(&text).map(|answer| answer.errors);
        let said = flaws.ok().filter(|flaws| !flaws.is_empty()).map_or_else(start, |flaws| {
            let flaws: Vec<String> =
                flaws.iter().map(|Flaw { code, message }| format!("{message} (code {code})")).collect();
            flaws.join("; ")
        });
        let retry_after = retry_after.map(Duration::from_secs);
        return Err(TargetError::Refused { doing, status: status.as_u16(), said, retry_after });
    }
    let answer: Answer<T> = serde_json::from_str(&text).map_err(|_| TargetError::Answer { doing, said: start() })?;
    match answer.result {
        Some(result) => Ok(result),
        // Where nothing is as good as an empty answer, it is read as one.
        None => {
            serde_json::from_value(serde_json::Value::Null).map_err(|_| TargetError::Answer { doing, said: start() })
        }
    }
}

/// `multipart/form-data`.
struct Form {
    boundary: String,
    body: Vec<u8>,
}

impl Form {
    fn new() -> Self {
        Self { boundary: uuid::Uuid::now_v7().simple().to_string(), body: Vec::new() }
    }

    fn add(&mut self, name: &str, filename: Option<&str>, media_type: &str, content: &[u8]) {
        let filename = filename.map(|filename| format!("; filename=\"{filename}\"")).unwrap_or_default();
        let head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"{name}\"{filename}\r\nContent-Type: {media_type}\r\n\r\n",
            self.boundary
        );
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(content);
        self.body.extend_from_slice(b"\r\n");
    }

    fn on(mut self, request: RequestBuilder) -> RequestBuilder {
        self.body.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        let media_type = format!("multipart/form-data; boundary={}", self.boundary);
        request.header(CONTENT_TYPE, media_type).body(self.body)
    }
}
