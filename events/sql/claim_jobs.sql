-- The first available jobs of a consumer become this worker's: interactive before bulk, the oldest first. `any (array
-- (…))` and `offset 0` keep the plan at one look-up per job, however large the tables are when the plan is cached.
--
-- A claim need not outlive a crash of the database: if it is forgotten, the job is available again, and of two attempts
-- that then hold the same fence the first to end deletes the lease, which makes the other's result void.
with relaxed as materialized (
    select set_config('synchronous_commit', 'off', true) as setting
), taken as (
    delete from available_jobs
    where ctid = any (array(
        select a.ctid from available_jobs a
        where a.consumer = $1 and not exists (select from pauses p where p.consumer = $1)
          and (select setting from relaxed) = 'off'
        order by a.priority, a.job
        limit $2
        for update skip locked
    ))
    returning job, priority, position, attempt + 1 as attempt, fence + 1 as fence
), leased as (
    insert into leases (job, fence, consumer, priority, position, attempt, worker, claimed_at, lease_until)
    select job, fence, $1, priority, position, attempt, $3, now(), now() + $4 * interval '1 millisecond' from taken
)
select t.job, t.attempt, t.fence, case when t.fence > 1 then (select error from jobs where id = t.job) end as error,
       e.position, e.stream, e.version, e.id, e.type, e.schema, e.data, e.actor, e.correlation_id, e.causation_id,
       e.traceparent, e.occurred_at
from taken t
cross join lateral (select * from events where position = t.position offset 0) e
order by t.priority, t.job
