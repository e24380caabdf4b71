//! A database, a bucket and an API of a test's own. No consumer runs: a test appends what one would have.

use std::net::SocketAddr;

use atelier_e2e::Database;
use atelier_events::artwork::Created;
use atelier_events::log::Write;
use atelier_events::settings::BusSettings;
use atelier_events::variant::{Rendered, Uploaded};
use atelier_events::{
    Append, ArtworkEvent, ArtworkId, Connections, Context, Details, Event, ExpectedVersion, Look, NewEvent, Position,
    Rendition, RenditionKind, Stream, Swatch, VariantEvent, VariantId,
};
use atelier_producer::settings::{ApiSettings, Settings};
use atelier_producer::{App, serve};
use atelier_standalone::client::Client;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::store::{Store, bytes};

pub(crate) struct Installation {
    pub(crate) connections: Connections,
    pub(crate) database: Database,
    store: Store,
}

impl Installation {
    pub(crate) async fn start() -> Self {
        let database = Database::create().await.unwrap();
        let (store, _) = Store::start().await;
        let bus = BusSettings::default();
        let connections = Connections::open(database.pool.clone(), &bus, &store.settings).await.unwrap();
        Self { connections, database, store }
    }

    /// The same bucket with an empty log, and the database that this lies in.
    pub(crate) async fn without_its_log(&self) -> (Connections, Database) {
        let database = Database::create().await.unwrap();
        let bus = BusSettings::default();
        (Connections::open(database.pool.clone(), &bus, &self.store.settings).await.unwrap(), database)
    }

    /// An API over it, until the token is cancelled.
    pub(crate) async fn serve_api(&self) -> (Client, CancellationToken) {
        let api = ApiSettings { keys: vec!["me:secret".to_owned()], ..ApiSettings::default() };
        let settings = Settings { api, store: self.store.settings.clone(), ..Settings::default() };
        let Connections { log, bus, blobs } = self.connections.clone();
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let app = App::new(log, bus, blobs, metrics, &settings).unwrap();
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        tokio::spawn(serve(listener, app, shutdown.clone()));
        (Client::new(&url, "secret").unwrap(), shutdown)
    }

    /// The settings with which the program finds it.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let store = &self.store.settings;
        vec![
            ("ATELIER__DATABASE__URL", self.database.settings().url),
            ("ATELIER__STORE__ENDPOINT", store.endpoint.clone()),
            ("ATELIER__STORE__BUCKET", store.bucket.clone()),
            ("ATELIER__STORE__ACCESS_KEY_ID", store.access_key_id.clone()),
            ("ATELIER__STORE__SECRET_ACCESS_KEY", store.secret_access_key.clone()),
        ]
    }

    /// How many events of a type the log holds.
    pub(crate) async fn count(&self, event_type: &str) -> i64 {
        let counting = sqlx::query_scalar("select count(*) from events where type = $1").bind(event_type);
        counting.fetch_one(&self.database.pool).await.unwrap()
    }

    /// Appends to the stream of one thing.
    pub(crate) async fn append(&self, stream: Stream, events: Vec<Event>) -> Position {
        let context = Context::command("test");
        let events = events.into_iter().map(|event| NewEvent::new(event, &context)).collect();
        let write = Write { stream, expected: ExpectedVersion::Any, events };
        self.connections.log.append(Append { key: None, writes: vec![write] }).await.unwrap().position()
    }

    /// A complete artwork, as the consumers would have left it. Answers the keys of its blobs, the original's first.
    pub(crate) async fn complete_artwork(&self, title: &str) -> [String; 2] {
        let (artwork_id, variant_id) = (ArtworkId::new(), VariantId::new());
        let blobs = &self.connections.blobs;
        let original =
            blobs.put(&format!("originals/test/{variant_id}.png"), bytes(40_000), "image/png").await.unwrap();
        let icon = blobs.put(&format!("icons/test/{variant_id}.jpg"), bytes(500), "image/jpeg").await.unwrap();
        let keys = [original.key.clone(), icon.key.clone()];
        let created = Created::new(artwork_id, "test".to_owned(), details(title));
        let uploaded = Uploaded {
            artwork_id,
            variant_id,
            upload_key: "uploads/1/a.png".to_owned(),
            filename: "a.png".to_owned(),
            length: original.length,
            recipe: None,
            lineage: Vec::new(),
            requested_at: None,
            priority: atelier_events::Priority::default(),
        };
        let rendered = Rendered {
            variant_id,
            original,
            width: 200,
            height: 100,
            renditions: vec![Rendition { kind: RenditionKind::Icon, blob: icon, width: 128, height: 128 }],
            look: Look::Photo,
            palette: vec![Swatch { colour: "#204060".to_owned(), per_mille: 1000 }],
            placeholder: String::new(),
            recipe_hash: None,
        };
        let events = vec![
            Event::Artwork(ArtworkEvent::Created(created)),
            Event::Variant(VariantEvent::Uploaded(uploaded)),
            Event::Variant(VariantEvent::Rendered(rendered)),
        ];
        self.append(Stream::artwork(artwork_id), events).await;
        keys
    }
}

pub(crate) fn details(title: &str) -> Details {
    serde_json::from_value(serde_json::json!({ "title": title })).unwrap()
}
