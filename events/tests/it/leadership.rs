//! One leads at a time, and whoever led before cannot write any more.

use atelier_e2e::Database;
use atelier_events::Position;
use atelier_events::lead::{advance, advance_relay, checkpoint, resign, take};
use futures::future::join_all;

use crate::eventually::eventually;

const RELAY: &str = "relay";
const LONG: i64 = 60_000;

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_to_lead_one_does() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let holders: Vec<String> = (0..8).map(|number| format!("holder {number}")).collect();
    let terms = join_all(holders.iter().map(|holder| take(&database.pool, RELAY, holder, LONG))).await;
    let terms = terms.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(terms.iter().flatten().count(), 1, "{terms:?}");
    Ok(())
}

#[tokio::test]
async fn a_leader_that_renews_keeps_its_term_and_the_others_out() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let first = take(&database.pool, RELAY, "a", LONG).await?;
    assert!(first.is_some());
    assert_eq!(take(&database.pool, RELAY, "b", LONG).await?, None);
    assert_eq!(take(&database.pool, RELAY, "a", LONG).await?, first);
    assert!(take(&database.pool, "another", "b", LONG).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn after_a_take_over_the_term_is_another_and_the_old_one_moves_nothing() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let pool = &database.pool;
    let old = take(pool, RELAY, "a", 1).await?.ok_or_else(|| anyhow::anyhow!("nobody leads, yet a cannot"))?;
    assert!(advance_relay(pool, Position(5), old).await?);
    let new = eventually("the end of the lease", async || Ok(take(pool, RELAY, "b", LONG).await?)).await?;
    assert_ne!(new, old);
    assert!(!advance_relay(pool, Position(9), old).await?);
    assert_eq!(checkpoint(pool, RELAY).await?, Position(5));
    assert!(advance_relay(pool, Position(7), new).await?);
    assert_eq!(checkpoint(pool, RELAY).await?, Position(7));
    Ok(())
}

#[tokio::test]
async fn who_resigns_is_followed_at_once_and_only_the_holder_can() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let pool = &database.pool;
    take(pool, RELAY, "a", LONG).await?;
    resign(pool, RELAY, "b").await?;
    assert_eq!(take(pool, RELAY, "b", LONG).await?, None);
    resign(pool, RELAY, "a").await?;
    assert!(take(pool, RELAY, "b", LONG).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn a_checkpoint_starts_at_0_and_never_goes_back() -> anyhow::Result<()> {
    let database = Database::create().await?;
    let pool = &database.pool;
    assert_eq!(checkpoint(pool, "gallery").await?, Position(0));
    advance(pool, "gallery", Position(8)).await?;
    advance(pool, "gallery", Position(3)).await?;
    assert_eq!(checkpoint(pool, "gallery").await?, Position(8));
    let relay = take(pool, RELAY, "a", LONG).await?.ok_or_else(|| anyhow::anyhow!("nobody leads, yet a cannot"))?;
    assert!(advance_relay(pool, Position(8), relay).await?);
    assert!(!advance_relay(pool, Position(3), relay).await?);
    assert_eq!(checkpoint(pool, RELAY).await?, Position(8));
    Ok(())
}
