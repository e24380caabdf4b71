//! What a daemon says about itself: log lines and metrics.

use std::net::SocketAddr;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, TelemetrySettings};

/// Seconds; from a claim to a slow provider.
const SECONDS: &[f64] =
    &[0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Why telemetry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("telemetry.filter {0:?} is not a list of tracing directives (such as info,atelier_site=debug)")]
    Filter(String),
    /// Not an address.
    #[error("telemetry.metrics_listen {0:?} is not an address (such as 127.0.0.1:9464)")]
    Address(String),
    /// The metrics' recorder cannot be installed or its address is taken.
    #[error("metrics cannot be served")]
    Metrics(#[from] BuildError),
}

/// Starts log lines on stderr and metrics. Call once, inside a tokio runtime; the handle renders the metrics for
/// whoever serves them himself.
pub fn start(settings: &TelemetrySettings) -> Result<PrometheusHandle, TelemetryError> {
    let filter = EnvFilter::try_new(&settings.filter).map_err(|_| TelemetryError::Filter(settings.filter.clone()))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?;
    if settings.metrics_listen.is_empty() {
        return Ok(builder.install_recorder()?);
    }
    let listen: SocketAddr =
        settings.metrics_listen.parse().map_err(|_| TelemetryError::Address(settings.metrics_listen.clone()))?;
    let (recorder, exporter) = builder.with_http_listener(listen).build()?;
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(BuildError::from)?;
    tokio::spawn(exporter);
    Ok(handle)
}
