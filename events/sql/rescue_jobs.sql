-- Jobs whose worker has stopped answering: the next claim raises the fence, which makes a late result void.
with lost as (
    select id from jobs
    where state = 'running' and lease_until < now()
    order by lease_until
    limit $1
    for update skip locked
)
update jobs j
set state = 'available', lease_until = null, run_at = now(),
    error = 'attempt ' || j.attempt || ': worker ' || coalesce(j.worker, '?') || ' stopped answering'
from lost where j.id = lost.id
returning j.consumer, j.position
