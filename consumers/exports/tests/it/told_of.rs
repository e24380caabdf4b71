//! Who is told that an export has ended.

use std::time::Duration;

use anyhow::Context as _;
use atelier_e2e::hook::{Hook, Said, Told};
use atelier_events::export::{Completed, ExportEvent, Failed, Selection};
use atelier_events::{Consumer, Event, ExportId, Position, Recorded, keys};
use atelier_exports::{WebhookSettings, Webhooks};
use atelier_runtime::{Attempt, Job as _, Outcome};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::story::Story;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Whom to tell, at this address.
fn at(url: &str) -> WebhookSettings {
    WebhookSettings { url: url.to_owned(), secret: SECRET.to_owned(), ..WebhookSettings::default() }
}

/// An export that was asked for, and how it ended.
async fn ended(story: &Story, end: impl FnOnce(ExportId) -> ExportEvent) -> anyhow::Result<Recorded> {
    let requested = story.request(Selection::All(Position(0))).await?;
    let Event::Export(ExportEvent::Requested(asked)) = requested.event()? else { anyhow::bail!("{requested:?}") };
    story.tell(requested.stream.clone(), vec![Event::Export(end(asked.export_id))]).await?;
    story.log.read_stream(&requested.stream).await?.pop().context("the stream is empty")
}

async fn completed(story: &Story, kept_until: Option<OffsetDateTime>) -> anyhow::Result<Recorded> {
    let key = keys::export(ExportId::new());
    let archive = story.bucket.blobs.put(&key, "the ZIP".into(), "application/zip").await?;
    let end = |export_id| {
        let missing = Vec::new();
        ExportEvent::Completed(Completed { export_id, archive, pictures: 3, missing, contents: None, kept_until })
    };
    ended(story, end).await
}

async fn failed(story: &Story) -> anyhow::Result<Recorded> {
    ended(story, |export_id| ExportEvent::Failed(Failed { export_id, error: "nothing to export".to_owned() })).await
}

async fn tell(story: &Story, settings: &WebhookSettings, event: &Recorded) -> anyhow::Result<Outcome> {
    let job = Webhooks::new(story.log.clone(), story.bucket.blobs.clone(), settings)?;
    job.run(&Attempt::first(event.clone())).await
}

/// What a message says, once it is proven that who knows the secret has sent it.
fn proven(told: &Told) -> anyhow::Result<Value> {
    let key = STANDARD.decode(SECRET.trim_start_matches("whsec_"))?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let (id, at) = (told.header("webhook-id"), told.header("webhook-timestamp"));
    let signature = told.header("webhook-signature").strip_prefix("v1,").context("no signature of the first kind")?;
    let signed = [format!("{id}.{at}.").as_bytes(), &told.body].concat();
    hmac::verify(&key, &signed, &STANDARD.decode(signature)?).ok().context("the signature is another's")?;
    let age = OffsetDateTime::now_utc().unix_timestamp() - at.parse::<i64>()?;
    anyhow::ensure!((0..60).contains(&age), "signed {age} s ago");
    Ok(serde_json::from_slice(&told.body)?)
}

fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Completed(writes) if writes.is_empty())
}

#[tokio::test]
async fn who_waits_is_told_where_the_zip_is_and_can_be_sure_who_says_so() -> anyhow::Result<()> {
    let (story, hook) = (Story::begin().await?, Hook::start([]).await?);
    let until = OffsetDateTime::now_utc().replace_nanosecond(0)? + Duration::from_hours(5);
    let event = completed(&story, Some(until)).await?;
    assert!(Consumer::Webhooks.event_types().contains(&event.event_type.as_str()));
    let outcome = tell(&story, &at(&hook.url), &event).await?;
    assert!(is_done(&outcome), "{outcome:?}");

    let told = hook.told();
    let [told] = told.as_slice() else { anyhow::bail!("{told:?}") };
    assert_eq!((told.method.as_str(), told.header("content-type")), ("POST", "application/json"));
    assert_eq!(told.header("webhook-id"), event.id.to_string());
    let mut message = proven(told)?;
    let data = message["data"].as_object_mut().context("it says nothing")?;
    let link = data.remove("download_url").context("no link")?;
    let good_until = OffsetDateTime::parse(data["expires_at"].as_str().unwrap_or_default(), &Rfc3339)?;
    assert!(good_until <= until && good_until > until - Duration::from_secs(5), "{good_until}, and it is kept {until}");
    data.remove("expires_at");
    let requested = &story.log.read_stream(&event.stream).await?[0];
    let Event::Export(ExportEvent::Completed(completed)) = event.event()? else { anyhow::bail!("{event:?}") };
    assert_eq!(
        message,
        json!({
            "type": "export.completed",
            "timestamp": event.occurred_at.format(&Rfc3339)?,
            "data": {
                "id": completed.export_id,
                "state": "completed",
                "owner": requested.actor,
                "requested_at": requested.occurred_at.format(&Rfc3339)?,
                "finished_at": event.occurred_at.format(&Rfc3339)?,
                "kept_until": until.format(&Rfc3339)?,
                "sha256": completed.archive.sha256,
                "length": 7,
                "pictures": 3,
                "missing_count": 0,
            },
        })
    );
    let zip = reqwest::get(link.as_str().context("the link is none")?).await?.error_for_status()?;
    assert_eq!(zip.bytes().await?, "the ZIP");
    Ok(())
}

