//! Hints between processes that share a database: something may have changed, look. A hint can be lost; whoever waits
//! for one also looks at intervals, and registers for it before looking.

use std::sync::{Arc, Weak};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, watch};

use crate::consumer::{Consumer, Kind};

/// What may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The log has grown.
    Log,
    /// Jobs of a consumer have become available.
    Jobs(Consumer),
    /// Jobs have ended.
    Settled,
    /// Jobs have been cancelled: attempts at them are to be stopped.
    Cancelled,
}

impl Channel {
    fn all() -> impl Iterator<Item = Self> {
        [Self::Log, Self::Settled, Self::Cancelled].into_iter().chain(Consumer::ALL.into_iter().map(Self::Jobs))
    }

    fn name(self) -> String {
        match self {
            Self::Log => "atelier_log".to_owned(),
            Self::Jobs(consumer) => format!("atelier_jobs_{consumer}"),
            Self::Settled => "atelier_settled".to_owned(),
            Self::Cancelled => "atelier_cancelled".to_owned(),
        }
    }
}

struct Line {
    channel: Channel,
    name: String,
    heard: watch::Sender<u64>,
    wanted: Notify,
}

/// The hints of one database. Cheap to clone.
#[derive(Clone)]
pub struct Signals {
    lines: Arc<Vec<Line>>,
    /// Held by no task: its end tells them that nobody wants hints any more.
    alive: Arc<()>,
}

impl std::fmt::Debug for Signals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signals").finish_non_exhaustive()
    }
}

impl Signals {
    /// Starts listening, and one sender per channel. Both end when the last clone is dropped.
    #[must_use]
    pub fn start(pool: &PgPool) -> Self {
        let lines: Vec<Line> = Channel::all()
            .map(|channel| Line { channel, name: channel.name(), heard: watch::Sender::new(0), wanted: Notify::new() })
            .collect();
        let signals = Self { lines: Arc::new(lines), alive: Arc::new(()) };
        let (lines, wanted) = (&signals.lines, Arc::downgrade(&signals.alive));
        tokio::spawn(listen(pool.clone(), Arc::clone(lines), wanted.clone()));
        for index in 0..lines.len() {
            tokio::spawn(send(pool.clone(), Arc::clone(lines), index, wanted.clone()));
        }
        signals
    }

    /// Says that something may have changed: to this process at once, to the others in one coalesced `NOTIFY` outside
    /// any transaction (inside one, every commit would queue behind a lock of the whole database).
    pub fn raise(&self, channel: Channel) {
        let line = self.line(channel);
        line.heard.send_modify(|count| *count += 1);
        line.wanted.notify_one();
    }

    /// Says that jobs of all consumers may be there.
    pub fn raise_jobs(&self) {
        for consumer in Consumer::ALL.into_iter().filter(|consumer| consumer.kind() == Kind::Job) {
            self.raise(Channel::Jobs(consumer));
        }
    }

    /// Changes with every hint.
    #[must_use]
    pub fn subscribe(&self, channel: Channel) -> watch::Receiver<u64> {
        self.line(channel).heard.subscribe()
    }

    fn line(&self, channel: Channel) -> &Line {
        self.lines.iter().find(|line| line.channel == channel).expect("there is a line for every channel")
    }
}

/// How long the pause is before a listener that lost its connection tries again, and how often it looks whether anyone
/// still wants it.
const PAUSE: Duration = Duration::from_millis(500);

/// The time between two hints on one channel, at the least.
const SPACING: Duration = Duration::from_millis(2);

async fn listen(pool: PgPool, lines: Arc<Vec<Line>>, wanted: Weak<()>) {
    while wanted.strong_count() > 0 {
        if let Err(error) = hear(&pool, &lines, &wanted).await {
            tracing::debug!(error = %error, "lost the connection that listens for hints; polling goes on");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn hear(pool: &PgPool, lines: &[Line], wanted: &Weak<()>) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen_all(lines.iter().map(|line| line.name.as_str())).await?;
    // Whatever happened while nobody listened: look now.
    for line in lines {
        line.heard.send_modify(|count| *count += 1);
    }
    loop {
        let notification = {
            let mut heard = std::pin::pin!(listener.recv());
            loop {
                match tokio::time::timeout(PAUSE, &mut heard).await {
                    Ok(notification) => break notification?,
                    Err(_) if wanted.strong_count() == 0 => return Ok(()),
                    Err(_) => {}
                }
            }
        };
        for line in lines.iter().filter(|line| line.name == notification.channel()) {
            line.heard.send_modify(|count| *count += 1);
        }
    }
}

async fn send(pool: PgPool, lines: Arc<Vec<Line>>, index: usize, wanted: Weak<()>) {
    let line = &lines[index];
    while wanted.strong_count() > 0 {
        let asked = tokio::time::timeout(PAUSE, line.wanted.notified()).await.is_ok();
        if asked {
            let sent = sqlx::query("select pg_notify($1, '')").bind(&line.name).execute(&pool).await;
            if let Err(error) = sent {
                tracing::debug!(error = %error, channel = line.name, "could not send a hint; polling finds it");
            }
            // The first hint goes at once. What comes while it is on its way travels as one: a hint a commit would cost
            // the database as much as the commits.
            tokio::time::sleep(SPACING).await;
        }
    }
}
