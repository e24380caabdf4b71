with taken as (
    select id from jobs
    where consumer = $1 and position = any ($2) and state in ('available', 'scheduled', 'retryable') and run_at <= now()
    for update skip locked
)
update jobs j
set state = 'running', attempt = j.attempt + 1, fence = j.fence + 1, worker = $3, attempted_at = now(),
    lease_until = now() + $4 * interval '1 millisecond'
from taken, events e
where j.id = taken.id and e.position = j.position
returning j.id as job, j.attempt, j.fence, j.error, e.position, e.stream, e.version, e.id, e.type, e.schema, e.data,
          e.actor, e.correlation_id, e.causation_id, e.traceparent, e.occurred_at
