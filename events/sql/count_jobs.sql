select consumer, state::text as state, count(*) as jobs from current_jobs group by consumer, state order by consumer, state
