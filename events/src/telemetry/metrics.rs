//! Every metric there is: the one place that names, describes and buckets them. The table for operators is
//! `deploy/grafana/README.md`, and a test keeps the two the same.

use metrics::Unit;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

/// Seconds; from a claim to a slow provider.
const SECONDS: &[f64] =
    &[0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// How many went in one batch.
const COUNTS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0];

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// What it is now.
    Gauge,
    /// How often which values came.
    Histogram,
}

impl Kind {
    /// As Prometheus writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// As Prometheus shows it. It ends in its unit.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it counts.
    pub unit: Unit,
    /// By what its series differ.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit: Unit::Count, labels, help }
}

const fn gauge(name: &'static str, unit: Unit, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, labels, help }
}

const fn seconds(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, unit: Unit::Seconds, labels, help }
}

const fn counts(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, unit: Unit::Count, labels, help }
}

/// All of them, in the order of an artwork's way.
pub const METRICS: &[Metric] = &[
    seconds(
        "atelier_http_request_seconds",
        &["method", "route", "status"],
        "From a request's head to its answer's head",
    ),
    seconds("atelier_log_append_seconds", &[], "From an append being handed over to its events being durable"),
    counts("atelier_log_batch_appends", &[], "Appends that went in one transaction"),
    gauge(
        "atelier_relay_leads",
        Unit::Count,
        &[],
        "Whether this process's relay leads: 1 or 0; what its gauges say counts while it does",
    ),
    gauge("atelier_relay_checkpoint", Unit::Count, &[], "The position up to which the relay has published"),
    gauge("atelier_relay_lag_events", Unit::Count, &[], "Events that wait to be published"),
    gauge("atelier_relay_lag_seconds", Unit::Seconds, &[], "Age of the oldest event that waits to be published"),
    counter("atelier_relay_published_total", &[], "Events that the bus has taken"),
    seconds("atelier_relay_publish_seconds", &[], "From an event being appended to the bus having taken it"),
    counts("atelier_relay_batch_events", &[], "Events published in one batch"),
    counter("atelier_relay_errors_total", &[], "Batches that could not be published and were tried again"),
    counter(
        "atelier_relay_jobs_sent_total",
        &["consumer", "why"],
        "Jobs sent again, because they came due or lost their worker",
    ),
    gauge(
        "atelier_jobs",
        Unit::Count,
        &["consumer", "state"],
        "Jobs that are not done, by state; discarded ones are the dead letters",
    ),
    gauge(
        "atelier_poison_messages",
        Unit::Count,
        &["consumer"],
        "Messages that no consumer could take: dead letters that are no job",
    ),
    seconds(
        "atelier_job_wait_seconds",
        &["consumer"],
        "From an event being appended to the start of its job's first attempt",
    ),
    seconds("atelier_attempt_seconds", &["consumer"], "From an attempt's start to its end"),
    counter(
        "atelier_attempts_total",
        &["consumer", "end"],
        "Attempts by how they ended; retryable ones are the retries, postponed ones found no database or bucket",
    ),
    seconds(
        "atelier_settle_seconds",
        &[],
        "One settling transaction: the ends of attempts and the events that tell of them",
    ),
    counts("atelier_settle_batch_jobs", &[], "Jobs settled in one transaction"),
    counter("atelier_jobs_stale_total", &[], "Late results that were void: their jobs were cancelled or taken over"),
    counter("atelier_jobs_pruned_total", &[], "Ended jobs that were forgotten because of their age"),
    counter("atelier_idempotency_keys_pruned_total", &[], "Idempotency keys that were forgotten because of their age"),
    counter("atelier_projection_events_total", &["consumer"], "Events applied by a projection"),
    gauge(
        "atelier_projection_checkpoint",
        Unit::Count,
        &["consumer"],
        "The position up to which a projection has been applied",
    ),
    gauge("atelier_projection_lag_events", Unit::Count, &["consumer"], "Events that a projection has not applied yet"),
    gauge(
        "atelier_projection_lag_seconds",
        Unit::Seconds,
        &["consumer"],
        "The age of the first event that a projection has not applied",
    ),
    seconds("atelier_site_deploy_seconds", &[], "One deploy of the gallery"),
    seconds("atelier_site_target_seconds", &["target"], "One release brought to the target"),
    counter("atelier_site_target_files_total", &["target"], "Files that were sent to the target"),
    counter(
        "atelier_site_target_failures_total",
        &["target"],
        "Releases that could not be brought to the target; each is tried again",
    ),
    counter(
        "atelier_site_replay_differing_files_total",
        &[],
        "Files that a replay of the gallery found to be other than they should be",
    ),
    seconds(
        "atelier_store_request_seconds",
        &["operation", "outcome"],
        "One request to the store of blobs, its retries included",
    ),
    counter("atelier_trace_export_errors_total", &[], "Batches of spans that the collector did not take"),
    gauge(
        "atelier_heartbeat_timestamp_seconds",
        Unit::Seconds,
        &["loop"],
        "When a loop of the daemon last went round, as Unix time",
    ),
];

/// A recorder that knows the buckets of all histograms.
pub(super) fn builder() -> Result<PrometheusBuilder, BuildError> {
    METRICS.iter().filter(|metric| metric.kind == Kind::Histogram).try_fold(
        PrometheusBuilder::new(),
        |builder, metric| {
            let buckets = if metric.unit == Unit::Seconds { SECONDS } else { COUNTS };
            builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)
        },
    )
}

/// Describes all of them, and begins those without labels at nothing, so that they are there before something happens.
pub(super) fn describe() {
    for &Metric { name, kind, unit, labels, help } in METRICS {
        match kind {
            Kind::Counter => metrics::describe_counter!(name, unit, help),
            Kind::Gauge => metrics::describe_gauge!(name, unit, help),
            Kind::Histogram => metrics::describe_histogram!(name, unit, help),
        }
        if labels.is_empty() && kind == Kind::Counter {
            metrics::counter!(name).absolute(0);
        }
    }
}
