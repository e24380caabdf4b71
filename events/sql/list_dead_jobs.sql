-- As list_jobs, of the few that were discarded among the many that were not.
select j.id, j.consumer, j.position, j.stream, j.priority, j.state::text as state, j.attempt, j.run_at, j.worker, j.error,
       j.failures, j.created_at, j.attempted_at, j.finished_at, null::jsonb as progress,
       split_part(e.traceparent, '-', 2) as trace_id
from dead_letters d
join jobs j on j.id = d.job
join events e on e.position = j.position
where ($1::text is null or j.consumer = $1)
  and $2::text = 'discarded'
  and ($3::text is null or j.stream = $3)
  and ($4::bigint is null or j.position = $4)
  and ($5::bigint[] is null or j.id = any ($5))
  and ($6::text is null or strpos(lower(j.error), lower($6)) > 0)
  and ($7::timestamptz is null or coalesce(j.finished_at, j.attempted_at, j.created_at) >= $7)
  and ($8::timestamptz is null or coalesce(j.finished_at, j.attempted_at, j.created_at) < $8)
  and ($9::bigint is null or j.id < $9)
  and ($11::text is null or exists (
        select from events b where b.stream = j.stream and b.version = 1 and coalesce(b.data->>'owner', b.actor) = $11))
order by j.id desc
limit $10
