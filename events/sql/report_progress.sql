-- Rows are locked in the order of their jobs, as by renew_leases.
with held as materialized (
    select job, fence from leases where job = any ($1) order by job for update
)
update leases l
set progress = asked.progress
from held h
join unnest($1::bigint[], $2::bigint[], $3::jsonb[]) as asked(job, fence, progress) using (job, fence)
where l.job = any ($1) and l.job = h.job
