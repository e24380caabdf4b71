-- The first available jobs of a consumer become this worker's: interactive before bulk, the oldest first. `any (array
-- (…))` keeps the plan at one look-up per job, however large the tables are when the plan is cached.
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
    returning job
), started as (
    update jobs
    set state = 'running', attempt = attempt + 1, fence = fence + 1, worker = $3, attempted_at = now()
    where id = any (array(select job from taken))
    returning id, priority, attempt, fence, error, position
), leased as (
    insert into leases (job, fence, consumer, priority, worker, lease_until)
    select id, fence, $1, priority, $3, now() + $4 * interval '1 millisecond' from started
)
select s.id as job, s.attempt, s.fence, s.error, e.position, e.stream, e.version, e.id, e.type, e.schema, e.data,
       e.actor, e.correlation_id, e.causation_id, e.traceparent, e.occurred_at
from started s
join events e on e.position = s.position
order by s.priority, s.id
