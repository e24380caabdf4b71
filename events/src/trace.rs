//! Traces: which span the work at hand belongs to, and how that travels through the log.
//!
//! ```text
//! request ──▶ append        stored with each event: the traceparent of what made it
//!    ├──▶ publish           one per event, in the relay
//!    └──▶ attempt ──▶ provider, store, append, settle
//!            └──▶ publish, attempt …    of the events that the attempt made
//! ```
//!
//! A traceparent (W3C trace context) is all that is carried, in [`Recorded::traceparent`] and so in the log, in the
//! message's headers and in the job's row. Without a collector nothing of this happens, but for a client's own
//! traceparent, which is still handed on.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::trace::{SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use sha2::{Digest, Sha256};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::event::Recorded;
use crate::jobs::Claimed;

/// Whether spans go anywhere: set once, at the start of the process.
static ON: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The id for the span that begins next on this thread.
    static NEXT_SPAN_ID: Cell<Option<SpanId>> = const { Cell::new(None) };
}

pub(crate) fn turn_on() {
    ON.store(true, Ordering::Relaxed);
}

/// The traceparent of what runs now: for the events that it makes.
#[must_use]
pub fn current() -> Option<String> {
    if !ON.load(Ordering::Relaxed) {
        return None;
    }
    let context = opentelemetry::Context::current();
    let span = context.span();
    let at = span.span_context();
    at.is_valid().then(|| format!("00-{}-{}-{:02x}", at.trace_id(), at.span_id(), at.trace_flags().to_u8()))
}

/// Whether this is a traceparent of W3C trace context: anything else would travel through log and broker for nothing.
#[must_use]
pub fn is_traceparent(value: &str) -> bool {
    parse(value).is_some()
}

/// Makes a span that has not begun the child of whoever sent this traceparent, and begins it. Without one, or with one
/// that is none, it begins a trace of its own. The span's fields `otel.name`, `otel.kind` and `trace.id` are filled in
/// where it has them.
pub fn follow(span: &Span, traceparent: Option<&str>, kind: &'static str, name: impl FnOnce() -> String) {
    if ON.load(Ordering::Relaxed) {
        begin(span, traceparent.and_then(parse), kind, &name());
    }
}

/// Begins the span of an attempt: the child of what made its event. A later attempt is in the same trace and has a link
/// to the one before it. That needs no memory, because an attempt's span id follows from its job and fence.
pub fn follow_attempt(span: &Span, claimed: &Claimed, consumer: &'static str) {
    if !ON.load(Ordering::Relaxed) {
        return;
    }
    let cause = claimed.event.traceparent.as_deref().and_then(parse);
    if let Some(cause) = &cause {
        if claimed.fence > 1 {
            let before = attempt_span_id(cause.trace_id(), claimed.job, claimed.fence - 1);
            let before = SpanContext::new(cause.trace_id(), before, cause.trace_flags(), true, TraceState::default());
            span.add_link(before);
        }
        NEXT_SPAN_ID.set(Some(attempt_span_id(cause.trace_id(), claimed.job, claimed.fence)));
    }
    begin(span, cause, "consumer", &format!("attempt {consumer}"));
    NEXT_SPAN_ID.set(None);
}

/// One span for each of these events that is traced, as the child of what made it, while something is done with all of
/// them at once. They end when they are dropped.
#[must_use]
pub fn follow_each(events: &[Recorded], kind: &'static str, name: &str) -> Vec<Span> {
    if !ON.load(Ordering::Relaxed) {
        return Vec::new();
    }
    let sampled = events.iter().filter_map(|event| {
        let cause = event.traceparent.as_deref().and_then(parse).filter(SpanContext::is_sampled)?;
        let span = tracing::debug_span!(
            parent: None, "events", event.position = event.position.0, event.type = event.event_type,
            otel.name = tracing::field::Empty, otel.kind = tracing::field::Empty,
        );
        begin(&span, Some(cause), kind, name);
        Some(span)
    });
    sampled.collect()
}

/// Says in the trace that what this span stands for went wrong.
pub fn failed(span: &Span, error: &str) {
    if ON.load(Ordering::Relaxed) {
        span.set_status(Status::error(error.to_owned()));
    }
}

fn begin(span: &Span, cause: Option<SpanContext>, kind: &'static str, name: &str) {
    span.record("otel.kind", kind);
    span.record("otel.name", name);
    if let Some(cause) = cause {
        // It fails for a span that has begun or that nobody records; there is nothing to follow then.
        drop(span.set_parent(opentelemetry::Context::new().with_remote_span_context(cause)));
    }
    // This begins it: what follows it from here on finds its id.
    let context = span.context();
    let at = context.span().span_context().clone();
    if at.is_valid() {
        span.record("trace.id", tracing::field::display(at.trace_id()));
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>` in lower case, neither id zero. A later version may say more after that.
fn parse(value: &str) -> Option<SpanContext> {
    let mut parts = value.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let more = parts.next().is_some();
    let known = hex(version, 2) && version != "ff" && !(more && version == "00");
    if !(known && hex(trace, 32) && hex(span, 16) && hex(flags, 2)) {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

fn attempt_span_id(trace: TraceId, job: i64, fence: i64) -> SpanId {
    let mut hash = Sha256::new();
    hash.update(trace.to_bytes());
    hash.update(job.to_be_bytes());
    hash.update(fence.to_be_bytes());
    let mut id = [0; 8];
    id.copy_from_slice(&hash.finalize()[..8]);
    SpanId::from_bytes(id)
}

/// Random ids, except for a span that is told its own.
#[derive(Debug, Default)]
pub(crate) struct SpanIds(RandomIdGenerator);

impl IdGenerator for SpanIds {
    fn new_trace_id(&self) -> TraceId {
        self.0.new_trace_id()
    }

    fn new_span_id(&self) -> SpanId {
        NEXT_SPAN_ID.take().unwrap_or_else(|| self.0.new_span_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_w3c_traceparent_is_carried_on() {
        assert!(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert!(is_traceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like"));
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-\n-00f067aa0ba902b7-01",
        ] {
            assert!(!is_traceparent(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn an_attempt_has_the_span_id_that_the_next_one_links_to() {
        let trace = TraceId::from_bytes([7; 16]);
        assert_eq!(attempt_span_id(trace, 1, 2), attempt_span_id(trace, 1, 2));
        assert_ne!(attempt_span_id(trace, 1, 2), attempt_span_id(trace, 1, 3));
        assert_ne!(attempt_span_id(trace, 1, 2), attempt_span_id(trace, 2, 2));
    }

    #[test]
    fn nothing_is_followed_while_tracing_is_off() {
        assert_eq!(current(), None);
        let span = tracing::Span::none();
        follow(&span, Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), "server", || {
            unreachable!("no name is made for nobody")
        });
    }
}
