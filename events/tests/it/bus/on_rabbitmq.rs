use std::time::Duration;

use atelier_e2e::{Broker, Database, until_within};
use atelier_events::Consumer;
use atelier_events::bus::{BusError, Message};
use lapin::options::{
    BasicGetOptions, BasicNackOptions, BasicPublishOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use tokio::time::timeout;

use super::{bus, positions, receive, stranger, take, uploads, with_broker};
use crate::eventually::eventually;

fn queue(broker: &Broker, consumer: Consumer) -> String {
    format!("{}.{consumer}", broker.settings.prefix)
}

/// How many messages of a queue wait to be given out.
async fn ready(channel: &Channel, queue: &str) -> anyhow::Result<u32> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare(queue.into(), passive, FieldTable::default()).await?;
    Ok(queue.message_count())
}

#[tokio::test]
async fn a_published_event_reaches_every_consumer_of_its_type_in_order_and_no_other() -> anyhow::Result<()> {
    with_broker(async |broker| {
        let database = Database::create().await?;
        let events = uploads(&database, 20).await?;
        let bus = bus(broker).await?;
        bus.publish(&events).await?;
        for consumer in [Consumer::Thumbnails, Consumer::Index] {
            let mut inbox = bus.inbox(consumer, 50).await?;
            assert_eq!(take(&mut inbox, events.len()).await?, positions(&events), "{consumer}");
        }
        let (_connection, channel) = stranger(broker).await?;
        for consumer in [Consumer::Generate, Consumer::Exports, Consumer::Sidecars, Consumer::Site] {
            assert_eq!(ready(&channel, &queue(broker, consumer)).await?, 0, "{consumer}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_delivered_event_reaches_its_consumer_alone() -> anyhow::Result<()> {
    with_broker(async |broker| {
        let database = Database::create().await?;
        let events = uploads(&database, 1).await?;
        let bus = bus(broker).await?;
        // Past the exchange: the export's queue is not bound to this type.
        bus.deliver(Consumer::Exports, &events).await?;
        let mut inbox = bus.inbox(Consumer::Exports, 1).await?;
        assert_eq!(take(&mut inbox, 1).await?, positions(&events));
        let (_connection, channel) = stranger(broker).await?;
        assert_eq!(ready(&channel, &queue(broker, Consumer::Thumbnails)).await?, 0);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_message_carries_the_event_whole_with_its_ids_schema_and_trace() -> anyhow::Result<()> {
    with_broker(async |broker| {
        let database = Database::create().await?;
        let mut events = uploads(&database, 1).await?;
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        events[0].traceparent = Some(traceparent.to_owned());
        bus(broker).await?.publish(&events).await?;
        let (_connection, channel) = stranger(broker).await?;
        let queue = queue(broker, Consumer::Thumbnails);
        let message = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await?;
        let message = message.ok_or_else(|| anyhow::anyhow!("nothing in the queue"))?;
        let carried: atelier_events::Recorded = serde_json::from_slice(&message.delivery.data)?;
        assert_eq!(carried, events[0]);
        let properties = &message.delivery.properties;
        let text = |value: &Option<lapin::types::ShortString>| value.as_ref().map(ToString::to_string);
        assert_eq!(text(properties.message_id()), Some(carried.id.to_string()));
        assert_eq!(text(properties.correlation_id()), Some(carried.correlation_id.to_string()));
        let header = properties.headers().as_ref().and_then(|headers| headers.inner().get("traceparent"));
        assert_eq!(header, Some(&AMQPValue::LongString(traceparent.into())));
        assert_eq!(text(properties.kind()).as_deref(), Some("variant.uploaded"));
        let schema = properties.headers().as_ref().and_then(|headers| headers.inner().get("schema"));
        assert_eq!(schema, Some(&AMQPValue::ShortInt(carried.schema)));
        assert_eq!(*properties.delivery_mode(), Some(2), "it would not survive the broker's restart");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_event_that_no_queue_wants_is_reported_and_arrives_at_the_next_attempt() -> anyhow::Result<()> {
    with_broker(async |broker| {
        let database = Database::create().await?;
        let events = uploads(&database, 1).await?;
        let bus = bus(broker).await?;
        let (_connection, channel) = stranger(broker).await?;
        for consumer in [Consumer::Thumbnails, Consumer::Index] {
            channel.queue_delete(queue(broker, consumer).into(), QueueDeleteOptions::default()).await?;
        }
        let refused = bus.publish(&events).await;
        assert!(
            matches!(&refused, Err(BusError::Unroutable { event_type }) if event_type == "variant.uploaded"),
            "{refused:?}"
        );
        bus.publish(&events).await?;
        let mut inbox = bus.inbox(Consumer::Thumbnails, 1).await?;
        assert_eq!(take(&mut inbox, 1).await?, positions(&events));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_event_of_a_newer_version_reaches_who_is_bound_to_its_type_and_holds_up_nobody() -> anyhow::Result<()> {
    with_broker(async |broker| {
        let database = Database::create().await?;
        let events = uploads(&database, 2).await?;
        let bus = bus(broker).await?;
        let mut mixed = events.clone();
        mixed[0].event_type = "dragon.hatched".to_owned();
        // Nobody is bound to it yet, and then the newer version's consumer is.
        bus.publish(&mixed).await?;
        let (_connection, channel) = stranger(broker).await?;
        let (name, exchange) = (queue(broker, Consumer::Exports), format!("{}.events", broker.settings.prefix));
        let options = QueueBindOptions::default();
        let bound =
            channel.queue_bind(name.into(), exchange.into(), "dragon.hatched".into(), options, FieldTable::default());
        bound.await?;
        bus.publish(&mixed).await?;
        let mut inbox = bus.inbox(Consumer::Exports, 1).await?;
        assert_eq!(take(&mut inbox, 1).await?, positions(&events[..1]));
        let mut inbox = bus.inbox(Consumer::Thumbnails, 1).await?;
        assert_eq!(take(&mut inbox, 2).await?, positions(&[events[1].clone(), events[1].clone()]));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_message_that_is_no_event_goes_to_the_dead_letters_and_blocks_nobody() -> anyhow::Result<()> {
    with_broker(async |broker| {
        let database = Database::create().await?;
        let events = uploads(&database, 1).await?;
        let bus = bus(broker).await?;
        let (_connection, channel) = stranger(broker).await?;
        let queue = queue(broker, Consumer::Thumbnails);
        for body in [b"\xff not JSON".as_slice(), b"{}", b""] {
            let options = BasicPublishOptions::default();
            let sent =
                channel.basic_publish("".into(), queue.as_str().into(), options, body, BasicProperties::default());
            sent.await?;
        }
        bus.publish(&events).await?;
        // One at a time: what is no event must not take up the place of what is.
        let mut inbox = bus.inbox(Consumer::Thumbnails, 1).await?;
        assert_eq!(take(&mut inbox, 1).await?, positions(&events));
        let dead = format!("{queue}.dead");
        // RabbitMQ dead-letters at least once; what its worker had no confirm of it sends again after three minutes.
        let patience = Duration::from_mins(7);
        until_within(patience, "three messages are dead letters", || async { Ok(ready(&channel, &dead).await? >= 3) })
            .await
    })
    .await
}

#[tokio::test]
async fn a_message_that_kills_its_consumer_again_and_again_becomes_a_dead_letter() -> anyhow::Result<()> {
    with_broker(async |broker| {
        let database = Database::create().await?;
        let events = uploads(&database, 1).await?;
        bus(broker).await?.publish(&events).await?;
        let (_connection, channel) = stranger(broker).await?;
        let queue = queue(broker, Consumer::Thumbnails);
        let dead = format!("{queue}.dead");
        let mut deliveries = 0;
        eventually("the message among the dead letters", async || {
            if let Some(message) = channel.basic_get(queue.as_str().into(), BasicGetOptions::default()).await? {
                deliveries += 1;
                let again = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
                message.delivery.acker.nack(again).await?;
            }
            Ok((ready(&channel, &dead).await? == 1).then_some(()))
        })
        .await?;
        assert!((10..=30).contains(&deliveries), "given up after {deliveries} deliveries");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn no_more_than_the_prefetch_lies_unacknowledged_at_a_consumer() -> anyhow::Result<()> {
    with_broker(async |broker| {
        let database = Database::create().await?;
        let events = uploads(&database, 10).await?;
        let bus = bus(broker).await?;
        bus.publish(&events).await?;
        let mut inbox = bus.inbox(Consumer::Thumbnails, 3).await?;
        let mut held = Vec::new();
        while held.len() < 3 {
            held.extend(receive(&mut inbox, 10).await?);
        }
        assert_eq!(held.len(), 3);
        let (_connection, channel) = stranger(broker).await?;
        assert_eq!(ready(&channel, &queue(broker, Consumer::Thumbnails)).await?, 7);
        let fourth = timeout(Duration::from_millis(100), inbox.receive(10)).await;
        assert!(fourth.is_err(), "a fourth message came");

        Message::ack_all(held).await;
        assert_eq!(take(&mut inbox, 7).await?, positions(&events)[3..]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_queue_that_was_deleted_is_declared_again_and_received_from() -> anyhow::Result<()> {
    with_broker(async |broker| {
        let database = Database::create().await?;
        let events = uploads(&database, 2).await?;
        let bus = bus(broker).await?;
        let mut inbox = bus.inbox(Consumer::Thumbnails, 5).await?;
        bus.publish(&events[..1]).await?;
        assert_eq!(take(&mut inbox, 1).await?, positions(&events[..1]));

        let (_connection, channel) = stranger(broker).await?;
        channel.basic_qos(1, BasicQosOptions::default()).await?;
        let queue = queue(broker, Consumer::Thumbnails);
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
        // Publishing to its binding is silent as long as another queue is bound; sent straight to it, it is not.
        let came = eventually("a message in a queue that is there again", async || {
            let (delivered, received) = tokio::join!(
                bus.deliver(Consumer::Thumbnails, &events[1..]),
                timeout(Duration::from_millis(200), take(&mut inbox, 1))
            );
            drop(delivered);
            received.ok().transpose()
        })
        .await?;
        assert_eq!(came, positions(&events[1..]));
        Ok(())
    })
    .await
}
