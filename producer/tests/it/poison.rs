//! What no consumer can take is kept where operators look, and the broker's queues are empty.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use atelier_e2e::{Broker, queues, until_within};
use atelier_events::bus::{Bus, RabbitBus};
use atelier_events::{Consumer, jobs, poison};
use atelier_producer::relay;
use atelier_producer::settings::RelaySettings;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::studio::{Studio, answer, pointers, problem};

/// RabbitMQ dead-letters at least once; what its worker could not place at once it tries again after three minutes.
const PATIENCE: Duration = Duration::from_mins(7);
const TRIED_AGAIN: Duration = Duration::from_mins(3);

/// How often messages may have been counted that were sent so many times since then: exactly so often while the broker has
/// tried none again, which it does once within our patience.
fn counted(sent: i64, since: Instant) -> RangeInclusive<i64> {
    if since.elapsed() < TRIED_AGAIN { sent..=sent } else { sent..=2 * sent }
}

async fn stranger(broker: &Broker) -> anyhow::Result<(Connection, Channel)> {
    let connection = Connection::connect(&broker.settings.url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

/// Puts a message into a consumer's queue, past everything.
async fn send(channel: &Channel, broker: &Broker, consumer: Consumer, body: &[u8]) -> anyhow::Result<()> {
    let queue = format!("{}.{consumer}", broker.settings.prefix);
    let mut headers = FieldTable::default();
    headers.insert("from".into(), AMQPValue::LongString("a \0 stranger".into()));
    let properties = BasicProperties::default().with_content_type("text/plain".into()).with_headers(headers);
    channel.basic_publish("".into(), queue.into(), BasicPublishOptions::default(), body, properties).await?.await?;
    Ok(())
}

fn start(studio: &Studio, bus: &Arc<dyn Bus>) -> (JoinHandle<anyhow::Result<()>>, CancellationToken) {
    let shutdown = CancellationToken::new();
    // A relay that lost its lease would be handed once more what it had kept and not yet acknowledged, and count it again.
    let settings = RelaySettings { lease_ttl_ms: 60_000, poll_interval_ms: 50, ..RelaySettings::default() };
    (tokio::spawn(relay::run(studio.log.clone(), Arc::clone(bus), settings, shutdown.clone())), shutdown)
}

async fn kept(studio: &Studio, count: usize) -> anyhow::Result<()> {
    until_within(PATIENCE, "the messages are kept", || async {
        Ok(poison::list(studio.log.pool(), &poison::Filter::default(), 100).await?.len() == count)
    })
    .await
}

/// A studio over a broker on which a relay leads and a consumer reads, until the test is over.
async fn poisoned(test: impl AsyncFnOnce(&Studio, &Broker, &Channel) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let broker = Broker::scratch();
    let bus: Arc<dyn Bus> = Arc::new(RabbitBus::connect(&broker.settings).await?);
    let result = async {
        let mut inbox = bus.inbox(Consumer::Thumbnails, 10).await?;
        let reading = tokio::spawn(async move {
            loop {
                drop(inbox.receive(10).await);
            }
        });
        let (relay, shutdown) = start(&studio, &bus);
        let (_connection, channel) = stranger(&broker).await?;
        let result = test(&studio, &broker, &channel).await;
        reading.abort();
        shutdown.cancel();
        relay.await??;
        result
    }
    .await;
    broker.delete().await?;
    result
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_no_event_are_listed_shown_counted_and_purged() -> anyhow::Result<()> {
    poisoned(async |studio, broker, channel| {
        let (huge, began) = (vec![b'x'; poison::BODY_LIMIT + 1], Instant::now());
        for body in [b"\xff\0 not JSON".as_slice(), b"{}", &huge] {
            send(channel, broker, Consumer::Thumbnails, body).await?;
        }
        kept(studio, 3).await?;
        until_within(PATIENCE, "the broker's queues are empty", || async {
            Ok(queues::waiting(&broker.settings).await?.values().all(|waiting| *waiting == 0))
        })
        .await?;

        let listed = studio.get("/v1/poison-messages?consumer=thumbnails&error=NOT%20an%20event").await?;
        let items = listed["items"].as_array().context("items")?;
        assert_eq!(items.len(), 3, "{listed}");
        let binary = items.iter().find(|item| item["body_bytes"] == 11).context("the binary one")?;
        assert_eq!(binary["reason"], "rejected");
        assert!(binary["times"].as_i64().is_some_and(|times| counted(1, began).contains(&times)), "{binary}");
        assert_eq!(binary["properties"]["content_type"], "text/plain");
        assert_eq!(binary["headers"]["from"], "a \u{fffd} stranger");
        assert_eq!(binary["headers"]["x-death"][0]["reason"], "rejected");
        let shown = studio.get(&format!("/v1/poison-messages/{}", binary["id"])).await?;
        assert_eq!(shown["body"], BASE64_STANDARD.encode(b"\xff\0 not JSON"));
        assert_eq!(shown["body_is_whole"], true);
        let large = items.iter().find(|item| item["body_bytes"] == huge.len()).context("the large one")?;
        let shown = studio.get(&format!("/v1/poison-messages/{}", large["id"])).await?;
        assert_eq!(shown["body_is_whole"], false);
        let counts = poison::count(studio.log.pool()).await?;
        let counted: Vec<_> = counts.iter().filter(|count| count.messages > 0).collect();
        assert_eq!(
            counted.iter().map(|count| (count.consumer.as_str(), count.messages)).collect::<Vec<_>>(),
            [("thumbnails", 3)]
        );

        let purged = purge(studio, &json!({ "ids": [binary["id"]] })).await?;
        assert_eq!(purged, json!({ "messages": [binary["id"]], "more": false }));
        problem(studio.ann(Method::GET, &format!("/v1/poison-messages/{}", binary["id"])).send().await?, 404).await?;
        assert_eq!(purge(studio, &json!({ "all": true })).await?["messages"].as_array().map(Vec::len), Some(2));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_sends_the_same_again_and_again_takes_one_row() -> anyhow::Result<()> {
    poisoned(async |studio, broker, channel| {
        let began = Instant::now();
        for _ in 0..5 {
            send(channel, broker, Consumer::Thumbnails, b"the same").await?;
        }
        until_within(PATIENCE, "all five have come", || async {
            let found = poison::list(studio.log.pool(), &poison::Filter::default(), 10).await?;
            Ok(found.iter().map(|message| message.times).sum::<i64>() >= 5)
        })
        .await?;
        until_within(PATIENCE, "the broker's queues are empty", || async {
            Ok(queues::waiting(&broker.settings).await?.values().all(|waiting| *waiting == 0))
        })
        .await?;
        let found = poison::list(studio.log.pool(), &poison::Filter::default(), 10).await?;
        let times: Vec<i64> = found.iter().map(|message| message.times).collect();
        assert!(matches!(times[..], [times] if counted(5, began).contains(&times)), "{times:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_message_the_broker_gave_up_is_kept_and_its_job_goes_on() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let broker = Broker::scratch();
    let bus: Arc<dyn Bus> = Arc::new(RabbitBus::connect(&broker.settings).await?);
    let result = async {
        let (relay, shutdown) = start(&studio, &bus);
        studio.post("/v1/generations", &json!({ "prompt": "x" })).await?;
        let (_connection, channel) = stranger(&broker).await?;
        let queue = format!("{}.generate", broker.settings.prefix);
        until_within(PATIENCE, "the message is kept", || async {
            // As a consumer that takes it and dies.
            let got = channel.basic_get(queue.as_str().into(), lapin::options::BasicGetOptions::default()).await?;
            if let Some(message) = got {
                let again = lapin::options::BasicNackOptions { requeue: true, ..Default::default() };
                message.delivery.acker.nack(again).await?;
            }
            Ok(!poison::list(studio.log.pool(), &poison::Filter::default(), 1).await?.is_empty())
        })
        .await?;
        let message = poison::list(studio.log.pool(), &poison::Filter::default(), 1).await?.remove(0);
        assert_eq!((message.reason.as_str(), message.position.map(|at| at.0)), ("delivery_limit", Some(2)));
        assert!(message.error.contains("its job does not depend on the message"), "{}", message.error);
        let claimed = jobs::claim(studio.log.pool(), Consumer::Generate, 1, "worker", 60_000).await?;
        assert_eq!(claimed.len(), 1);
        shutdown.cancel();
        relay.await?
    }
    .await;
    broker.delete().await?;
    result
}

async fn purge(studio: &Studio, order: &Value) -> anyhow::Result<Value> {
    let response = studio.ann(Method::POST, "/v1/poison-messages/purge").json(order).send().await?;
    answer(response, StatusCode::OK).await
}

#[tokio::test]
async fn a_purge_of_nothing_in_particular_and_filters_that_match_nothing_are_refused() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let refused = studio.refused("/v1/poison-messages/purge", &json!({}), 400).await?;
    assert_eq!(pointers(&refused), ["/all"]);
    let odd = json!({ "consumer": "paint", "since": "yesterday", "ids": vec![1; 1_001] });
    let refused = studio.refused("/v1/poison-messages/purge", &odd, 400).await?;
    assert_eq!(pointers(&refused), ["/consumer", "/ids", "/since"]);
    let refused = studio.ann(Method::GET, "/v1/poison-messages?consumer=paint&since=x&limit=0").send().await?;
    assert_eq!(pointers(&problem(refused, 400).await?), ["consumer", "limit", "since"]);
    for id in ["0", "x"] {
        problem(studio.ann(Method::GET, &format!("/v1/poison-messages/{id}")).send().await?, 404).await?;
    }
    Ok(())
}
