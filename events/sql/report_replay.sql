-- No row: it was cancelled.
update replays set seen_at = now(), progress = coalesce($2, progress) where id = $1 and ended_at is null
