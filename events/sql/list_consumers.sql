-- What each consumer of the given names is at: what waits, what runs, what has died, who works, whether it is paused or
-- cannot go on.
select c.name as consumer,
       (select count(*) from available_jobs a where a.consumer = c.name) as available,
       (select count(*) from scheduled_jobs s join jobs j on j.id = s.job where j.consumer = c.name) as scheduled,
       (select count(*) from leases l where l.consumer = c.name) as running,
       (select count(*) from dead_letters d where d.consumer = c.name) as discarded,
       (select count(*) from workers w where w.consumer = c.name and w.seen_at > now() - interval '1 minute') as workers,
       (select coalesce(sum(w.concurrency), 0)::bigint from workers w
        where w.consumer = c.name and w.seen_at > now() - interval '1 minute') as concurrency,
       p.paused_by, p.paused_at, to_jsonb(s) as stall
from unnest($1::text[]) with ordinality as c(name, rank)
left join pauses p on p.consumer = c.name
left join stalls s on s.consumer = c.name
order by c.rank
