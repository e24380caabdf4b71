//! Hints between processes that share a database: something may have changed, look. A hint can be lost; whoever waits
//! for one also looks at intervals, and registers for it before looking.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::connect::Kept;
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
    /// Replays have been asked for or cancelled.
    Replays,
}

impl Channel {
    fn all() -> impl Iterator<Item = Self> {
        [Self::Log, Self::Settled, Self::Cancelled, Self::Replays]
            .into_iter()
            .chain(Consumer::ALL.into_iter().map(Self::Jobs))
    }

    fn name(self) -> String {
        match self {
            Self::Log => "atelier_log".to_owned(),
            Self::Jobs(consumer) => format!("atelier_jobs_{consumer}"),
            Self::Settled => "atelier_settled".to_owned(),
            Self::Cancelled => "atelier_cancelled".to_owned(),
            Self::Replays => "atelier_replays".to_owned(),
        }
    }
}

struct Line {
    channel: Channel,
    name: String,
    heard: watch::Sender<u64>,
    /// Whether it is to be sent to the other processes.
    raised: AtomicBool,
}

/// What the tasks share.
struct Lines {
    all: Vec<Line>,
    /// That one was raised.
    raised: Notify,
    /// Travels with what is sent: a process that hears itself has been told already, and would look twice.
    sender: String,
}

/// The hints of one database. Cheap to clone.
#[derive(Clone)]
pub struct Signals {
    lines: Arc<Lines>,
    /// Held by no task: its end tells them that nobody wants hints any more.
    alive: Arc<()>,
}

impl std::fmt::Debug for Signals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signals").finish_non_exhaustive()
    }
}

impl Signals {
    /// Starts listening and sending. Both end when the last clone is dropped.
    #[must_use]
    pub fn start(pool: &PgPool) -> Self {
        let line = |channel: Channel| Line {
            channel,
            name: channel.name(),
            heard: watch::Sender::new(0),
            raised: AtomicBool::new(false),
        };
        let all = Channel::all().map(line).collect();
        let lines = Lines { all, raised: Notify::new(), sender: Uuid::now_v7().simple().to_string() };
        let signals = Self { lines: Arc::new(lines), alive: Arc::new(()) };
        let (lines, wanted) = (&signals.lines, Arc::downgrade(&signals.alive));
        tokio::spawn(listen(pool.clone(), Arc::clone(lines), wanted.clone()));
        tokio::spawn(send(pool.clone(), Arc::clone(lines), wanted));
        signals
    }

    /// Says that something may have changed: to this process at once, to the others in one coalesced `NOTIFY` outside
    /// any transaction (inside one, every commit would queue behind a lock of the whole database).
    pub fn raise(&self, channel: Channel) {
        let line = self.line(channel);
        line.heard.send_modify(|count| *count += 1);
        line.raised.store(true, Ordering::Release);
        self.lines.raised.notify_one();
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
        self.lines.all.iter().find(|line| line.channel == channel).expect("there is a line for every channel")
    }
}

/// How long the pause is before a listener that lost its connection tries again, and how often it looks whether anyone
/// still wants it.
const PAUSE: Duration = Duration::from_millis(500);

/// The time between two hints on one channel, at the least.
const SPACING: Duration = Duration::from_millis(2);

async fn listen(pool: PgPool, lines: Arc<Lines>, wanted: Weak<()>) {
    while wanted.strong_count() > 0 {
        if let Err(error) = hear(&pool, &lines, &wanted).await {
            tracing::debug!(error = %error, "lost the connection that listens for hints; polling goes on");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn hear(pool: &PgPool, lines: &Lines, wanted: &Weak<()>) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen_all(lines.all.iter().map(|line| line.name.as_str())).await?;
    // Whatever happened while nobody listened: look now.
    for line in &lines.all {
        line.heard.send_modify(|count| *count += 1);
    }
    loop {
        let notification = {
            let mut heard = std::pin::pin!(listener.recv());
            loop {
                match timeout(PAUSE, &mut heard).await {
                    Ok(notification) => break notification?,
                    Err(_) if wanted.strong_count() == 0 => return Ok(()),
                    Err(_) => {}
                }
            }
        };
        if notification.payload() == lines.sender {
            continue;
        }
        for line in lines.all.iter().filter(|line| line.name == notification.channel()) {
            line.heard.send_modify(|count| *count += 1);
        }
    }
}

/// The first hint goes at once. What comes while it is on its way travels as one: a hint a commit would cost the database
/// as much as the commits.
async fn send(pool: PgPool, lines: Arc<Lines>, wanted: Weak<()>) {
    let mut kept = Kept::new(pool);
    let mut silent_until = vec![Instant::now(); lines.all.len()];
    while wanted.strong_count() > 0 {
        let now = Instant::now();
        let (mut due, mut next) = (Vec::new(), now + PAUSE);
        for (line, silent_until) in lines.all.iter().zip(&mut silent_until) {
            if !line.raised.load(Ordering::Acquire) {
                continue;
            }
            if *silent_until <= now {
                line.raised.store(false, Ordering::Release);
                due.push(line.name.as_str());
                *silent_until = now + SPACING;
            } else {
                next = next.min(*silent_until);
            }
        }
        if due.is_empty() {
            let _raised_or_due = tokio::time::timeout_at(next, lines.raised.notified()).await;
        } else if let Err(error) = notify(&mut kept, &due, &lines.sender).await {
            tracing::debug!(error = %error, channels = ?due, "could not send hints; polling finds it");
        }
    }
}

async fn notify(kept: &mut Kept, channels: &[&str], sender: &str) -> sqlx::Result<()> {
    let mut connection = kept.take().await?;
    let statement = sqlx::query("select pg_notify(channel, $2) from unnest($1::text[]) as channel");
    statement.bind(channels).bind(sender).execute(&mut connection).await?;
    kept.give_back(connection);
    Ok(())
}
