-- Attempts that end well: nothing but the fact differs between them. Refused (no row comes back) when the lease is gone:
-- the fence is stale or the job was cancelled. Leases are locked in the order of their jobs, as by renew_leases, and with
-- them those ($3) that end_attempts ends next in the same transaction: nobody waits for another in a circle.
with held as materialized (
    select job, fence from leases where job = any ($1 || $3::bigint[]) order by job for update
), ended as (
    delete from leases
    where job = any (array(
        select h.job from held h join unnest($1::bigint[], $2::bigint[]) as asked(job, fence) using (job, fence)))
    returning job, fence, attempt, worker, claimed_at
), completed as (
    update jobs j
    set state = 'completed', attempt = e.attempt, fence = e.fence, worker = e.worker, attempted_at = e.claimed_at,
        finished_at = now()
    from ended e
    where j.id = any (array(select job from ended)) and j.id = e.job
)
select job, fence from ended
