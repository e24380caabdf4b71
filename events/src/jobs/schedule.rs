//! The relay's side: new events become jobs, jobs whose time has come or whose worker is gone become available, and old
//! ones are forgotten.

use sqlx::{PgExecutor, PgPool};

use crate::bus::PUBLISH_LIMIT;
use crate::consumer::{Consumer, Kind};
use crate::event::Recorded;
use crate::id::Position;

/// Makes a row of every job that the events in `(after, up_to]` are for, and answers how many are new.
///
/// A crash of the database may undo it until something else has been committed over the same connection, which is to be
/// where the checkpoint is moved past these events.
pub async fn enlist(executor: impl PgExecutor<'_>, after: Position, up_to: Position) -> sqlx::Result<i64> {
    let wanted = Consumer::ALL.into_iter().filter(|consumer| consumer.kind() == Kind::Job);
    let wanted = wanted.flat_map(|consumer| consumer.event_types().iter().map(move |event| (consumer, *event)));
    let (consumers, types): (Vec<Consumer>, Vec<&str>) = wanted.unzip();
    sqlx::query_scalar(include_str!("../../sql/enlist_jobs.sql"))
        .bind(consumers.iter().map(|consumer| consumer.name()).collect::<Vec<_>>())
        .bind(types)
        .bind(consumers.iter().map(|consumer| consumer.coalesces()).collect::<Vec<_>>())
        .bind(after)
        .bind(up_to)
        .fetch_one(executor)
        .await
}

/// Makes jobs available whose time has come, and answers the events to send to each consumer.
pub async fn due(pool: &PgPool) -> sqlx::Result<Vec<(Consumer, Vec<Recorded>)>> {
    to_deliver(pool, include_str!("../../sql/due_jobs.sql")).await
}

/// Makes jobs available whose lease has ended, and answers the events to send to each consumer.
pub async fn rescue(pool: &PgPool) -> sqlx::Result<Vec<(Consumer, Vec<Recorded>)>> {
    to_deliver(pool, include_str!("../../sql/rescue_jobs.sql")).await
}

async fn to_deliver(pool: &PgPool, statement: &'static str) -> sqlx::Result<Vec<(Consumer, Vec<Recorded>)>> {
    let limit = i64::try_from(PUBLISH_LIMIT).unwrap_or(i64::MAX);
    let rows: Vec<(String, Position)> = sqlx::query_as(statement).bind(limit).fetch_all(pool).await?;
    let mut deliveries = Vec::new();
    for consumer in Consumer::ALL {
        let positions: Vec<i64> =
            rows.iter().filter(|(name, _)| name == consumer.name()).map(|(_, position)| position.0).collect();
        if !positions.is_empty() {
            let events =
                sqlx::query_as(include_str!("../../sql/read_positions.sql")).bind(positions).fetch_all(pool).await?;
            deliveries.push((consumer, events));
        }
    }
    Ok(deliveries)
}

/// Forgets completed and cancelled jobs that ended so long ago, a page after this job's id at a time. Answers where the
/// next page begins (none: the rest is too young) and how many are gone.
pub async fn prune(pool: &PgPool, keep_s: i64, page: i64, after: i64) -> sqlx::Result<(Option<i64>, i64)> {
    sqlx::query_as(include_str!("../../sql/prune_jobs.sql")).bind(keep_s).bind(page).bind(after).fetch_one(pool).await
}
