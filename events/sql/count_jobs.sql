select consumer, state::text as state, count(*) as jobs from jobs group by consumer, state order by consumer, state
