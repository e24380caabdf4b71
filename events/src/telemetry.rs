//! What a daemon says about itself: log lines, metrics and traces.

pub mod metrics;

mod traces;

use std::time::Duration;

use ::metrics::SetRecorderError;
use metrics_exporter_prometheus::{BuildError, PrometheusHandle, PrometheusRecorder};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::DynFilterFn;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
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
    match &traces {
        // The filter is for everything: what it leaves out costs nothing.
        None => Registry::default().with(filter).with(lines(settings.format)).init(),
        Some(provider) => {
            let spans = tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("atelier"))
                .with_location(false)
                .with_threads(false)
                .with_tracked_inactivity(false)
                .with_filter(asked_each_time());
            Registry::default().with(lines(settings.format).with_filter(filter)).with(spans).init();
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

fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    }
}

async fn keep_up(metrics: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
        health::measure();
    }
}

/// Each span and event is asked about anew, by both filters. Were the answers kept, then whoever asks whether something
/// would be logged and does not log it (sqlx, for each statement) would leave its own answer behind, and the next span on
/// that thread would be taken for filtered out.
fn asked_each_time<S>() -> DynFilterFn<S> {
    DynFilterFn::new(is_traced as fn(&Metadata<'_>, &Context<'_, S>) -> bool).with_max_level_hint(LevelFilter::DEBUG)
}

/// Our own spans, and what went wrong in them. Those of the libraries are about their insides.
fn is_traced<S>(metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
    metadata.target().starts_with("atelier") && (metadata.is_span() || *metadata.level() <= Level::WARN)
}
