//! Serves the sample in a theme. Every page is made when it is asked for, from the theme as it is then: what was saved a moment
//! ago is seen by loading the page again.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use atelier_events::lifecycle::shutdown_signal;
use atelier_site::check::site;
use atelier_site::gallery::Artwork;
use atelier_site::pages::{File, media_path};
use atelier_site::sample;
use atelier_site::settings::SiteSettings;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::net::TcpListener;

/// What does not change while the theme does.
struct Sample {
    settings: SiteSettings,
    works: Vec<Arc<Artwork>>,
    pictures: HashMap<String, Bytes>,
}

/// Serves until SIGINT or SIGTERM.
pub(super) async fn run(mut settings: SiteSettings, listen: SocketAddr) -> anyhow::Result<ExitCode> {
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen at {listen} (--listen)"))?;
    let url = format!("http://{}", listener.local_addr()?);
    writeln!(atelier_runtime::output(), "{url}/ shows the theme until Ctrl-C")?;
    settings.base_url = url;
    let shutdown = shutdown_signal()?;
    axum::serve(listener, router(settings)).with_graceful_shutdown(shutdown.cancelled_owned()).await?;
    Ok(ExitCode::SUCCESS)
}

fn router(settings: SiteSettings) -> Router {
    let (works, pictures) = sample::gallery();
    let works = works.into_iter().map(Arc::new).collect();
    let pictures = pictures.into_iter().map(|(image, bytes)| (media_path(&image.key), bytes.into())).collect();
    Router::new().fallback(answer).with_state(Arc::new(Sample { settings, works, pictures }))
}

async fn answer(State(sample): State<Arc<Sample>>, uri: Uri) -> Response {
    let mut path = uri.path().trim_start_matches('/').to_owned();
    if path.is_empty() || path.ends_with('/') {
        path.push_str("index.html");
    }
    let made = tokio::task::spawn_blocking(move || sample.file(&path)).await.map_err(anyhow::Error::from);
    match made.and_then(|made| made) {
        Ok((status, media_type, bytes)) => {
            let headers = [(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "no-store")];
            (status, headers, bytes).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")).into_response(),
    }
}

impl Sample {
    fn file(&self, path: &str) -> anyhow::Result<(StatusCode, &'static str, Bytes)> {
        if let Some(picture) = self.pictures.get(path) {
            return Ok((StatusCode::OK, media_type(path), picture.clone()));
        }
        let site = site(self.settings.clone().into_meta(), self.settings.theme()?, self.works.iter().cloned())?;
        // Tags' pages have names that links encode.
        let asked = percent_decoded(path);
        let found = site.files().into_iter().find(|file| site.path(*file) == asked);
        let (status, file) = found.map_or((StatusCode::NOT_FOUND, File::NotFound), |file| (StatusCode::OK, file));
        let page = site.render(file)?;
        Ok((status, media_type(&page.path), page.bytes.into()))
    }
}

fn percent_decoded(path: &str) -> String {
    let mut parts = path.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(&part.as_bytes()[2..]);
            }
            None => bytes.extend(part.as_bytes()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn media_type(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "xml" => "application/xml",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
