-- How many jobs a consumer has in which state about the events of these positions, the first and the last included.
select consumer, state::text as state, count(*) as jobs
from jobs
where consumer = $1 and position between $2 and $3
group by consumer, state
