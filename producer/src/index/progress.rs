use std::sync::{Arc, Weak};
use std::time::Duration;

use atelier_events::Position;
use sqlx::PgPool;
use tokio::sync::{Notify, watch};

/// How often the checkpoint is looked at while anyone waits for it: one small query for all of them.
const INTERVAL: Duration = Duration::from_millis(20);

/// The pause after the checkpoint could not be read.
const PAUSE: Duration = Duration::from_millis(250);

/// Tells everyone in this process who waits for the read model how far it has got.
pub(super) struct Progress {
    position: watch::Sender<Position>,
    wanted: Notify,
}

impl Progress {
    /// Starts to look, as long as anyone waits. Ends when this is dropped.
    pub(super) fn start(pool: PgPool) -> Arc<Self> {
        let progress = Arc::new(Self { position: watch::Sender::new(Position::default()), wanted: Notify::new() });
        tokio::spawn(look(pool, Arc::downgrade(&progress)));
        progress
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Position> {
        let receiver = self.position.subscribe();
        self.wanted.notify_one();
        receiver
    }
}

async fn look(pool: PgPool, progress: Weak<Progress>) {
    loop {
        let Some(current) = progress.upgrade() else { return };
        if current.position.receiver_count() == 0 {
            // Woken by the next one who waits; from time to time to see whether anyone still can.
            drop(tokio::time::timeout(Duration::from_secs(1), current.wanted.notified()).await);
            continue;
        }
        let read = sqlx::query_scalar(include_str!("../../sql/read_index_checkpoint.sql")).fetch_optional(&pool).await;
        let pause = match read {
            Ok(position) => {
                let position: Position = position.unwrap_or_default();
                current.position.send_if_modified(|known| std::mem::replace(known, position) != position);
                INTERVAL
            }
            // Whoever waits looks for himself in the end, and then says what is wrong.
            Err(error) => {
                tracing::debug!(error = %error, "the index's checkpoint cannot be read");
                PAUSE
            }
        };
        drop(current);
        tokio::time::sleep(pause).await;
    }
}
