use std::time::Instant;

use aws_sdk_s3::error::SdkError;
use futures::future::BoxFuture;
use tracing::Instrument;

/// One request to the store, the client's retries included: a span, and a line in the metrics. Boxed, as the client's
/// futures take 9 KiB each.
pub(super) fn observed<'a, T, E>(
    operation: &'static str,
    key: &'a str,
    sending: impl Future<Output = Result<T, SdkError<E>>> + Send + 'a,
) -> BoxFuture<'a, Result<T, SdkError<E>>>
where
    T: Send,
    E: Send,
{
    Box::pin(async move {
        let span = tracing::debug_span!(
            "store",
            otel.name = operation,
            otel.kind = "client",
            store.operation = operation,
            blob.key = key,
            store.outcome = tracing::field::Empty,
        );
        let began = Instant::now();
        let answer = sending.instrument(span.clone()).await;
        let outcome = match &answer {
            Ok(_) => "ok",
            // Often the answer that was hoped for, and no failure of the store.
            Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404) => "not_found",
            Err(_) => {
                crate::trace::failed(&span, operation);
                "error"
            }
        };
        span.record("store.outcome", outcome);
        metrics::histogram!("atelier_store_request_seconds", "operation" => operation, "outcome" => outcome)
            .record(began.elapsed().as_secs_f64());
        answer
    })
}
