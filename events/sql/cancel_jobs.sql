-- Whoever waits or runs ends here; what has ended stays as it is. Leases are locked in the order of their jobs, as by
-- end_attempts; a worker whose lease is gone stops its attempt when it next renews, and its result is void.
with held as materialized (
    select job from leases where job = any ($1) order by job for update
), running as (
    delete from leases where job = any (array(select job from held)) returning job, attempt, fence, worker, claimed_at
), waiting as (
    delete from available_jobs a using jobs j
    where j.id = any ($1) and a.consumer = j.consumer and a.priority = j.priority and a.job = j.id
    returning a.job
), later as (
    delete from scheduled_jobs s using jobs j
    where j.id = any ($1) and s.run_at = j.run_at and s.job = j.id
    returning s.job
)
update jobs j
set state = 'cancelled', error = $2, finished_at = now(),
    attempt = coalesce(r.attempt, j.attempt), fence = coalesce(r.fence, j.fence), worker = coalesce(r.worker, j.worker),
    attempted_at = coalesce(r.claimed_at, j.attempted_at)
from (select job from running union all select job from waiting union all select job from later) ended
left join running r using (job)
where j.id = any ($1) and j.id = ended.job
returning j.id, j.consumer, j.position
