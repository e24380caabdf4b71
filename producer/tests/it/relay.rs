//! The relay: one leads, whoever dies, and nothing is lost.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use atelier_e2e::{Broker, Gauges, append_newer, until};
use atelier_events::bus::{Bus, BusError, DeadLetters, Inbox, Message, RabbitBus, Received};
use atelier_events::{ArtworkId, Consumer, Position, Recorded, Stream, jobs, lead};
use atelier_producer::relay;
use atelier_producer::settings::RelaySettings;
use futures::future::BoxFuture;
use serde_json::json;
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::studio::Studio;

fn settings() -> RelaySettings {
    RelaySettings { lease_ttl_ms: 600, batch: 7, poll_interval_ms: 50, ..RelaySettings::default() }
}

fn start(studio: &Studio, bus: &Arc<dyn Bus>) -> (JoinHandle<anyhow::Result<()>>, CancellationToken) {
    let shutdown = CancellationToken::new();
    let relay = relay::run(studio.log.clone(), Arc::clone(bus), settings(), shutdown.clone());
    (tokio::spawn(relay), shutdown)
}

async fn published(studio: &Studio, position: Position) -> anyhow::Result<()> {
    atelier_e2e::until("the relay has published", async || {
        Ok(lead::checkpoint(studio.log.pool(), "relay").await? >= position)
    })
    .await
}

/// Every event that somebody works on has its job, and none has two.
async fn check_jobs(pool: &PgPool, expected: i64) -> anyhow::Result<()> {
    let counts = jobs::count(pool).await?;
    let generate: i64 = counts.iter().filter(|count| count.consumer == "generate").map(|count| count.jobs).sum();
    assert_eq!(generate, expected);
    Ok(())
}

async fn holder(pool: &PgPool) -> anyhow::Result<Option<String>> {
    let holder = sqlx::query_scalar("select holder from leaders where name = 'relay' and lease_until > now()");
    Ok(holder.fetch_optional(pool).await?)
}

#[tokio::test]
async fn another_takes_over_when_the_leader_dies_and_loses_nothing() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let (first, _) = start(&studio, &studio.bus);
    studio.post("/v1/generations", &json!({ "prompt": "x", "count": 16 })).await?;
    published(&studio, Position(32)).await?;
    let leader = holder(studio.log.pool()).await?;
    let (second, shutdown) = start(&studio, &studio.bus);
    // As a process that is killed: it does not give its lease back.
    first.abort();
    studio.post("/v1/generations", &json!({ "prompt": "y", "count": 16 })).await?;
    published(&studio, Position(64)).await?;
    assert_ne!(holder(studio.log.pool()).await?, leader);
    check_jobs(studio.log.pool(), 32).await?;
    shutdown.cancel();
    second.await??;
    Ok(())
}

#[tokio::test]
async fn a_leader_that_stops_lets_another_lead_at_once() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let (first, shutdown) = start(&studio, &studio.bus);
    atelier_e2e::until("it leads", async || Ok(holder(studio.log.pool()).await?.is_some())).await?;
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(10), first).await???;
    assert_eq!(holder(studio.log.pool()).await?, None);
    Ok(())
}

/// A bus with which something happens before it takes events.
struct Troubled<T> {
    bus: Arc<dyn Bus>,
    trouble: T,
}

impl<T> Bus for Troubled<T>
where
    T: Fn(Vec<i64>) -> BoxFuture<'static, Result<(), BusError>> + Send + Sync,
{
    fn publish<'a>(&'a self, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), BusError>> {
        let trouble = (self.trouble)(events.iter().map(|event| event.position.0).collect());
        Box::pin(async move {
            trouble.await?;
            self.bus.publish(events).await
        })
    }

    fn deliver<'a>(&'a self, consumer: Consumer, events: &'a [Recorded]) -> BoxFuture<'a, Result<(), BusError>> {
        self.bus.deliver(consumer, events)
    }

    fn inbox(&self, consumer: Consumer, prefetch: u16) -> BoxFuture<'_, Result<Box<dyn Inbox>, BusError>> {
        self.bus.inbox(consumer, prefetch)
    }

    fn dead_letters(&self) -> Option<DeadLetters> {
        self.bus.dead_letters()
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), BusError>> {
        self.bus.ready()
    }
}

