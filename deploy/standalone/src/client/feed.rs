//! Events as the API sends them (server-sent events), resumed where a connection broke off.

use std::time::Duration;

use anyhow::Context;
use atelier_events::{Position, Recorded};
use reqwest::{Method, Response};

use super::{Client, send};

/// The API says something every 15 seconds; a line that is silent for three times as long is dead.
const SILENCE: Duration = Duration::from_secs(45);

/// Before a connection that broke off is made again.
const PAUSE: Duration = Duration::from_millis(200);

/// The longest event: far above what one can be, so that what is no event stream does not fill the memory.
const LONGEST_EVENT: usize = 16 * 1024 * 1024;

/// Events after a position, in log order.
#[derive(Debug)]
pub struct Feed {
    client: Client,
    after: Position,
    response: Option<Response>,
    /// What came and is not a whole event yet.
    received: Vec<u8>,
}

impl Feed {
    pub(super) fn new(client: Client, after: Position) -> Self {
        Self { client, after, response: None, received: Vec::new() }
    }

    /// The next event. Waits for it without end; an error only when the API cannot be reached again or makes no sense.
    pub async fn next(&mut self) -> anyhow::Result<Recorded> {
        loop {
            if let Some(block) = self.block() {
                if let Some(event) = parse(&block)? {
                    self.after = event.position;
                    return Ok(event);
                }
                continue;
            }
            anyhow::ensure!(self.received.len() < LONGEST_EVENT, "the API sent an event without end");
            let response = match &mut self.response {
                Some(response) => response,
                None => self.response.insert(connect(&self.client, self.after).await?),
            };
            if let Ok(Ok(Some(bytes))) = tokio::time::timeout(SILENCE, response.chunk()).await {
                self.received.extend_from_slice(&bytes);
            } else {
                // Over, broken or silent: what was not whole is sent again after the last position.
                self.response = None;
                self.received.clear();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Takes the lines up to the next empty one.
    fn block(&mut self) -> Option<Vec<u8>> {
        let end = self.received.windows(2).position(|pair| pair == b"\n\n")?;
        Some(self.received.drain(..end + 2).collect())
    }
}

async fn connect(client: &Client, after: Position) -> anyhow::Result<Response> {
    let path = format!("/v1/events?after={after}");
    send::patiently(|| Ok(client.request(Method::GET, &path))).await.with_context(|| format!("GET {path}"))
}

/// None for a heartbeat, which is a comment.
fn parse(block: &[u8]) -> anyhow::Result<Option<Recorded>> {
    let text = std::str::from_utf8(block).context("the API sent an event that is not UTF-8")?;
    let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
    if data.is_empty() {
        return Ok(None);
    }
    serde_json::from_str(&data.join("\n")).map(Some).context("the API sent an event that cannot be read")
}
