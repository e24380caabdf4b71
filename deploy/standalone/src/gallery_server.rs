//! Serves the deployed gallery as any static web server would.

use std::path::Path;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::services::{ServeDir, ServeFile};

/// Names under these folders carry a digest or an id of their content: what they hold never changes.
const IMMUTABLE: [&str; 2] = ["/assets/", "/media/"];

/// Serves the folder, through its link, until shutdown.
pub async fn serve(listener: TcpListener, site: &Path, shutdown: CancellationToken) -> anyhow::Result<()> {
    let not_found = ServeFile::new(site.join("404.html"));
    let files =
        Router::new().fallback_service(ServeDir::new(site).not_found_service(not_found)).layer(from_fn(cache_headers));
    axum::serve(listener, files).with_graceful_shutdown(shutdown.cancelled_owned()).await?;
    Ok(())
}

async fn cache_headers(request: Request, next: Next) -> Response {
    let immutable = IMMUTABLE.iter().any(|folder| request.uri().path().starts_with(folder));
    let mut response = next.run(request).await;
    if response.status().is_success() {
        let value =
            if immutable { "public, max-age=31536000, immutable" } else { "public, max-age=0, must-revalidate" };
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
    }
    response
}
