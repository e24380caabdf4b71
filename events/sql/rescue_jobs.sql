-- Jobs whose worker has stopped answering: the next claim raises the fence, which makes a late result void.
with lost as (
    delete from leases
    where job = any (array(
        select l.job from leases l where l.lease_until < now() order by l.job limit $1 for update skip locked
    ))
    returning job, consumer, priority, position, attempt, fence, worker, claimed_at
), again as (
    insert into available_jobs (consumer, priority, job, position, attempt, fence)
    select consumer, priority, job, position, attempt, fence from lost
)
update jobs j
set state = 'available', run_at = now(),
    attempt = l.attempt, fence = l.fence, worker = l.worker, attempted_at = l.claimed_at,
    error = 'attempt ' || l.attempt || ': worker ' || l.worker || ' stopped answering',
    failures = case when jsonb_array_length(j.failures) >= 20 then j.failures - 0 else j.failures end || jsonb_build_object(
        'attempt', l.attempt, 'worker', l.worker, 'error', 'the worker stopped answering', 'at', now())
from lost l
where j.id = any (array(select job from lost)) and j.id = l.job
returning j.consumer, j.position
