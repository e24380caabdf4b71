-- None when one of the projection is open. Forgets the oldest that have ended.
with forgotten as (
    delete from replays
    where consumer = $1 and ended_at is not null
      and id <= (select id from replays where consumer = $1 order by id desc offset 99 limit 1)
)
insert into replays (consumer, dry_run, from_backup, fresh, asked_by)
values ($1, $2, $3, $4, $5)
on conflict (consumer) where ended_at is null do nothing
returning id, consumer, dry_run, from_backup, fresh, asked_by, asked_at, began_at, progress, ended_at, outcome, error
