//! What one consumer has been sent.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use lapin::Connection;
use lapin::options::BasicRejectOptions;
use lapin::types::AMQPValue;

use super::broker::Broker;
use crate::bus::{Inbox, Message, Received};
use crate::consumer::Consumer;
use crate::event::Recorded;
use crate::id::Position;

/// A consumer's queue.
pub(super) struct QueueInbox {
    broker: Arc<Broker>,
    consumer: Consumer,
    prefetch: u16,
    /// The connection is held so that it lives as long as the consumer on it.
    open: Option<(Connection, lapin::Consumer)>,
    /// A connection on its way. It is kept here because `receive` may be dropped in between: who waits in short turns
    /// would begin anew each time and never arrive.
    opening: Option<BoxFuture<'static, (Connection, lapin::Consumer)>>,
    /// What has been taken from the consumer and not given out yet: `receive` may be dropped in between.
    came: VecDeque<Message>,
}

impl Inbox for QueueInbox {
    fn receive(&mut self, limit: usize) -> BoxFuture<'_, Received> {
        Box::pin(async move {
            while self.came.is_empty() {
                self.take_one().await;
            }
            while self.came.len() < limit {
                let Some(delivery) = self.take_ready() else { break };
                self.keep(delivery).await;
            }
            let taken = self.came.len().min(limit);
            Received::Messages(self.came.drain(..taken).collect())
        })
    }
}

impl QueueInbox {
    pub(super) fn new(broker: Arc<Broker>, consumer: Consumer, prefetch: u16) -> Self {
        Self { broker, consumer, prefetch, open: None, opening: None, came: VecDeque::new() }
    }

    async fn take_one(&mut self) {
        if self.open.is_none() {
            let (broker, consumer, prefetch) = (Arc::clone(&self.broker), self.consumer, self.prefetch);
            let opening =
                self.opening.get_or_insert_with(|| Box::pin(async move { broker.subscribe(consumer, prefetch).await }));
            self.open = Some(opening.await);
            self.opening = None;
        }
        let Some((_, consumer)) = self.open.as_mut() else {
            return;
        };
        match consumer.next().await {
            Some(Ok(delivery)) => self.keep(delivery).await,
            Some(Err(error)) => {
                tracing::warn!(consumer = %self.consumer, error = %error, "lost the broker; reconnecting");
                self.open = None;
            }
            None => self.open = None,
        }
    }

    /// Takes a message that is here already.
    fn take_ready(&mut self) -> Option<lapin::message::Delivery> {
        let (_, consumer) = self.open.as_mut()?;
        if let Some(Ok(delivery)) = futures::FutureExt::now_or_never(consumer.next())? {
            return Some(delivery);
        }
        self.open = None;
        None
    }

    async fn keep(&mut self, delivery: lapin::message::Delivery) {
        if let Some(position) = position_of(&delivery) {
            self.came.push_back(Message { position, delivery });
            return;
        }
        tracing::error!(consumer = %self.consumer, "a message that is no event goes to the dead-letter queue");
        let rejected = delivery.acker.reject(BasicRejectOptions { requeue: false }).await;
        if let Err(error) = rejected {
            tracing::debug!(error = %error, "could not reject; the message will come again");
        }
    }
}

/// The position comes from the header, and from the body for messages that others put in.
fn position_of(delivery: &lapin::message::Delivery) -> Option<Position> {
    let header = delivery.properties.headers().as_ref().and_then(|headers| headers.inner().get("position"));
    match header {
        Some(AMQPValue::LongLongInt(position)) => Some(Position(*position)),
        _ => serde_json::from_slice::<Recorded>(&delivery.data).ok().map(|event| event.position),
    }
}
