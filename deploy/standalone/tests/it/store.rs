//! A store of its own for every test: the embedded server on a free port over a temporary folder.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use atelier_events::Blobs;
use atelier_events::blobs::StoreSettings;
use atelier_standalone::bucket;
use bytes::Bytes;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

pub(crate) struct Store {
    pub(crate) settings: StoreSettings,
    folder: TempDir,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Store {
    /// Without a bucket.
    pub(crate) async fn empty() -> Self {
        Self::over(tempfile::tempdir().unwrap()).await
    }

    /// With the bucket of the settings.
    pub(crate) async fn start() -> (Self, Blobs) {
        let store = Self::empty().await;
        let blobs = store.connect();
        blobs.create_bucket().await.unwrap();
        (store, blobs)
    }

    /// Ends the server and starts another over the same folder.
    pub(crate) async fn restart(self) -> Self {
        self.shutdown.cancel();
        self.task.await.unwrap();
        Self::over(self.folder).await
    }

    pub(crate) fn connect(&self) -> Blobs {
        Blobs::connect(&self.settings)
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Names of the files beside the bucket: headers, tags, and what is not finished.
    pub(crate) fn beside_the_bucket(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.root()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != ".lock" && *name != self.settings.bucket).collect()
    }

    async fn over(folder: TempDir) -> Self {
        let shutdown = CancellationToken::new();
        let serving = bucket::serve(folder.path(), ANY_PORT, "someone", "their secret", shutdown.clone());
        let (address, task) = serving.await.unwrap();
        let settings = StoreSettings {
            endpoint: format!("http://{address}"),
            access_key_id: "someone".to_owned(),
            secret_access_key: "their secret".to_owned(),
            ..StoreSettings::default()
        };
        Self { settings, folder, shutdown, task }
    }
}

/// Bytes that differ between any two parts of an upload.
pub(crate) fn bytes(length: usize) -> Bytes {
    (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect()
}

/// Looks again until it holds, for ten seconds at most.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let looking = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), looking).await.unwrap_or_else(|_| panic!("never came: {what}"));
}
