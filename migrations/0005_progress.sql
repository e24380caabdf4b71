-- How far a running attempt has come, as it says itself. It stands in the lease and nowhere else: it is worth nothing once the
-- attempt has ended, and an event for each step would be a log of a log.
alter table leases add column progress jsonb;

create or replace view current_jobs as
select j.id, j.consumer, j.position, j.stream, j.priority, case when l.job is null then j.state else 'running' end as state,
       coalesce(l.attempt, j.attempt) as attempt, coalesce(l.fence, j.fence) as fence, j.run_at,
       coalesce(l.worker, j.worker) as worker, j.error, j.failures, j.created_at,
       coalesce(l.claimed_at, j.attempted_at) as attempted_at, j.finished_at, l.progress
from jobs j
left join leases l on l.job = j.id;