#[tokio::test]
async fn a_link_is_good_for_no_longer_than_a_store_takes_one_and_none_leads_to_a_zip_that_is_gone() -> anyhow::Result<()>
{
    let (story, hook) = (Story::begin().await?, Hook::start([]).await?);
    tell(&story, &at(&hook.url), &completed(&story, None).await?).await?;
    let message = proven(hook.told().first().context("nobody was told")?)?;
    let good_until = OffsetDateTime::parse(message["data"]["expires_at"].as_str().unwrap_or_default(), &Rfc3339)?;
    let off = good_until - OffsetDateTime::now_utc() - Duration::from_hours(7 * 24);
    assert!(off.abs() < Duration::from_secs(10), "off by {off}");
    assert_eq!(message["data"]["kept_until"], Value::Null);

    let over = completed(&story, Some(OffsetDateTime::now_utc())).await?;
    assert!(is_done(&tell(&story, &at(&hook.url), &over).await?));
    assert_eq!(hook.told().len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_export_that_failed_is_told_of_with_the_reason_unless_it_is_completed_since() -> anyhow::Result<()> {
    let (story, hook) = (Story::begin().await?, Hook::start([]).await?);
    let event = failed(&story).await?;
    assert!(Consumer::Webhooks.event_types().contains(&event.event_type.as_str()));
    assert!(is_done(&tell(&story, &at(&hook.url), &event).await?));
    let message = proven(hook.told().first().context("nobody was told")?)?;
    assert_eq!(message["type"], "export.failed");
    assert_eq!((&message["data"]["state"], &message["data"]["error"]), (&json!("failed"), &json!("nothing to export")));

    let Event::Export(ExportEvent::Failed(Failed { export_id, .. })) = event.event()? else {
        anyhow::bail!("{event:?}")
    };
    let archive = story.bucket.blobs.put(&keys::export(export_id), "the ZIP".into(), "application/zip").await?;
    let (missing, contents, kept_until) = (Vec::new(), None, None);
    let since = Completed { export_id, archive, pictures: 1, missing, contents, kept_until };
    story.tell(event.stream.clone(), vec![Event::Export(ExportEvent::Completed(since))]).await?;
    assert!(is_done(&tell(&story, &at(&hook.url), &event).await?));
    assert_eq!(hook.told().len(), 1, "what is not so any more was told");
    Ok(())
}

#[tokio::test]
async fn whoever_cannot_be_told_now_is_told_later_as_they_ask_and_with_the_same_id() -> anyhow::Result<()> {
    let wait = |status, header: &'static str| Said { status, header: Some(("retry-after", header)), body: "" };
    let moved = Said { status: 307, header: Some(("location", "/told/?token=pass1234")), body: "" };
    let broken = Said { status: 404, header: None, body: "cannot POST /told?token=pass1234" };
    // A day in words is not understood; the pauses of the policy do as well.
    let in_words = wait(503, "Wed, 21 Oct 2026 07:28:00 GMT");
    let answers = [wait(429, "7"), wait(503, "99999999"), wait(503, "0"), in_words, moved, broken, Said::status(410)];
    let (story, hook) = (Story::begin().await?, Hook::start(answers).await?);
    let (settings, event) = (at(&hook.url), completed(&story, None).await?);
    for seconds in [7, 6 * 3600, 1] {
        let outcome = tell(&story, &settings, &event).await?;
        assert!(matches!(outcome, Outcome::Snoozed(pause) if pause.as_secs() == seconds), "{outcome:?} for {seconds}");
    }
    for expected in ["answers 503", "leads on to http://127.0.0.1 (307", "answers 404"] {
        let Err(error) = tell(&story, &settings, &event).await else { anyhow::bail!("it was told") };
        let error = format!("{error:#}");
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("pass1234"), "{error}");
    }
    // Who is gone is not told; who is back is.
    assert!(is_done(&tell(&story, &settings, &event).await?));
    assert!(is_done(&tell(&story, &settings, &event).await?));
    let told = hook.told();
    assert_eq!(told.len(), 8);
    for told in told {
        assert_eq!(told.header("webhook-id"), event.id.to_string());
        proven(&told)?;
    }

    // After three days, patience costs attempts; who takes it then is told all the same.
    let hook = Hook::start([wait(429, "7")]).await?;
    let mut old = event.clone();
    old.occurred_at -= Duration::from_hours(73);
    let Err(error) = tell(&story, &at(&hook.url), &old).await else { anyhow::bail!("it costs nothing") };
    assert!(format!("{error:#}").contains("asks for patience"), "{error:#}");
    assert!(is_done(&tell(&story, &at(&hook.url), &old).await?));
    Ok(())
}

#[tokio::test]
async fn what_a_newer_version_says_of_an_export_is_in_nobody_s_way() -> anyhow::Result<()> {
    let (story, hook) = (Story::begin().await?, Hook::start([]).await?);
    for event in [failed(&story).await?, completed(&story, None).await?] {
        atelier_e2e::append_newer(&story.database.pool, &event.stream, "export.checked", 1).await?;
        assert!(is_done(&tell(&story, &at(&hook.url), &event).await?));
    }
    assert_eq!(hook.told().len(), 2);
    Ok(())
}

#[tokio::test]
async fn where_nobody_is_told_nothing_is_sent_and_where_nobody_listens_the_error_names_no_password()
-> anyhow::Result<()> {
    let story = Story::begin().await?;
    let event = completed(&story, None).await?;
    assert!(is_done(&tell(&story, &WebhookSettings::default(), &event).await?));
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let settings = at(&format!("http://ann:pass1234@127.0.0.1:{port}/told?token=pass1234"));
    let Err(error) = tell(&story, &settings, &event).await else { anyhow::bail!("it was told") };
    let error = format!("{error:#}");
    assert!(error.starts_with("exports.webhook.url cannot be told: "), "{error}");
    assert!(!error.contains("pass1234"), "{error}");
    assert!(!format!("{settings:?}").contains("pass1234"));
    Ok(())
}

#[tokio::test]
async fn settings_that_tell_nobody_are_refused_when_the_daemon_starts() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    let bytes = |count| format!("whsec_{}", STANDARD.encode(vec![7_u8; count]));
    for (change, expected) in [
        (WebhookSettings { url: "example.org/told".to_owned(), ..at("") }, "exports.webhook.url is no address"),
        (at("ftp://example.org/told"), "exports.webhook.url begins with \"ftp\"; it must be http or https"),
        (WebhookSettings { secret: String::new(), ..at("https://example.org") }, "it does not begin so"),
        (WebhookSettings { secret: "whsec_?".to_owned(), ..at("https://example.org") }, "what follows is no base64"),
        (WebhookSettings { secret: bytes(23), ..at("https://example.org") }, "it has 23 bytes"),
        (WebhookSettings { secret: bytes(65), ..at("https://example.org") }, "it has 65 bytes"),
        (
            WebhookSettings { link_ttl_s: 0, ..at("https://example.org") },
            "link_ttl_s is 0; it must be from 1 to 604800",
        ),
        (WebhookSettings { link_ttl_s: 604_801, ..at("https://example.org") }, "link_ttl_s is 604801"),
    ] {
        let refused = Webhooks::new(story.log.clone(), story.bucket.blobs.clone(), &change).err();
        let error = format!("{:#}", refused.with_context(|| format!("taken, and not: {expected}"))?);
        assert!(error.contains(expected), "{error}");
    }
    for count in [24, 64] {
        let change = WebhookSettings { secret: bytes(count), ..at("https://example.org") };
        Webhooks::new(story.log.clone(), story.bucket.blobs.clone(), &change)?;
    }
    Ok(())
}