fn down() -> BusError {
    BusError::Unreachable("it restarts".to_owned())
}

#[tokio::test]
async fn a_bus_that_is_down_delays_events_and_loses_none() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let taken: Arc<Mutex<Vec<i64>>> = Arc::default();
    let (failures, record) = (AtomicU32::new(4), Arc::clone(&taken));
    let trouble = move |positions| -> BoxFuture<'static, _> {
        let down_still = failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if !down_still {
            record.lock().expect("nobody panics with it").extend::<Vec<i64>>(positions);
        }
        Box::pin(async move { if down_still { Err(down()) } else { Ok(()) } })
    };
    let bus: Arc<dyn Bus> = Arc::new(Troubled { bus: studio.bus.clone(), trouble });
    let (relay, shutdown) = start(&studio, &bus);
    // Commands are taken while it is down.
    studio.post("/v1/generations", &json!({ "prompt": "x", "count": 16 })).await?;
    published(&studio, Position(32)).await?;
    let expected: Vec<i64> = (1..=32).collect();
    assert_eq!(*taken.lock().expect("nobody panics with it"), expected);
    check_jobs(studio.log.pool(), 16).await?;
    shutdown.cancel();
    relay.await??;
    Ok(())
}

// One thread: the recorder is that thread's, so that tests beside this one do not write to it.
#[tokio::test]
async fn a_relay_that_cannot_publish_tells_how_far_it_is_behind_until_it_has_caught_up() -> anyhow::Result<()> {
    let gauges = Gauges::default();
    let _guard = metrics::set_default_local_recorder(&gauges);
    let studio = Studio::open().await?;
    let is_down = Arc::new(AtomicBool::new(true));
    let down_still = Arc::clone(&is_down);
    let trouble = move |_| -> BoxFuture<'static, _> {
        let down_still = down_still.load(Ordering::SeqCst);
        Box::pin(async move { if down_still { Err(down()) } else { Ok(()) } })
    };
    let bus: Arc<dyn Bus> = Arc::new(Troubled { bus: studio.bus.clone(), trouble });
    let (relay, shutdown) = start(&studio, &bus);
    studio.post("/v1/generations", &json!({ "prompt": "x", "count": 2 })).await?;
    let lag = || (gauges.value("atelier_relay_lag_events"), gauges.value("atelier_relay_lag_seconds"));
    let is_behind = |(events, seconds): (f64, f64)| (events - 4.0).abs() < f64::EPSILON && seconds > 0.0;
    until("it tells how far it is behind", async || Ok(is_behind(lag()))).await?;
    is_down.store(false, Ordering::SeqCst);
    until("it tells that it has caught up", async || Ok(lag() == (0.0, 0.0))).await?;
    shutdown.cancel();
    relay.await??;
    Ok(())
}

