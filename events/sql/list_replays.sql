-- Newest first: of a projection ($1), or the one of this id ($2).
select id, consumer, dry_run, from_backup, fresh, asked_by, asked_at, began_at, progress, ended_at, outcome, error
from replays
where ($1::text is null or consumer = $1) and ($2::bigint is null or id = $2)
order by id desc
limit 100
