insert into stalls (consumer, error, next_at) values ($1, $2, now() + make_interval(secs => $3))
on conflict (consumer) do update
set attempts = stalls.attempts + 1, error = excluded.error, next_at = excluded.next_at
returning since, attempts, error, next_at
