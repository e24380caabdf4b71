-- The first end counts, of the daemon that took it last.
update replays set ended_at = now(), outcome = $3, error = $4 where id = $1 and began_at = $2 and ended_at is null