#[tokio::test]
async fn a_window_waits_for_no_confirm_and_the_checkpoint_for_that_of_the_first() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    for count in [16, 8] {
        studio.post("/v1/generations", &json!({ "prompt": "x", "count": count })).await?;
    }
    // The confirm of each window that comes, for the test to give.
    let (come, mut coming) = mpsc::unbounded_channel();
    let trouble = move |positions: Vec<i64>| -> BoxFuture<'static, _> {
        let (confirm, confirmed) = oneshot::channel();
        come.send((positions[0], confirm)).expect("the test listens");
        Box::pin(async move { confirmed.await.unwrap_or_else(|_| Err(down())) })
    };
    let bus: Arc<dyn Bus> = Arc::new(Troubled { bus: studio.bus.clone(), trouble });
    let (relay, shutdown) = start(&studio, &bus);

    let first = coming.recv().await.context("the relay has ended")?;
    assert_eq!(first.0, 1);
    for begins in [8, 15, 22] {
        let (position, confirm) = coming.recv().await.context("the relay has ended")?;
        assert_eq!(position, begins);
        confirm.send(Ok(())).expect("the relay waits for it");
    }
    // Long enough for another, and for a checkpoint that does not wait.
    let fifth = tokio::time::timeout(Duration::from_millis(300), coming.recv()).await;
    assert!(fifth.is_err(), "a fifth window was sent");
    assert_eq!(lead::checkpoint(studio.log.pool(), "relay").await?, Position(0));

    // What came after a window that is not taken comes again.
    first.1.send(Err(down())).expect("the relay waits for it");
    let mut again = Vec::new();
    for _ in 0..7 {
        let (position, confirm) = coming.recv().await.context("the relay has ended")?;
        again.push(position);
        confirm.send(Ok(())).expect("the relay waits for it");
    }
    assert_eq!(again, [1, 8, 15, 22, 29, 36, 43]);
    published(&studio, Position(48)).await?;
    check_jobs(studio.log.pool(), 24).await?;
    shutdown.cancel();
    relay.await??;
    Ok(())
}

#[tokio::test]
async fn a_crash_of_the_database_that_forgets_jobs_does_not_leave_the_checkpoint_past_them() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    studio.post("/v1/generations", &json!({ "prompt": "x", "count": 16 })).await?;
    let (pool, crashes) = (studio.log.pool().clone(), AtomicU32::new(1));
    // The database crashes as the first events are taken, and forgets the jobs that were enlisted for them.
    let trouble = move |_| -> BoxFuture<'static, _> {
        let crashes = crashes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        let pool = pool.clone();
        Box::pin(async move {
            if crashes {
                let crash = "delete from available_jobs; delete from jobs;
                             select pg_terminate_backend(pid) from pg_stat_activity
                             where datname = current_database() and pid <> pg_backend_pid()";
                sqlx::raw_sql(crash).execute(&pool).await.expect("the database crashes");
            }
            Ok(())
        })
    };
    let bus: Arc<dyn Bus> = Arc::new(Troubled { bus: studio.bus.clone(), trouble });
    let (relay, shutdown) = start(&studio, &bus);
    // Its own connections crash with the others.
    atelier_e2e::until("the relay has published", async || {
        let checkpoint = lead::checkpoint(studio.log.pool(), "relay").await;
        Ok(checkpoint.is_ok_and(|position| position >= Position(32)))
    })
    .await?;
    check_jobs(studio.log.pool(), 16).await?;
    shutdown.cancel();
    relay.await??;
    Ok(())
}

#[tokio::test]
async fn jobs_that_come_due_or_lose_their_worker_are_available_again() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let pool = studio.log.pool();
    studio.post("/v1/generations", &json!({ "prompt": "x", "count": 2 })).await?;
    jobs::enlist(pool, Position(0), Position(4)).await?;
    let claimed = jobs::claim(pool, Consumer::Generate, 2, "worker", 1).await?;
    let end = jobs::End::Retryable { error: "no paint".to_owned(), delay_ms: 100 };
    let settlement = jobs::Settlement { job: claimed[0].job, fence: claimed[0].fence, end, writes: Vec::new() };
    jobs::settle(pool, &[settlement]).await?;
    let (relay, shutdown) = start(&studio, &studio.bus);
    atelier_e2e::until("both are available", async || {
        let counts = jobs::count(pool).await?;
        Ok(counts.iter().any(|count| count.state == "available" && count.jobs == 2))
    })
    .await?;
    shutdown.cancel();
    relay.await??;
    Ok(())
}

