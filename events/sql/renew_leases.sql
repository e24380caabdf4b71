-- Rows are locked in the order of their jobs, as by end_attempts: the two never wait for each other in a circle.
with held as materialized (
    select job, fence from leases where job = any ($1) order by job for update
)
update leases l
set lease_until = now() + $3 * interval '1 millisecond'
from held h
join unnest($1::bigint[], $2::bigint[]) as asked(job, fence) using (job, fence)
where l.job = any ($1) and l.job = h.job
returning l.job
