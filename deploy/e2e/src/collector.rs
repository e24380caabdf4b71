//! An OpenTelemetry collector of a test's own: OTLP over real HTTP, and nothing else. It ends with the test's runtime.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use prost::Message;
use tokio::net::TcpListener;

/// A collector that keeps what it is sent.
pub struct Collector {
    /// What a daemon is told of it.
    pub endpoint: String,
    spans: Arc<Mutex<Vec<Span>>>,
}

/// A span as it came.
#[derive(Clone, Debug)]
pub struct Span {
    /// Which program made it.
    pub service: String,
    /// What it stands for.
    pub name: String,
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub id: String,
    /// 16 hex digits; empty for the first of a trace.
    pub parent_id: String,
    /// The ids of the spans that it is linked to.
    pub links: Vec<String>,
    /// Whether it went wrong.
    pub failed: bool,
    /// Its fields.
    pub fields: BTreeMap<String, String>,
}

impl Collector {
    /// Starts one.
    pub async fn start() -> anyhow::Result<Self> {
        let spans = Arc::default();
        let router = Router::new().route("/v1/traces", post(receive)).with_state(Arc::clone(&spans));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { endpoint, spans })
    }

    /// What has come so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn receive(State(spans): State<Arc<Mutex<Vec<Span>>>>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
    let mut received = spans.lock().unwrap_or_else(PoisonError::into_inner);
    for sent in request.resource_spans {
        let resource = fields(&sent.resource.unwrap_or_default().attributes);
        let service = resource.get("service.name").cloned().unwrap_or_default();
        for span in sent.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            received.push(Span {
                service: service.clone(),
                name: span.name,
                trace_id: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent_id: hex(&span.parent_span_id),
                links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
                // 2 is an error in the protocol's numbers.
                failed: span.status.is_some_and(|status| status.code == 2),
                fields: fields(&span.attributes),
            });
        }
    }
    StatusCode::OK
}

fn fields(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(truth) => truth.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let value = |field: &KeyValue| field.value.as_ref().and_then(|value| value.value.as_ref()).map(text);
    attributes.iter().map(|field| (field.key.clone(), value(field).unwrap_or_default())).collect()
}

fn hex(bytes: &[u8]) -> String {
    format!("{:x}", Bytes::copy_from_slice(bytes))
}
