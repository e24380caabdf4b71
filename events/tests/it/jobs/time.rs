use atelier_e2e::until;
use atelier_events::Consumer;
use atelier_events::jobs::{self, End, Filter};

use super::{LONG, all, claim, claim_one, settlement, with_jobs};
use crate::eventually::eventually;

#[tokio::test]
async fn a_job_is_due_when_its_time_has_come_and_not_before() -> anyhow::Result<()> {
    let database = with_jobs(4).await?;
    let claimed = claim(&database, 4, LONG).await?;
    let error = "no answer".to_owned();
    let ends = [
        End::Retryable { error: error.clone(), delay_ms: 0 },
        End::Retryable { error, delay_ms: LONG },
        End::Snoozed { delay_ms: 0 },
        End::Snoozed { delay_ms: LONG },
    ];
    let ends: Vec<_> = claimed.iter().zip(ends).map(|(claimed, end)| settlement(claimed, end)).collect();
    jobs::settle(&database.pool, &ends).await?;

    let due = jobs::due(&database.pool).await?;
    assert_eq!(due.len(), 1);
    let mut expected = [claimed[0].event.position, claimed[2].event.position];
    expected.sort_unstable();
    let delivered: Vec<_> = due[0].1.iter().map(|event| event.position).collect();
    assert_eq!((due[0].0, delivered), (Consumer::Thumbnails, expected.to_vec()));
    let now = claim(&database, 10, LONG).await?;
    assert_eq!(now.len(), 2, "the others wait for their time");
    Ok(())
}

#[tokio::test]
async fn a_job_is_rescued_when_its_lease_has_ended_and_not_before() -> anyhow::Result<()> {
    let database = with_jobs(2).await?;
    let short = claim(&database, 1, 1).await?;
    claim_one(&database).await?;
    let rescued = eventually("a rescued job", async || {
        let rescued = jobs::rescue(&database.pool).await?;
        Ok(Some(rescued).filter(|rescued| !rescued.is_empty()))
    })
    .await?;
    let rescued: Vec<_> = rescued.iter().flat_map(|(_, events)| events).map(|event| event.position).collect();
    assert_eq!(rescued, [short[0].event.position]);
    assert!(jobs::rescue(&database.pool).await?.is_empty());

    let job = all(&database).await?.remove(0);
    assert_eq!((job.state.as_str(), job.attempt), ("available", 1));
    assert_eq!(job.error.as_deref(), Some("attempt 1: worker worker stopped answering"));
    Ok(())
}

#[tokio::test]
async fn a_lease_that_is_renewed_does_not_end_and_one_that_is_lost_is_not_renewed() -> anyhow::Result<()> {
    let database = with_jobs(3).await?;
    let claimed = claim(&database, 3, 1).await?;
    let [cancelled, stale, held] = claimed.as_slice() else { anyhow::bail!("three jobs, {} claimed", claimed.len()) };
    let filter = Filter { ids: Some(vec![cancelled.job]), ..Filter::default() };
    jobs::cancel(&database.log(), &filter, "ada").await?;
    let leases = [(cancelled.job, cancelled.fence), (stale.job, stale.fence - 1), (held.job, held.fence)];
    assert_eq!(jobs::renew(&database.pool, &leases, LONG).await?, [held.job]);
    until("the job whose lease was not renewed is rescued", || async {
        Ok(!jobs::rescue(&database.pool).await?.is_empty())
    })
    .await?;
    let states: Vec<_> = all(&database).await?.into_iter().map(|job| (job.id, job.state)).collect();
    assert!(states.contains(&(held.job, "running".to_owned())), "{states:?}");
    assert!(states.contains(&(stale.job, "available".to_owned())), "{states:?}");
    Ok(())
}

#[tokio::test]
async fn jobs_that_ended_long_ago_are_forgotten_and_dead_letters_are_not() -> anyhow::Result<()> {
    let database = with_jobs(5).await?;
    let claimed = claim(&database, 4, LONG).await?;
    let discarded = End::Discarded { error: "not an image".to_owned() };
    let ends = [End::Completed, discarded, End::Completed, End::Released];
    let ends: Vec<_> = claimed.iter().zip(ends).map(|(claimed, end)| settlement(claimed, end)).collect();
    jobs::settle(&database.pool, &ends).await?;
    let long_ago =
        "update jobs set created_at = created_at - interval '8 days', finished_at = finished_at - interval '8 days'
                    where id <> $1";
    sqlx::query(long_ago).bind(claimed[2].job).execute(&database.pool).await?;

    let week = 7 * 24 * 3_600;
    let (mut after, mut gone) = (Some(0), 0);
    while let Some(id) = after {
        let (next, pruned) = jobs::prune(&database.pool, week, 2, id).await?;
        (after, gone) = (next, gone + pruned);
    }
    assert_eq!(gone, 1);
    let states: Vec<_> = all(&database).await?.into_iter().map(|job| job.state).collect();
    assert_eq!(states, ["discarded", "completed", "available", "available"]);
    Ok(())
}
