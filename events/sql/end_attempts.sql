-- A row per attempt that ends. Refused (no row comes back) when the fence is stale or the job was cancelled. Rows are
-- locked in the order of their ids, as renew_leases does: the two never wait for each other in a circle.
with ended as (
    select j.id, s.state, s.error, s.refund, s.delay_ms
    from jobs j
    join unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::int[], $6::bigint[])
         as s(job, fence, state, error, refund, delay_ms) on j.id = s.job and j.fence = s.fence
    where j.state = 'running'
    order by j.id
    for update of j
)
update jobs j
set state = s.state::job_state, error = coalesce(s.error, j.error), attempt = j.attempt - s.refund,
    run_at = now() + s.delay_ms * interval '1 millisecond', lease_until = null,
    finished_at = case when s.state in ('completed', 'discarded') then now() end
from ended s
where j.id = s.id
returning j.id, j.fence
