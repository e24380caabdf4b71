-- Newest first; each filter that is null is off. $5 is the id of the last job of the page before.
select id, consumer, position, stream, state::text as state, attempt, run_at, worker, error, created_at, attempted_at,
       finished_at
from jobs
where ($1::text is null or consumer = $1)
  and ($2::text is null or state = $2::job_state)
  and ($3::text is null or stream = $3)
  and ($4::bigint is null or position = $4)
  and ($5::bigint is null or id < $5)
order by id desc
limit $6
