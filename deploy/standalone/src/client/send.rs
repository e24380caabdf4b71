//! One request, sent until it is answered.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response, StatusCode};

use super::refused::Refused;

/// How often a request is sent at the most.
pub const ATTEMPTS: u32 = 8;

const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest pause, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Sends what `build` makes, again while the server is not there or too busy. Answers a success; an answer that is none
/// is a [`Refused`].
pub(super) async fn patiently(build: impl Fn() -> std::io::Result<RequestBuilder>) -> anyhow::Result<Response> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        let wanted = match build()?.send().await {
            Ok(response) if response.status().is_success() => return Ok(response),
            Ok(response) if is_busy(response.status()) => retry_after(&response),
            Ok(response) => return Err(Refused::of(response).await.into()),
            Err(error) if error.is_connect() => None,
            Err(error) => return Err(error.into()),
        };
        tokio::time::sleep(wanted.unwrap_or(pause).min(LONGEST_PAUSE)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    let response = build()?.send().await?;
    if response.status().is_success() { Ok(response) } else { Err(Refused::of(response).await.into()) }
}

fn is_busy(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// What the server asks for; a date instead of seconds is not understood, and the growing pause does as well.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}
