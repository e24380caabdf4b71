-- The first end counts.
update replays set ended_at = now(), outcome = $2, error = $3 where id = $1 and ended_at is null
