-- Per consumer and state, also where there are none. The narrow tables are asked, and no history.
select c.consumer, s.state, count(o.consumer) as jobs
from unnest($1::text[]) as c(consumer)
cross join unnest(array['available', 'scheduled', 'running', 'retryable', 'discarded']) as s(state)
left join (
    select consumer, 'available' as state from available_jobs
    union all
    select consumer, 'running' from leases
    union all
    select consumer, 'discarded' from dead_letters
    union all
    select j.consumer, j.state::text from scheduled_jobs w join jobs j on j.id = w.job
) o on o.consumer = c.consumer and o.state = s.state
group by c.consumer, s.state
order by c.consumer, s.state
