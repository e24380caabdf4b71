-- One that nobody has begun, or whose daemon was not heard of for $2 seconds.
update replays
set began_at = now(), seen_at = now()
where id = (
    select id from replays
    where consumer = $1 and ended_at is null and (seen_at is null or seen_at < now() - make_interval(secs => $2))
    for update skip locked)
returning id, consumer, dry_run, from_backup, fresh, asked_by, asked_at, began_at, progress, ended_at, outcome, error
