-- Rows are locked in the order of their ids, as end_attempts does: the two never wait for each other in a circle.
with held as (
    select j.id
    from jobs j
    join unnest($1::bigint[], $2::bigint[]) as l(job, fence) on j.id = l.job and j.fence = l.fence
    where j.state = 'running'
    order by j.id
    for update of j
)
update jobs j
set lease_until = now() + $3 * interval '1 millisecond'
from held where j.id = held.id
returning j.id
