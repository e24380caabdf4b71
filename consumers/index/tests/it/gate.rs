//! A way to the bucket that is closed at first: whoever takes it waits there, so that something else can happen before
//! what it has sent arrives.

use atelier_events::Blobs;
use atelier_events::blobs::StoreSettings;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

pub(crate) struct Gate {
    /// Goes through the gate.
    pub(crate) blobs: Blobs,
    /// Somebody waits there.
    pub(crate) reached: oneshot::Receiver<()>,
    /// Opens it.
    pub(crate) open: oneshot::Sender<()>,
}

impl Gate {
    pub(crate) async fn before(bucket: &StoreSettings) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let blobs = Blobs::connect(&StoreSettings { endpoint, ..bucket.clone() });
        let behind = bucket.endpoint.trim_start_matches("http://").to_owned();
        let (reach, reached) = oneshot::channel();
        let (open, opened) = oneshot::channel();
        tokio::spawn(async move {
            let (mut client, _) = listener.accept().await?;
            reach.send(()).unwrap_or_default();
            opened.await.unwrap_or_default();
            loop {
                let mut server = TcpStream::connect(&behind).await?;
                tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
                (client, _) = listener.accept().await?;
            }
            #[expect(unreachable_code, reason = "it says what the question marks above return")]
            std::io::Result::Ok(())
        });
        Ok(Self { blobs, reached, open })
    }
}
