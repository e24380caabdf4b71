-- A row per attempt that ends otherwise than well (complete_attempts). Refused (no row comes back) when the lease is gone:
-- the fence is stale or the job was cancelled. Leases are locked in the order of their jobs, as by renew_leases: the two
-- never wait for each other in a circle.
with asked as (
    select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::int[], $6::bigint[])
                  as s(job, fence, state, error, refund, delay_ms)
), held as materialized (
    select job, fence from leases where job = any ($1) order by job for update
), ended as (
    delete from leases
    where job = any (array(select h.job from held h join asked a using (job, fence)))
    returning job, fence, consumer, priority, position, attempt, worker, claimed_at
), told as materialized (
    select e.consumer, e.priority, e.position, e.attempt, e.worker, e.claimed_at, a.* from ended e join asked a using (job, fence)
), again as (
    insert into available_jobs (consumer, priority, job, position, attempt, fence)
    select consumer, priority, job, position, attempt - refund, fence from told where state = 'available'
), later as (
    insert into scheduled_jobs (run_at, job)
    select now() + delay_ms * interval '1 millisecond', job from told where state in ('scheduled', 'retryable')
), dead as (
    insert into dead_letters (job, consumer)
    select job, consumer from told where state = 'discarded'
)
update jobs j
set state = t.state::job_state,
    -- A job that waits for its time says by its error whether it has to, because of the infrastructure: that is no failure.
    error = case when t.state = 'scheduled' then t.error else coalesce(t.error, j.error) end,
    failures = case when t.error is null or t.state = 'scheduled' then j.failures else
        case when jsonb_array_length(j.failures) >= 20 then j.failures - 0 else j.failures end || jsonb_build_object(
            'attempt', t.attempt, 'worker', t.worker, 'error', t.error, 'at', now()) end,
    attempt = t.attempt - t.refund, fence = t.fence, worker = t.worker, attempted_at = t.claimed_at,
    run_at = case when t.state = 'discarded' then j.run_at else now() + t.delay_ms * interval '1 millisecond' end,
    finished_at = case when t.state = 'discarded' then now() end
from told t
where j.id = any (array(select job from told)) and j.id = t.job
returning j.id, j.fence
