//! A line between a daemon and a server that a test can cut, freeze, slow down and count. It looks at no byte of what it
//! carries, so one kind serves Postgres, RabbitMQ and S3, and it goes on being right when a protocol changes.
//!
//! ```text
//!  daemon ── to server ──▶ read ─▶ delay ─▶ frozen? ─▶ write ──▶ server
//!         ◀── to client ── write ◀─ frozen? ◀─ delay ◀─ read ──
//! ```
//!
//! What has been read and not written is held: bytes that one side has sent and the other does not have.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Bytes taken from one side at a time, at the most.
const PIECE: usize = 64 * 1024;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What the daemon says.
    ToServer,
    /// What it is answered.
    ToClient,
}

/// A line to one server. Its connections end when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
    accepting: AbortHandle,
}

struct Line {
    state: watch::Sender<State>,
    connections: AtomicU64,
    to_server: Counts,
    to_client: Counts,
}

#[derive(Default)]
struct Counts {
    held: AtomicU64,
    carried: AtomicU64,
}

/// What is done to the bytes.
#[derive(Clone, Copy, Default)]
struct State {
    /// Connections of an earlier generation have been cut.
    generation: u64,
    refused: bool,
    to_server: Fault,
    to_client: Fault,
}

#[derive(Clone, Copy, Default)]
struct Fault {
    frozen: bool,
    delay: Duration,
}

impl Proxy {
    /// A line to the server of this URL, and the URL that leads over it.
    pub async fn before(url: &str) -> anyhow::Result<(Self, String)> {
        let authority = authority(url).with_context(|| format!("{} names no host and port", without_password(url)))?;
        let proxy = Self::to(&url[authority.clone()]).await?;
        let through = format!("{}{}{}", &url[..authority.start], proxy.address, &url[authority.end..]);
        Ok((proxy, through))
    }

    async fn to(server: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let line = Arc::new(Line {
            state: watch::Sender::new(State::default()),
            connections: AtomicU64::new(0),
            to_server: Counts::default(),
            to_client: Counts::default(),
        });
        let accepting = tokio::spawn(accept(listener, server.to_owned(), Arc::clone(&line))).abort_handle();
        Ok(Self { address, line, accepting })
    }

    /// Carries everything, what is held first.
    pub fn pass(&self) {
        self.change(|state| *state = State { generation: state.generation, ..State::default() });
    }

    /// Resets every connection; what it held is lost. New ones are treated as before.
    pub fn cut(&self) {
        self.change(|state| state.generation += 1);
    }

    /// Resets every connection, and new ones as soon as they come.
    pub fn refuse(&self) {
        self.change(|state| {
            state.generation += 1;
            state.refused = true;
        });
    }

    /// Holds what goes this way from now on.
    pub fn freeze(&self, direction: Direction) {
        self.change(|state| state.fault_mut(direction).frozen = true);
    }

    /// Holds what goes either way, as a network does that has lost its route: nobody is told.
    pub fn freeze_both(&self) {
        self.freeze(Direction::ToServer);
        self.freeze(Direction::ToClient);
    }

    /// Makes what goes this way arrive later by this much.
    pub fn delay(&self, direction: Direction, by: Duration) {
        self.change(|state| state.fault_mut(direction).delay = by);
    }

    /// Connections that have come so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.line.connections.load(Ordering::SeqCst)
    }

    /// Bytes that one side has sent and the other does not have yet.
    #[must_use]
    pub fn held(&self, direction: Direction) -> u64 {
        self.line.counts(direction).held.load(Ordering::SeqCst)
    }

    /// Bytes that have arrived at the other side.
    #[must_use]
    pub fn carried(&self, direction: Direction) -> u64 {
        self.line.counts(direction).carried.load(Ordering::SeqCst)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        self.line.state.send_modify(change);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.refuse();
    }
}

impl State {
    fn fault(&self, direction: Direction) -> Fault {
        match direction {
            Direction::ToServer => self.to_server,
            Direction::ToClient => self.to_client,
        }
    }

    fn fault_mut(&mut self, direction: Direction) -> &mut Fault {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }
}

impl Line {
    fn counts(&self, direction: Direction) -> &Counts {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }
}

async fn accept(listener: TcpListener, server: String, line: Arc<Line>) {
    while let Ok((client, _)) = listener.accept().await {
        line.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(connect(client, server.clone(), Arc::clone(&line)));
    }
}

async fn connect(mut client: TcpStream, server: String, line: Arc<Line>) {
    let mut state = line.state.subscribe();
    let begun = *state.borrow_and_update();
    // A server that is down refuses in the daemon's eyes too.
    let server = if begun.refused { None } else { TcpStream::connect(server).await.ok() };
    let Some(mut server) = server else {
        drop(client.set_zero_linger());
        return;
    };
    // The delay of small packets would be ours and not the product's.
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let was_cut = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        tokio::select! {
            () = pump(from_client, to_server, Direction::ToServer, &line) => false,
            () = pump(from_server, to_client, Direction::ToClient, &line) => false,
            _ = state.wait_for(|state| state.generation != begun.generation) => true,
        }
    };
    if was_cut {
        drop((client.set_zero_linger(), server.set_zero_linger()));
    }
}

