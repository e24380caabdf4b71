-- Newest first; each filter that is null is off. $9 is the id of the last job of the page before.
select id, consumer, position, stream, priority, state::text as state, attempt, run_at, worker, error, failures, created_at,
       attempted_at, finished_at, progress
from current_jobs
where ($1::text is null or consumer = $1)
  and ($2::text is null or state = $2::job_state)
  and ($3::text is null or stream = $3)
  and ($4::bigint is null or position = $4)
  and ($5::bigint[] is null or id = any ($5))
  and ($6::text is null or strpos(lower(error), lower($6)) > 0)
  and ($7::timestamptz is null or coalesce(finished_at, attempted_at, created_at) >= $7)
  and ($8::timestamptz is null or coalesce(finished_at, attempted_at, created_at) < $8)
  and ($9::bigint is null or id < $9)
order by id desc
limit $10
