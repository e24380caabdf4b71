-- One that nobody has begun, or whose daemon was not heard of for $2 seconds: what that had made so far is gone on with.
with open as (
    select id, seen_at from replays
    where consumer = $1 and ended_at is null and (seen_at is null or seen_at < now() - make_interval(secs => $2))
    for update skip locked
)
update replays r
set began_at = clock_timestamp(), seen_at = now()
from open
where r.id = open.id
returning r.id, r.consumer, r.dry_run, r.from_backup, r.fresh and open.seen_at is null as fresh, r.asked_by, r.asked_at,
          r.began_at, r.progress, r.ended_at, r.outcome, r.error