#[tokio::test]
async fn what_is_published_to_a_broker_arrives_at_whom_it_concerns() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let broker = Broker::scratch();
    let bus: Arc<dyn Bus> = Arc::new(RabbitBus::connect(&broker.settings).await?);
    let mut inbox = bus.inbox(Consumer::Generate, 100).await?;
    let (relay, shutdown) = start(&studio, &bus);
    studio.post("/v1/generations", &json!({ "prompt": "x", "count": 16 })).await?;
    let mut arrived = BTreeSet::new();
    let receiving = async {
        while arrived.len() < 16 {
            if let Received::Messages(messages) = inbox.receive(100).await {
                arrived.extend(messages.iter().map(|message| message.position.0));
                Message::ack_all(messages).await;
            }
        }
    };
    tokio::time::timeout(atelier_e2e::PATIENCE, receiving).await?;
    assert_eq!(arrived, (1..=16).map(|number| number * 2).collect());
    shutdown.cancel();
    relay.await??;
    drop(inbox);
    broker.delete().await
}

#[tokio::test]
async fn an_event_of_an_unknown_type_holds_up_nothing_and_is_kept_for_who_knows_it() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let pool = studio.log.pool();
    let broker = Broker::scratch();
    let bus: Arc<dyn Bus> = Arc::new(RabbitBus::connect(&broker.settings).await?);
    let result = async {
        let (relay, shutdown) = start(&studio, &bus);
        // No queue is bound to its type.
        let unknown = append_newer(pool, &Stream::artwork(ArtworkId::new()), "variant.captioned", 1).await?;
        studio.post("/v1/generations", &json!({ "prompt": "x", "count": 2 })).await?;
        published(&studio, studio.log.head().await?).await?;
        check_jobs(pool, 2).await?;
        assert_eq!(passed_over(pool).await?, [unknown.0]);
        shutdown.cancel();
        relay.await?
    }
    .await;
    broker.delete().await?;
    result
}

#[tokio::test]
async fn what_an_older_version_s_relay_passed_over_is_enlisted_and_published_by_the_one_that_knows_it()
-> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let pool = studio.log.pool();
    let broker = Broker::scratch();
    let rabbit = Arc::new(RabbitBus::connect(&broker.settings).await?);
    let bus: Arc<dyn Bus> = rabbit.clone();
    let result = async {
        studio.post("/v1/generations", &json!({ "prompt": "x", "count": 2 })).await?;
        let requested = studio.log.read(Position(0), 10).await?;
        let requested: Vec<i64> = requested
            .iter()
            .filter(|event| event.event_type == "variant.requested")
            .map(|event| event.position.0)
            .collect();
        // The relay before did not know variant.requested: its checkpoint is beyond, there are no jobs, and no messages.
        sqlx::query("update checkpoints set position = $1 where name = 'relay'")
            .bind(studio.log.head().await?)
            .execute(pool)
            .await?;
        sqlx::query(
            "insert into passed_over (position, type) select position, type from events where position = any ($1)",
        )
        .bind(&requested)
        .execute(pool)
        .await?;
        let (relay, shutdown) = start(&studio, &bus);
        atelier_e2e::until("nothing is passed over any more", async || Ok(passed_over(pool).await?.is_empty())).await?;
        check_jobs(pool, 2).await?;
        let mut inbox = rabbit.inbox(Consumer::Generate, 10).await?;
        let mut came = BTreeSet::new();
        while came.len() < requested.len() {
            let received = tokio::time::timeout(atelier_e2e::PATIENCE, inbox.receive(10)).await?;
            let Received::Messages(messages) = received else { anyhow::bail!("a hint instead of messages") };
            came.extend(messages.iter().map(|message| message.position.0));
            Message::ack_all(messages).await;
        }
        assert_eq!(came.into_iter().collect::<Vec<_>>(), requested);
        shutdown.cancel();
        relay.await?
    }
    .await;
    broker.delete().await?;
    result
}

