//! A bucket of a test's own, over real HTTP: files in a folder that is removed with it. Its server ends with the test's
//! runtime.

use atelier_events::Blobs;
use atelier_events::blobs::StoreSettings;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;

const ACCESS_KEY: &str = "test";
const SECRET_KEY: &str = "of the test";

/// A bucket of one test's own.
pub struct Bucket {
    /// A client of it.
    pub blobs: Blobs,
    /// What a daemon is told of it.
    pub settings: StoreSettings,
    _folder: TempDir,
}

impl Bucket {
    /// Makes one and serves it.
    pub async fn create() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let files = s3s_fs::FileSystem::new(folder.path()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let settings = StoreSettings {
            endpoint: format!("http://{}", listener.local_addr()?),
            access_key_id: ACCESS_KEY.to_owned(),
            secret_access_key: SECRET_KEY.to_owned(),
            ..StoreSettings::default()
        };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    // A client that goes away is no failure of the server.
                    drop(Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await);
                });
            }
        });
        let blobs = Blobs::connect(&settings);
        blobs.create_bucket().await?;
        Ok(Self { blobs, settings, _folder: folder })
    }
}
