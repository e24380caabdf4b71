//! The bus on Postgres: the `jobs` table is the queue and a hint is the message.

use futures::future::BoxFuture;
use tokio::sync::watch;

use super::{Bus, BusError, DeadLetters, Inbox, Received};
use crate::consumer::{Consumer, Kind};
use crate::event::Recorded;
use crate::signal::{Channel, Signals};

/// Publishing is a hint to those whose jobs the relay has just enlisted.
pub struct PostgresBus {
    signals: Signals,
}

impl PostgresBus {
    /// A bus in the database whose hints these are.
    #[must_use]
    pub fn new(signals: Signals) -> Self {
        Self { signals }
    }
}

impl Bus for PostgresBus {
    fn publish<'a>(&'a self, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), BusError>> {
        let concerns = |consumer: &Consumer| {
            events.iter().any(|event| consumer.event_types().contains(&event.event_type.as_str()))
        };
        for consumer in Consumer::ALL.into_iter().filter(|consumer| consumer.kind() == Kind::Job).filter(concerns) {
            self.signals.raise(Channel::Jobs(consumer));
        }
        Box::pin(async { Ok(()) })
    }

    fn deliver<'a>(&'a self, consumer: Consumer, _events: &'a [Recorded]) -> BoxFuture<'a, Result<(), BusError>> {
        self.signals.raise(Channel::Jobs(consumer));
        Box::pin(async { Ok(()) })
    }

    fn inbox(&self, consumer: Consumer, _prefetch: u16) -> BoxFuture<'_, Result<Box<dyn Inbox>, BusError>> {
        let channel = match consumer.kind() {
            Kind::Job => Channel::Jobs(consumer),
            Kind::Projection => Channel::Log,
        };
        let inbox: Box<dyn Inbox> = Box::new(HintInbox { hints: self.signals.subscribe(channel) });
        Box::pin(async { Ok(inbox) })
    }

    fn dead_letters(&self) -> Option<DeadLetters> {
        None
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async { Ok(()) })
    }
}

struct HintInbox {
    hints: watch::Receiver<u64>,
}

impl Inbox for HintInbox {
    fn receive(&mut self, _limit: usize) -> BoxFuture<'_, Received> {
        Box::pin(async {
            if self.hints.changed().await.is_err() {
                // The signals are gone: the process is going down and nothing will come any more.
                std::future::pending::<()>().await;
            }
            Received::Hint
        })
    }
}
