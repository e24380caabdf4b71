-- Jobs whose worker has stopped answering: the next claim raises the fence, which makes a late result void.
with lost as (
    delete from leases
    where job = any (array(
        select l.job from leases l where l.lease_until < now() order by l.job limit $1 for update skip locked
    ))
    returning job, consumer, priority
), again as (
    insert into available_jobs (consumer, priority, job) select consumer, priority, job from lost
)
update jobs j
set state = 'available', run_at = now(),
    error = 'attempt ' || j.attempt || ': worker ' || coalesce(j.worker, '?') || ' stopped answering',
    failures = case when jsonb_array_length(j.failures) >= 20 then j.failures - 0 else j.failures end || jsonb_build_object(
        'attempt', j.attempt, 'worker', j.worker, 'error', 'the worker stopped answering', 'at', now())
where j.id = any (array(select job from lost))
returning j.consumer, j.position