/// Ends with the connection: either side's end is the end of both, and travels like bytes do.
async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, direction: Direction, line: &Line) {
    let mut state = line.state.subscribe();
    let counts = line.counts(direction);
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece).await.unwrap_or(0);
        let _held = Held::of(counts, length as u64);
        let delay = state.borrow_and_update().fault(direction).delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let passes = state.wait_for(|state| !state.fault(direction).frozen).await.is_ok();
        if !passes || length == 0 || to.write_all(&piece[..length]).await.is_err() {
            return;
        }
        counts.carried.fetch_add(length as u64, Ordering::SeqCst);
    }
}

/// Counts what is held for as long as it is, also when the connection is cut meanwhile.
struct Held<'a> {
    counts: &'a Counts,
    length: u64,
}

impl<'a> Held<'a> {
    fn of(counts: &'a Counts, length: u64) -> Self {
        counts.held.fetch_add(length, Ordering::SeqCst);
        Self { counts, length }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.counts.held.fetch_sub(self.length, Ordering::SeqCst);
    }
}

/// Where host and port stand in a URL.
fn authority(url: &str) -> Option<std::ops::Range<usize>> {
    let begin = url.find("://")? + 3;
    let end = url[begin..].find(['/', '?']).map_or(url.len(), |length| begin + length);
    let begin = url[begin..end].rfind('@').map_or(begin, |at| begin + at + 1);
    url[begin..end].contains(':').then_some(begin..end)
}

fn without_password(url: &str) -> &str {
    url.rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::io::ErrorKind;

    use super::*;
    use crate::until;

    /// A server that says back what it hears.
    async fn echo() -> anyhow::Result<(Proxy, TcpStream)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("test://user:password@{}/path", listener.local_addr()?);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = socket.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        let (proxy, through) = Proxy::before(&url).await?;
        let address = through.strip_prefix("test://user:password@").and_then(|rest| rest.strip_suffix("/path"));
        let client = TcpStream::connect(address.context("the URL keeps all but its address")?).await?;
        Ok((proxy, client))
    }

    async fn hears(client: &mut TcpStream, expected: &[u8]) -> anyhow::Result<()> {
        let mut heard = vec![0; expected.len()];
        client.read_exact(&mut heard).await?;
        anyhow::ensure!(heard == expected, "{heard:?}");
        Ok(())
    }

    #[tokio::test]
    async fn what_is_frozen_is_held_and_arrives_when_the_line_passes_again() -> anyhow::Result<()> {
        let (proxy, mut client) = echo().await?;
        client.write_all(b"before").await?;
        hears(&mut client, b"before").await?;
        proxy.freeze(Direction::ToClient);
        client.write_all(b"frozen").await?;
        until("the answer is held", || ready(Ok(proxy.held(Direction::ToClient) == 6))).await?;
        assert_eq!(proxy.carried(Direction::ToServer), 12);
        assert_eq!(proxy.carried(Direction::ToClient), 6);
        proxy.pass();
        hears(&mut client, b"frozen").await?;
        until("nothing is held", || ready(Ok(proxy.held(Direction::ToClient) == 0))).await?;

        // Who has gone away behind a frozen line has not gone away for the other side.
        proxy.freeze(Direction::ToServer);
        client.shutdown().await?;
        let gone = tokio::time::timeout(Duration::from_millis(100), client.read(&mut [0])).await;
        assert!(gone.is_err(), "the end came through a frozen line");
        proxy.pass();
        assert_eq!(client.read(&mut [0]).await?, 0);
        Ok(())
    }

    #[tokio::test]
    async fn what_is_cut_is_reset_and_what_it_held_is_lost() -> anyhow::Result<()> {
        let (proxy, mut client) = echo().await?;
        proxy.freeze(Direction::ToServer);
        client.write_all(b"lost").await?;
        until("the question is held", || ready(Ok(proxy.held(Direction::ToServer) == 4))).await?;
        proxy.cut();
        let ended = client.read(&mut [0]).await.map_err(|error| error.kind());
        assert_eq!(ended, Err(ErrorKind::ConnectionReset));
        until("nothing is held", || ready(Ok(proxy.held(Direction::ToServer) == 0))).await?;
        assert_eq!(proxy.carried(Direction::ToServer), 0);

        proxy.refuse();
        let mut refused = TcpStream::connect(proxy.address).await?;
        assert!(matches!(refused.read(&mut [0]).await, Ok(0) | Err(_)));
        proxy.pass();
        let mut client = TcpStream::connect(proxy.address).await?;
        client.write_all(b"again").await?;
        hears(&mut client, b"again").await?;
        assert_eq!(proxy.connections(), 3);
        Ok(())
    }

    #[tokio::test]
    async fn what_is_delayed_arrives_later_and_whole() -> anyhow::Result<()> {
        let (proxy, mut client) = echo().await?;
        let delay = Duration::from_millis(50);
        proxy.delay(Direction::ToServer, delay);
        let began = std::time::Instant::now();
        client.write_all(b"slow").await?;
        hears(&mut client, b"slow").await?;
        assert!(began.elapsed() >= delay);
        Ok(())
    }
}
