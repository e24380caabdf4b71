-- No row: it was cancelled, or another daemon has taken it.
update replays set seen_at = now(), progress = coalesce($3, progress) where id = $1 and began_at = $2 and ended_at is null
