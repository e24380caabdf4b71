-- Jobs whose time has come: they become available and are sent to their consumer.
with due as (
    select id from jobs
    where state in ('scheduled', 'retryable') and run_at <= now()
    order by run_at
    limit $1
    for update skip locked
)
update jobs j set state = 'available'
from due where j.id = due.id
returning j.consumer, j.position
