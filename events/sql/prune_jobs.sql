-- Forgets completed and cancelled jobs that ended long ago, oldest first, from where the last look ended ($3). Ids grow
-- with time, so the walk ends at the first page that is too young. Answers the last id looked at and how many went.
with page as (
    select id, state, finished_at, created_at from jobs where id > $3 order by id limit $2
), gone as (
    delete from jobs
    where id = any (array(select id from page where state in ('completed', 'cancelled') and finished_at < now() - $1 * interval '1 second'))
    returning id
)
select (select max(id) from page where created_at < now() - $1 * interval '1 second') as last_id,
       (select count(*) from gone) as pruned
