//! A line to the broker that a test can cut, close and slow down.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use atelier_events::settings::BusSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

#[derive(Clone, Copy, PartialEq)]
enum Line {
    Open,
    Closed,
}

/// Forwards to the broker. Ends with the value.
pub(crate) struct Proxy {
    /// How to reach the broker over this line.
    pub(crate) settings: BusSettings,
    line: Arc<watch::Sender<Line>>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Every piece of what the broker says arrives so much later.
    pub(crate) async fn start(broker: &BusSettings, delay: Duration) -> anyhow::Result<Self> {
        let (scheme, rest) = broker.url.split_once("://").context("the broker's url has no scheme")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, "%2f"));
        let (user, address) = authority.rsplit_once('@').context("the broker's url has no user")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("{scheme}://{user}@{}/{path}", listener.local_addr()?);
        let line = Arc::new(watch::Sender::new(Line::Open));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, address.to_owned(), Arc::clone(&line), delay));
        Ok(Self { settings: BusSettings { url, prefix: broker.prefix.clone() }, line, _tasks: tasks })
    }

    /// Breaks every connection; new ones are taken.
    pub(crate) fn cut(&self) {
        self.close();
        self.open();
    }

    /// Breaks every connection, and every new one at once.
    pub(crate) fn close(&self) {
        self.line.send_replace(Line::Closed);
    }

    /// Takes connections again.
    pub(crate) fn open(&self) {
        self.line.send_replace(Line::Open);
    }
}

async fn accept(listener: TcpListener, address: String, line: Arc<watch::Sender<Line>>, delay: Duration) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        // Subscribed before looking: a line that is closed later is seen as a change.
        let mut changes = line.subscribe();
        if *changes.borrow_and_update() == Line::Closed {
            continue;
        }
        let address = address.clone();
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(address).await else {
                return;
            };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::select! {
                _ = changes.changed() => {}
                () = forward(from_client, to_server, Duration::ZERO) => {}
                () = forward(from_server, to_client, delay) => {}
            }
        });
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(length) = from.read(&mut piece).await
        && length > 0
    {
        tokio::time::sleep(delay).await;
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
