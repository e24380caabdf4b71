//! A job: who waits for an export is told over HTTP that it has ended, and where its ZIP is.

mod endpoint;

use std::time::Duration;

use anyhow::bail;
use atelier_events::export::{Completed, Export, ExportEvent, Failed};
use atelier_events::{Blobs, Consumer, Event, ExportId, Log};
use atelier_runtime::{Attempt, Job, Outcome};
use serde::Serialize;
use time::OffsetDateTime;

use self::endpoint::{Answer, Endpoint};
use crate::settings::WebhookSettings;

/// How long it costs no attempt that somebody asks to be told later.
const PATIENCE: Duration = Duration::from_hours(72);
/// The longest pause that is granted to who asks for one.
const LONGEST_PAUSE: Duration = Duration::from_hours(6);

/// Tells one address of all exports.
pub struct Webhooks {
    log: Log,
    blobs: Blobs,
    link_ttl: Duration,
    endpoint: Option<Endpoint>,
}

/// What is sent.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    event_type: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    timestamp: OffsetDateTime,
    data: Told<'a>,
}

/// The words are those of `GET /v1/exports/{id}`.
#[derive(Serialize)]
struct Told<'a> {
    id: ExportId,
    /// Who asked for it.
    owner: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    requested_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    finished_at: OffsetDateTime,
    #[serde(flatten)]
    end: End<'a>,
}

#[derive(Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum End<'a> {
    Completed {
        download_url: String,
        /// Until when the link is good.
        #[serde(with = "time::serde::rfc3339")]
        expires_at: OffsetDateTime,
        #[serde(with = "time::serde::rfc3339::option")]
        kept_until: Option<OffsetDateTime>,
        sha256: &'a str,
        length: u64,
        pictures: u64,
        /// The list itself may be long; the API has it.
        missing_count: usize,
    },
    Failed {
        error: &'a str,
    },
}

impl Webhooks {
    /// A job that reads this log, and signs links to this bucket. An error says what is wrong with the settings.
    pub fn new(log: Log, blobs: Blobs, settings: &WebhookSettings) -> anyhow::Result<Self> {
        Ok(Self { log, blobs, link_ttl: settings.link_ttl()?, endpoint: Endpoint::of(settings)? })
    }

    /// None: there is nothing to be downloaded any more.
    async fn completed<'a>(&self, completed: &'a Completed) -> anyhow::Result<Option<End<'a>>> {
        let mut ttl = self.link_ttl;
        if let Some(until) = completed.kept_until {
            // Rounded down to a whole second, which a link that is signed needs one of.
            let left = Duration::from_secs((until - OffsetDateTime::now_utc()).whole_seconds().try_into().unwrap_or(0));
            if left.is_zero() {
                let export_id = completed.export_id;
                tracing::warn!(export.id = %export_id, "the time of the ZIP was over before anybody could be told of it");
                return Ok(None);
            }
            ttl = ttl.min(left);
        }
        let name = format!("atelier-{}.zip", completed.export_id);
        let signed = self.blobs.presign_get(&completed.archive.key, Some(&name), ttl).await?;
        Ok(Some(End::Completed {
            download_url: signed.url,
            expires_at: signed.expires_at,
            kept_until: completed.kept_until,
            sha256: &completed.archive.sha256,
            length: completed.archive.length,
            pictures: completed.pictures,
            missing_count: completed.missing.len(),
        }))
    }
}

impl Job for Webhooks {
    const CONSUMER: Consumer = Consumer::Webhooks;

    async fn run(&self, attempt: &Attempt) -> anyhow::Result<Outcome> {
        let nothing = || Ok(Outcome::Completed(Vec::new()));
        let Some(endpoint) = &self.endpoint else { return nothing() };
        let event = &attempt.event;
        let events = self.log.read_stream(&event.stream).await?;
        let requested = events.first().ok_or_else(|| anyhow::anyhow!("{} is empty", event.stream))?;
        let told = event.event()?;
        let (id, end) = match &told {
            Event::Export(ExportEvent::Completed(completed)) => {
                let Some(end) = self.completed(completed).await? else { return nothing() };
                (completed.export_id, end)
            }
            Event::Export(ExportEvent::Failed(Failed { export_id, error })) => {
                // It may have been requeued and be completed after all, and that is told by itself.
                let mut known = events.iter().filter(|event| event.is_known());
                let Some(Export::Failed(_)) = known.try_fold(None, Export::fold)? else { return nothing() };
                (*export_id, End::Failed { error })
            }
            _ => return Ok(Outcome::Discarded(format!("nobody is told of {}", event.event_type))),
        };
        let data = Told {
            id,
            owner: &requested.actor,
            requested_at: requested.occurred_at,
            finished_at: event.occurred_at,
            end,
        };
        let message = Message { event_type: &event.event_type, timestamp: event.occurred_at, data };
        match endpoint.tell(event.id, serde_json::to_vec(&message)?).await? {
            Answer::Taken => nothing(),
            Answer::Gone => {
                tracing::warn!(export.id = %id, "exports.webhook.url answers that it is gone (410): it is not told of this export");
                nothing()
            }
            Answer::Later(_) if event.age() > PATIENCE => {
                bail!("exports.webhook.url asks for patience, and that for three days: from now on it costs attempts")
            }
            Answer::Later(pause) => Ok(Outcome::Snoozed(pause.clamp(Duration::from_secs(1), LONGEST_PAUSE))),
        }
    }
}
