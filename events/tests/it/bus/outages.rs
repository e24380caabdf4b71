use std::time::Duration;

use atelier_e2e::Database;
use atelier_events::Consumer;
use atelier_events::bus::{Bus, BusError, Message, RabbitBus};
use atelier_events::settings::BusSettings;
use tokio::time::timeout;

use super::{bus, positions, receive, take, uploads, with_broker};
use crate::eventually::eventually;
use crate::line::Proxy;

#[tokio::test]
async fn an_inbox_reconnects_and_what_was_not_acknowledged_comes_again() -> anyhow::Result<()> {
    with_broker(async |broker| {
        let database = Database::create().await?;
        let events = uploads(&database, 3).await?;
        let proxy = Proxy::start(&broker.settings, Duration::ZERO).await?;
        let far = RabbitBus::connect(&proxy.settings).await?;
        let near = bus(broker).await?;
        near.publish(&events[..2]).await?;

        let mut inbox = far.inbox(Consumer::Thumbnails, 1).await?;
        let first = receive(&mut inbox, 1).await?;
        assert_eq!(first[0].position, events[0].position);
        proxy.cut();
        Message::ack_all(first).await;
        assert_eq!(take(&mut inbox, 2).await?, positions(&events[..2]));
        proxy.cut();
        near.publish(&events[2..]).await?;
        // An acknowledgement may have been cut off, so what was taken may come once more before what is new.
        let mut came = take(&mut inbox, 1).await?;
        while came.last() != positions(&events[2..]).last() {
            came.extend(take(&mut inbox, 1).await?);
        }
        assert!(came.len() <= 3, "{came:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_inbox_over_a_slow_line_opens_though_it_is_asked_in_short_turns() -> anyhow::Result<()> {
    with_broker(async |broker| {
        let database = Database::create().await?;
        let events = uploads(&database, 1).await?;
        bus(broker).await?.publish(&events).await?;
        let turn = Duration::from_millis(50);
        let proxy = Proxy::start(&broker.settings, turn / 5).await?;
        let far = RabbitBus::connect(&proxy.settings).await?;
        let mut inbox = far.inbox(Consumer::Thumbnails, 1).await?;
        let came = eventually("the message in one of many turns", async || {
            let received = timeout(turn, receive(&mut inbox, 1)).await.ok().transpose()?;
            Ok(received.map(|messages| messages[0].position))
        })
        .await?;
        assert_eq!(came, events[0].position);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_publish_during_an_outage_fails_and_the_next_one_after_it_arrives() -> anyhow::Result<()> {
    with_broker(async |broker| {
        let database = Database::create().await?;
        let events = uploads(&database, 2).await?;
        let proxy = Proxy::start(&broker.settings, Duration::ZERO).await?;
        let far = RabbitBus::connect(&proxy.settings).await?;
        proxy.close();
        let refused = far.publish(&events[..1]).await;
        assert!(matches!(refused, Err(BusError::Unreachable(_))), "{refused:?}");
        assert!(far.ready().await.is_err());

        proxy.open();
        far.publish(&events[1..]).await?;
        far.ready().await?;
        let mut inbox = far.inbox(Consumer::Thumbnails, 5).await?;
        assert_eq!(take(&mut inbox, 1).await?, positions(&events[1..]));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_address_that_is_none_and_a_broker_that_is_not_there_are_told_apart() {
    let connect = async |url: &str| {
        let prefix = "atelier-test".to_owned();
        RabbitBus::connect(&BusSettings { url: url.to_owned(), prefix }).await.err()
    };
    let wrong = connect("http://127.0.0.1").await;
    assert!(matches!(wrong, Some(BusError::Address(_))), "{wrong:?}");
    // Port 1 is reserved, and nothing answers there.
    let absent = connect("amqp://guest:guest@127.0.0.1:1/%2f").await;
    assert!(matches!(absent, Some(BusError::Unreachable(_))), "{absent:?}");
}
