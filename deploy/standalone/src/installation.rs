//! One installation: its settings, with everything that is not set replaced by what the data directory holds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use atelier_events::settings::{StoreSettings, load};
use atelier_runtime::Connections;
use atelier_site::settings::SiteSettings;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bucket;
use crate::home::{Home, Running};

/// The access key id of the embedded bucket. Its secret is in the data directory.
const STORE_USER: &str = "atelier";

/// The settings of everything, and the data directory.
pub struct Installation {
    /// What it keeps on this machine.
    pub home: Home,
    /// Of API and relay; its database, bus, store and telemetry are everyone's.
    pub producer: atelier_producer::settings::Settings,
    /// How consumers work.
    pub consumer: atelier_runtime::ConsumerSettings,
    /// Of the thumbnails consumer.
    pub thumbnails: atelier_thumbnails::settings::Settings,
    /// The program whose processes cut pictures, where that is not this one.
    pub worker_program: Option<PathBuf>,
    /// Of the exports consumer.
    pub exports: atelier_exports::ExportSettings,
    /// Of the index consumer.
    pub index: atelier_index::settings::Settings,
    /// Of the site consumer.
    pub site: SiteSettings,
    /// Whether the bucket is the embedded one: nothing says where another is.
    embedded: bool,
}

impl Installation {
    /// Reads the settings; what they leave open is the embedded default below `data_dir`.
    pub fn load(data_dir: &Path) -> anyhow::Result<Self> {
        let home = Home::open(data_dir)?;
        let mut producer: atelier_producer::settings::Settings = load()?;
        let runtime: atelier_runtime::Settings = load()?;
        let site: atelier_site::settings::Settings = load()?;
        let mut site = site.site;
        site.dir = home.site();
        if producer.api.keys.is_empty() {
            producer.api.keys.push(home.api_key()?);
        }
        let embedded = producer.store.endpoint.is_empty() && producer.store.access_key_id.is_empty();
        Ok(Self {
            embedded,
            producer,
            consumer: runtime.consumer,
            thumbnails: load()?,
            worker_program: None,
            exports: load::<atelier_exports::settings::Settings>()?.exports,
            index: load()?,
            site,
            home,
        })
    }

    /// Starts the embedded bucket, where it is that, and enters its address in the settings.
    pub async fn start_bucket(
        &mut self,
        listen: SocketAddr,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Option<JoinHandle<()>>> {
        if !self.embedded {
            return Ok(None);
        }
        let secret = self.home.store_key()?;
        let (address, serving) = bucket::serve(&self.home.bucket(), listen, STORE_USER, &secret, shutdown).await?;
        self.use_bucket(format!("http://{address}"))?;
        atelier_events::Blobs::connect(&self.producer.store).create_bucket().await?;
        Ok(Some(serving))
    }

    /// Connections for a command that works beside a running installation, or without one. The embedded bucket is
    /// started for as long as `shutdown` lasts when nobody serves it.
    pub async fn connect(&mut self, shutdown: CancellationToken) -> anyhow::Result<Connections> {
        if let Some(running) = self.home.running()? {
            self.producer.database.url = running.database_url;
            // As its pages have it.
            self.use_gallery(&running.site_url);
            if let Some(endpoint) = running.store_endpoint {
                self.use_bucket(endpoint)?;
            }
        } else {
            self.start_bucket(SocketAddr::from(([127, 0, 0, 1], 0)), shutdown).await?;
        }
        let (database, bus, store) = (&self.producer.database, &self.producer.bus, &self.producer.store);
        atelier_runtime::connect(database, bus, store).await.context("connecting to the installation")
    }

    /// The secret that this installation's own clients use.
    pub fn client_key(&self) -> anyhow::Result<String> {
        let key = self.producer.api.keys.first().context("api.keys is empty")?;
        Ok(key.split_once(':').map_or(key.as_str(), |(_, secret)| secret).to_owned())
    }

    /// Where it is reached once it runs.
    #[must_use]
    pub fn running(&self, api_url: String, site_url: String) -> Running {
        Running {
            pid: std::process::id(),
            database_url: self.producer.database.url.clone(),
            api_url,
            site_url,
            store_endpoint: self.embedded.then(|| self.producer.store.endpoint.clone()),
        }
    }

    /// What daemons that are processes of their own are told beyond the settings that they read themselves.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        let (store, api) = (&self.producer.store, &self.producer.api);
        let told = [
            ("DATABASE__URL", self.producer.database.url.clone()),
            ("BUS__URL", self.producer.bus.url.clone()),
            ("STORE__ENDPOINT", store.endpoint.clone()),
            ("STORE__ACCESS_KEY_ID", store.access_key_id.clone()),
            ("STORE__SECRET_ACCESS_KEY", store.secret_access_key.clone()),
            ("API__LISTEN", api.listen.clone()),
            ("API__KEYS", api.keys.join(",")),
            ("SITE__DIR", self.site.dir.display().to_string()),
            ("SITE__BASE_URL", self.site.base_url.clone()),
        ];
        told.into_iter().map(|(key, value)| (format!("ATELIER__{key}"), value)).collect()
    }

    /// Opens the port of the gallery, and makes its address the one that pages carry unless the settings say another.
    pub async fn listen_for_gallery(&mut self, address: SocketAddr) -> anyhow::Result<(TcpListener, String)> {
        let listener = bind("the gallery (--site-listen)", address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        self.use_gallery(&url);
        self.producer.site.base_url.clone_from(&self.site.base_url);
        Ok((listener, url))
    }

    /// Opens the port of the API.
    pub async fn listen_for_api(&mut self) -> anyhow::Result<(TcpListener, String)> {
        let address = self.producer.api.listen.parse().with_context(|| {
            format!("api.listen {:?} is not an address (such as 127.0.0.1:8080)", self.producer.api.listen)
        })?;
        let listener = bind("the API (api.listen)", address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok((listener, url))
    }

    fn use_gallery(&mut self, url: &str) {
        if self.site.base_url == SiteSettings::default().base_url {
            url.clone_into(&mut self.site.base_url);
        }
    }

    fn use_bucket(&mut self, endpoint: String) -> anyhow::Result<()> {
        let secret_access_key = self.home.store_key()?;
        let own = StoreSettings {
            endpoint,
            access_key_id: STORE_USER.to_owned(),
            secret_access_key,
            ..StoreSettings::default()
        };
        self.producer.store = own;
        Ok(())
    }
}

async fn bind(what: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen at {address} for {what}: is something else running there?"))
}
