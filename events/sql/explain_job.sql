-- All that decides when a job runs.
select j.id, j.consumer, j.position, j.stream, j.priority, j.state::text as state, j.attempt, j.run_at, j.worker, j.error,
       j.failures, j.created_at, j.attempted_at, j.finished_at, j.progress,
       l.lease_until, p.paused_by, p.paused_at,
       case when j.state = 'available' then
           (select count(*) from available_jobs a where a.consumer = j.consumer and (a.priority, a.job) < (j.priority, j.id)) end as ahead,
       (select count(*) from leases o where o.consumer = j.consumer) as running,
       (select count(*) from workers w where w.consumer = j.consumer and w.seen_at > now() - interval '1 minute') as workers,
       (select coalesce(sum(w.concurrency), 0)::bigint from workers w
        where w.consumer = j.consumer and w.seen_at > now() - interval '1 minute') as concurrency,
       (select max(w.seen_at) from workers w where w.consumer = j.consumer) as worker_seen_at,
       -- The pace of the last five minutes, for a guess at when its turn comes.
       (select count(*) from jobs d where d.consumer = j.consumer and d.state = 'completed'
          and d.finished_at > now() - interval '5 minutes' and d.id > j.id - 20000) as ended_lately,
       exists (select from leaders where name = 'relay' and lease_until > now()) as relay_leads,
       (select tokens from rates r where r.consumer = j.consumer) as starts_left,
       split_part(e.traceparent, '-', 2) as trace_id, e.type as event_type, now() as now
from current_jobs j
join events e on e.position = j.position
left join leases l on l.job = j.id
left join pauses p on p.consumer = j.consumer
where j.id = $1
