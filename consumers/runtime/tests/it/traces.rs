//! Attempts are in the trace of what made their event, each linked to the one before.

use anyhow::Context as _;
use atelier_e2e::collector::{Collector, Span};
use atelier_e2e::until;
use atelier_events::settings::TelemetrySettings;
use atelier_events::telemetry;

use crate::scripted::{done, scripted};
use crate::stage::{Carrier, Stage, over};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_is_in_the_same_trace_and_linked_to_the_attempt_before_it() -> anyhow::Result<()> {
    let collector = Collector::start().await?;
    let otlp_endpoint = collector.endpoint.clone();
    let telemetry = telemetry::start(&TelemetrySettings { otlp_endpoint, ..TelemetrySettings::default() })?;
    over(Carrier::Postgres, async |stage| {
        let (job, begun) = scripted(|attempt| async move {
            anyhow::ensure!(attempt.number == 3, "not yet");
            Ok(done(&attempt))
        });
        let consumer = stage.start(job, Stage::settings());
        let events = stage.publish_traced(&format!("00-{TRACE}-{CLIENT}-01")).await?;
        stage.until_all("completed", &events).await?;
        assert_eq!(begun.of(&events[0]), [1, 2, 3]);
        consumer.stop().await?;
        let answers = stage.connections.log.read_stream(&events[0].stream).await?;
        let answered = answers.last().and_then(|event| event.traceparent.clone()).context("the answer has no trace")?;

        let attempts = || {
            let of_trace = |span: &Span| span.trace_id == TRACE && span.name == "attempt thumbnails";
            let mut attempts: Vec<Span> = collector.spans().into_iter().filter(of_trace).collect();
            attempts.sort_by_key(|span| span.fields.get("job.attempt").cloned());
            attempts
        };
        until("all attempts have come", || async { Ok(attempts().len() == 3) }).await?;
        let attempts = attempts();
        assert!(attempts.iter().all(|attempt| attempt.parent_id == CLIENT), "{attempts:#?}");
        assert_eq!(attempts[0].links, Vec::<String>::new());
        assert_eq!(attempts[1].links, [attempts[0].id.clone()]);
        assert_eq!(attempts[2].links, [attempts[1].id.clone()]);
        assert_eq!(attempts.iter().map(|attempt| attempt.failed).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(answered, format!("00-{TRACE}-{}-01", attempts[2].id));
        Ok(())
    })
    .await?;
    telemetry.finish().await;
    Ok(())
}
