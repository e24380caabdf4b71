//! Spans on their way to a collector: OTLP over HTTP, in batches, beside the work and never in its way.
//!
//! Bounds: [`QUEUE_SPANS`] wait at the most and what comes beyond is dropped, a batch has [`BATCH_SPANS`] and
//! [`REQUEST_TIMEOUT`] to arrive, in one request or several. A collector that cannot be reached is told of once, and again
//! when it is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::trace::{Link, SpanKind, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SamplingResult, SdkTracerProvider, ShouldSample,
};
use tokio::runtime::Handle;

use super::TelemetryError;
use crate::settings::TelemetrySettings;
use crate::trace::SpanIds;

/// Spans that wait to be sent.
const QUEUE_SPANS: usize = 8_192;
/// Spans in one request.
const BATCH_SPANS: usize = 512;
/// How long spans gather before they are sent.
const GATHERING: Duration = Duration::from_secs(2);
/// How long the collector may take to take a batch.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a process that ends waits for the collector.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(6);

/// Where the spans of traces are posted, below the endpoint.
const PATH: &str = "/v1/traces";

/// Starts sending spans; none when no endpoint is set. Call inside a tokio runtime.
pub(super) fn provider(settings: &TelemetrySettings) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    if !(0.0..=1.0).contains(&settings.trace_sample_ratio) {
        return Err(TelemetryError::SampleRatio(settings.trace_sample_ratio));
    }
    let Some(endpoint) = endpoint(&settings.otlp_endpoint)? else { return Ok(None) };
    let invalid = |_| TelemetryError::Endpoint(settings.otlp_endpoint.clone());
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Collector::new(&endpoint)?)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .with_timeout(REQUEST_TIMEOUT)
        .build()
        .map_err(invalid)?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE_SPANS)
        .with_max_export_batch_size(BATCH_SPANS)
        .with_scheduled_delay(GATHERING)
        .build();
    let sampler = Sampler::ParentBased(Box::new(Beginnings(Sampler::TraceIdRatioBased(settings.trace_sample_ratio))));
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
        .with_sampler(sampler)
        .with_id_generator(SpanIds::default())
        .with_resource(resource())
        .build();
    Ok(Some(provider))
}

/// Sends what waits, within [`FLUSH_TIMEOUT`].
pub(super) async fn flush(provider: SdkTracerProvider) {
    // It blocks until the last request has been answered, which this runtime sends.
    let flushed = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_TIMEOUT)).await;
    match flushed {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = %error, "the last spans did not reach the collector"),
        Err(error) => tracing::warn!(error = %error, "the last spans were not sent"),
    }
}

/// What may begin a trace: a request, an attempt. A daemon's own calls, of which there is one every few seconds, do not.
#[derive(Clone, Debug)]
struct Beginnings(Sampler);

impl ShouldSample for Beginnings {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let sampler = if matches!(kind, SpanKind::Server | SpanKind::Consumer) { &self.0 } else { &Sampler::AlwaysOff };
        sampler.should_sample(parent, trace_id, name, kind, attributes, links)
    }
}

/// The address to post to; none: off.
fn endpoint(setting: &str) -> Result<Option<String>, TelemetryError> {
    if setting.is_empty() {
        return Ok(None);
    }
    let url =
        reqwest::Url::parse(setting).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if url.is_none() {
        return Err(TelemetryError::Endpoint(setting.to_owned()));
    }
    let base = setting.trim_end_matches('/');
    Ok(Some(if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") }))
}

/// Which process the spans are of: the program's name, version, host and number.
fn resource() -> Resource {
    let program = std::env::current_exe().ok();
    let name =
        program.as_ref().and_then(|path| path.file_name()).map_or("atelier".into(), |name| name.to_string_lossy());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Resource::builder()
        .with_service_name(name.into_owned())
        .with_attributes([
            KeyValue::new("service.namespace", "atelier"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("host.name", host.trim().to_owned()),
            KeyValue::new("process.pid", i64::from(std::process::id())),
        ])
        .build()
}

/// The collector, reached over the HTTP client that is here anyway. Batches are made on a thread of their own, which has no
/// runtime; the requests are sent by the process's own.
#[derive(Debug)]
struct Collector {
    client: reqwest::Client,
    runtime: Handle,
    unreachable: Arc<AtomicBool>,
}

impl Collector {
    fn new(endpoint: &str) -> Result<Self, TelemetryError> {
        let mut builder = reqwest::Client::builder().timeout(REQUEST_TIMEOUT);
        if endpoint.starts_with("http://") {
            // A bare container has no certificates, and none are needed.
            builder = builder.tls_certs_only([]);
        }
        // Whoever comes first installs it; it is the same one everywhere.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = builder.build().map_err(TelemetryError::Client)?;
        Ok(Self { client, runtime: Handle::current(), unreachable: Arc::default() })
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move { send(&client, request).await }).await;
        let result = sent.unwrap_or_else(|error| Err(error.into()));
        let trouble = match &result {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it answered {}", response.status())),
            Err(error) => Some(chain(error.as_ref())),
        };
        match trouble {
            Some(error) => {
                metrics::counter!("atelier_trace_export_errors_total").increment(1);
                if !self.unreachable.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        error,
                        "spans do not reach the collector at telemetry.otlp_endpoint and are dropped"
                    );
                }
            }
            None => {
                if self.unreachable.swap(false, Ordering::Relaxed) {
                    tracing::info!("spans reach the collector again");
                }
            }
        }
        result
    }
}

async fn send(client: &reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let answer = client.execute(request.try_into()?).await?;
    let status = answer.status();
    let body = answer.bytes().await?;
    Ok(Response::builder().status(status).body(body)?)
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_the_collectors_base_or_its_whole_address() {
        let at = |setting: &str| endpoint(setting).ok().flatten();
        assert_eq!(at(""), None);
        assert_eq!(at("http://127.0.0.1:4318").as_deref(), Some("http://127.0.0.1:4318/v1/traces"));
        assert_eq!(
            at("https://otel.example.org/atelier/").as_deref(),
            Some("https://otel.example.org/atelier/v1/traces")
        );
        assert_eq!(at("http://127.0.0.1:4318/v1/traces").as_deref(), Some("http://127.0.0.1:4318/v1/traces"));
        for wrong in ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "collector"] {
            let error = endpoint(wrong).expect_err("it is no address of HTTP").to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
