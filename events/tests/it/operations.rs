//! Health and metrics over HTTP: alive while the loops go round, ready while everything that is needed answers.

use std::net::SocketAddr;

use anyhow::Context as _;
use atelier_e2e::{Broker, Bucket, Database, until};
use atelier_events::Connections;
use atelier_events::health::Pulse;
use atelier_events::operations::{self, OperationsError, missing_of};
use atelier_events::settings::{BusSettings, StoreSettings, TelemetrySettings};
use atelier_events::telemetry::{self, TelemetryError};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Serves them on a free port.
async fn serve(connections: &Connections) -> anyhow::Result<SocketAddr> {
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    loop {
        let address = TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?;
        let (listen, missing) = (address.to_string(), missing_of(connections));
        match operations::serve(&listen, metrics.clone(), missing, CancellationToken::new()).await {
            Ok(()) => return Ok(address),
            // Another test has just taken it.
            Err(OperationsError::Listen { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn ask(address: SocketAddr, path: &str) -> anyhow::Result<(u16, String)> {
    // One may have been installed by another question; any of them does.
    drop(rustls::crypto::ring::default_provider().install_default());
    let answer = reqwest::get(format!("http://{address}{path}")).await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

async fn open(database: &Database, store: &StoreSettings) -> anyhow::Result<Connections> {
    Ok(Connections::open(database.pool.clone(), &BusSettings::default(), store).await?)
}

#[tokio::test]
async fn a_daemon_is_ready_while_database_bus_and_store_answer() -> anyhow::Result<()> {
    let (database, bucket) = (Database::create().await?, Bucket::create().await?);
    let address = serve(&open(&database, &bucket.settings).await?).await?;
    assert_eq!(ask(address, "/readyz").await?, (200, "ok\n".to_owned()));
    assert_eq!(ask(address, "/healthz").await?, (200, "ok\n".to_owned()));
    assert_eq!(ask(address, "/metrics").await?.0, 200);
    database.pool.close().await;
    let (status, said) = ask(address, "/readyz").await?;
    assert_eq!(status, 503);
    assert!(said.starts_with("database: ") && said.lines().count() == 1, "{said}");
    // Nothing that a restart would help.
    assert_eq!(ask(address, "/healthz").await?.0, 200);
    Ok(())
}

#[tokio::test]
async fn a_store_that_never_answers_is_said_to_be_missing_within_seconds() -> anyhow::Result<()> {
    let database = Database::create().await?;
    // It takes connections and says nothing.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await?;
    let store = StoreSettings {
        endpoint: format!("http://{}", silent.local_addr()?),
        access_key_id: "test".to_owned(),
        secret_access_key: "test".to_owned(),
        ..StoreSettings::default()
    };
    let address = serve(&open(&database, &store).await?).await?;
    assert_eq!(ask(address, "/readyz").await?, (503, "store: no answer within 2 s\n".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_broker_that_has_gone_silent_is_said_to_be_missing_within_seconds() -> anyhow::Result<()> {
    let (database, bucket, broker) = (Database::create().await?, Bucket::create().await?, Broker::scratch());
    let line = Line::to(&broker).await?;
    let connections = Connections::open(database.pool.clone(), &line.settings, &bucket.settings).await?;
    let address = serve(&connections).await?;
    assert_eq!(ask(address, "/readyz").await?, (200, "ok\n".to_owned()));
    line.dead.send_replace(true);
    assert_eq!(ask(address, "/readyz").await?, (503, "bus: no answer within 2 s\n".to_owned()));
    line.dead.send_replace(false);
    until("the broker answers again", || async { Ok(ask(address, "/readyz").await?.0 == 200) }).await?;
    broker.delete().await
}

/// A line to the broker that can go dead: nothing is closed, and nothing comes through.
struct Line {
    settings: BusSettings,
    dead: watch::Sender<bool>,
}

impl Line {
    async fn to(broker: &Broker) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, rest) = broker.settings.url.rsplit_once('@').context("the test broker's URL has a user")?;
        let (upstream, vhost) = rest.split_once('/').unwrap_or((rest, ""));
        let url = format!("{address}@{}/{vhost}", listener.local_addr()?);
        let (dead, hears) = watch::channel(false);
        let upstream = upstream.to_owned();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&upstream).await?;
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(carry(near_in, far_out, hears.clone()));
                tokio::spawn(carry(far_in, near_out, hears.clone()));
            }
            anyhow::Ok(())
        });
        Ok(Self { settings: BusSettings { url, ..broker.settings.clone() }, dead })
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut dead: watch::Receiver<bool>) -> anyhow::Result<()> {
    let mut bytes = [0; 4_096];
    loop {
        let length = from.read(&mut bytes).await?;
        if length == 0 {
            return Ok(());
        }
        dead.wait_for(|dead| !dead).await?;
        to.write_all(&bytes[..length]).await?;
    }
}

#[tokio::test]
async fn a_wrong_setting_is_named_with_what_is_right() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let connections = open(&database, &StoreSettings::default()).await?;
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let serve = async |listen: &str| {
        let missing = missing_of(&connections);
        let served = operations::serve(listen, metrics.clone(), missing, CancellationToken::new()).await;
        served.map_err(|error| error.to_string())
    };
    assert_eq!(serve("").await, Ok(()));
    let error = serve("localhost").await.expect_err("it has no port");
    assert!(error.contains("\"localhost\"") && error.contains("127.0.0.1:9464"), "{error}");
    let taken = TcpListener::bind(("127.0.0.1", 0)).await?;
    let error = serve(&taken.local_addr()?.to_string()).await.expect_err("it is taken");
    assert!(error.contains("each daemon needs one of its own"), "{error}");

    let refused = |settings: TelemetrySettings| telemetry::start(&settings).err().map(|error| error.to_string());
    let error = refused(TelemetrySettings { trace_sample_ratio: 1.5, ..TelemetrySettings::default() });
    assert!(error.is_some_and(|error| error.contains("1.5")));
    let error =
        refused(TelemetrySettings { otlp_endpoint: "collector:4317".to_owned(), ..TelemetrySettings::default() });
    assert!(error.is_some_and(|error| error.contains("\"collector:4317\"")));
    let wrong = TelemetrySettings { filter: "atelier=loud".to_owned(), ..TelemetrySettings::default() };
    assert!(matches!(telemetry::start(&wrong), Err(TelemetryError::Filter(_))));
    Ok(())
}

#[tokio::test]
async fn the_heartbeats_of_loops_are_in_the_metrics() -> anyhow::Result<()> {
    let telemetry = telemetry::start(&TelemetrySettings::default())?;
    let _pulse = Pulse::of("a test's");
    let series = "atelier_heartbeat_timestamp_seconds{loop=\"a test's\"} ";
    until("the heartbeat is shown", || async { Ok(telemetry.metrics.render().contains(series)) }).await
}