async fn passed_over(pool: &PgPool) -> anyhow::Result<Vec<i64>> {
    Ok(sqlx::query_scalar("select position from passed_over order by position").fetch_all(pool).await?)
}

#[tokio::test]
async fn keys_are_remembered_as_long_as_the_settings_say_and_are_new_after_that() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let pool = studio.log.pool();
    let send = async |key: &'static str| -> anyhow::Result<serde_json::Value> {
        let body = json!({ "prompt": "x" });
        let request = studio.ann(reqwest::Method::POST, "/v1/generations").header("idempotency-key", key).json(&body);
        crate::studio::answer(request.send().await?, reqwest::StatusCode::ACCEPTED).await
    };
    let (old, young) = (send("old").await?, send("young").await?);
    let long_ago = "update idempotency_keys set created_at = now() - interval '2 hours' where key = 'ann/old'";
    assert_eq!(sqlx::query(long_ago).execute(pool).await?.rows_affected(), 1);
    assert_eq!(send("old").await?, old);
    let settings = RelaySettings { keep_idempotency_keys_s: 3_600, ..settings() };
    let shutdown = CancellationToken::new();
    let relay =
        tokio::spawn(relay::run(studio.log.clone(), Arc::clone(&studio.bus), settings.clone(), shutdown.clone()));
    atelier_e2e::until("the old key is forgotten", async || {
        let keys: Vec<String> = sqlx::query_scalar("select key from idempotency_keys").fetch_all(pool).await?;
        Ok(keys == ["ann/young"])
    })
    .await?;
    assert_eq!(send("young").await?, young);
    assert_ne!(send("old").await?["id"], old["id"]);
    shutdown.cancel();
    relay.await??;

    let hasty = RelaySettings { keep_idempotency_keys_s: 3_599, ..settings };
    let refused = relay::run(studio.log.clone(), Arc::clone(&studio.bus), hasty, CancellationToken::new()).await;
    let refused = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.starts_with("relay.keep_idempotency_keys_s is 3599: make it 3600 at the least"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn jobs_that_ended_are_kept_as_long_as_the_settings_say_and_dead_letters_longer() -> anyhow::Result<()> {
    let studio = Studio::open().await?;
    let pool = studio.log.pool();
    for key in ["old", "dead", "young"] {
        let body = json!({ "prompt": key });
        let request = studio.ann(reqwest::Method::POST, "/v1/generations").header("idempotency-key", key).json(&body);
        crate::studio::answer(request.send().await?, reqwest::StatusCode::ACCEPTED).await?;
    }
    let (relay, shutdown) = start(&studio, &studio.bus);
    published(&studio, studio.log.head().await?).await?;
    shutdown.cancel();
    relay.await??;
    let prompt_of = "(select data -> 'recipe' ->> 'prompt' from events e where e.position = jobs.position and type = 'variant.requested')";
    for (prompt, state, age) in
        [("old", "completed", "2 hours"), ("dead", "discarded", "2 hours"), ("young", "completed", "0")]
    {
        let end = format!(
            "update jobs set state = '{state}', finished_at = now() - interval '{age}' where {prompt_of} like '%{prompt}%'"
        );
        assert_eq!(sqlx::query(sqlx::AssertSqlSafe(end)).execute(pool).await?.rows_affected(), 1, "{prompt}");
    }
    let settings = RelaySettings { keep_jobs_s: 3_600, ..settings() };
    let shutdown = CancellationToken::new();
    let relay = tokio::spawn(relay::run(studio.log.clone(), Arc::clone(&studio.bus), settings, shutdown.clone()));
    let left = format!("select {prompt_of} from jobs order by id");
    atelier_e2e::until("the old job is forgotten", async || {
        let left: Vec<Option<String>> = sqlx::query_scalar(sqlx::AssertSqlSafe(left.as_str())).fetch_all(pool).await?;
        Ok(left.iter().flatten().eq(["dead", "young"]))
    })
    .await?;
    shutdown.cancel();
    relay.await?
}
