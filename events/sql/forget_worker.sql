delete from workers where name = $1 or seen_at < now() - interval '1 day'
