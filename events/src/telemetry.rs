//! What a daemon says about itself: log lines, metrics and traces.

pub mod metrics;

mod traces;

use std::time::Duration;

use ::metrics::SetRecorderError;
use metrics_exporter_prometheus::{BuildError, PrometheusHandle, PrometheusRecorder};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::settings::{LogFormat, TelemetrySettings};
use crate::{health, trace};

/// How often what histograms have gathered is put into their buckets; in between it takes memory.
const UPKEEP: Duration = Duration::from_secs(5);

/// Why telemetry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("telemetry.filter {0:?} is not a list of tracing directives (such as info,atelier_site=debug)")]
    Filter(String),
    /// Not an address of HTTP.
    #[error("telemetry.otlp_endpoint {0:?} is not a collector's address over HTTP (such as http://127.0.0.1:4318)")]
    Endpoint(String),
    /// Not a share.
    #[error("telemetry.trace_sample_ratio {0} is not from 0 (none) to 1 (all)")]
    SampleRatio(f64),
    /// The HTTP client cannot be made.
    #[error("spans cannot be sent")]
    Client(#[source] reqwest::Error),
    /// A metric has no buckets.
    #[error("metrics cannot be kept")]
    Metrics(#[from] BuildError),
    /// It was started before.
    #[error("telemetry was started before in this process")]
    Started(#[from] SetRecorderError<PrometheusRecorder>),
}

/// Telemetry that runs.
pub struct Telemetry {
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Sends the spans that wait to the collector, bounded: the last thing a process does.
    pub async fn finish(self) {
        if let Some(traces) = self.traces {
            traces::flush(traces).await;
        }
    }
}

/// Starts log lines on stderr, metrics and, where a collector is set, traces. Call once, inside a tokio runtime.
pub fn start(settings: &TelemetrySettings) -> Result<Telemetry, TelemetryError> {
    let filter = EnvFilter::try_new(&settings.filter).map_err(|_| TelemetryError::Filter(settings.filter.clone()))?;
    let traces = traces::provider(settings)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match settings.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    match &traces {
        // The filter for everything: what it leaves out costs nothing.
        None => Registry::default().with(lines.with_filter(filter)).init(),
        Some(provider) => {
            let spans = tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("atelier"))
                .with_location(false)
                .with_threads(false)
                .with_tracked_inactivity(false)
                .with_filter(FilterFn::new(is_traced).with_max_level_hint(LevelFilter::DEBUG));
            Registry::default().with(lines.with_filter(filter)).with(spans).init();
            trace::turn_on();
        }
    }
    let recorder = metrics::builder()?.build_recorder();
    let handle = recorder.handle();
    ::metrics::set_global_recorder(recorder)?;
    metrics::describe();
    tokio::spawn(keep_up(handle.clone()));
    Ok(Telemetry { metrics: handle, traces })
}

async fn keep_up(metrics: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
        health::measure();
    }
}

/// Our own spans, and what went wrong in them. Those of the libraries are about their insides.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("atelier") && (metadata.is_span() || *metadata.level() <= Level::WARN)
}
