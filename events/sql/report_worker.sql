insert into workers (name, consumer, concurrency, version) values ($1, $2, $3, $4)
on conflict (name) do update set seen_at = now()
