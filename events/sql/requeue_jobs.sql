-- Jobs that were discarded or cancelled begin anew, with all their attempts before them and their errors kept.
with ended as (
    update jobs
    set state = 'available', attempt = 0, run_at = now(), finished_at = null
    where id = any ($1) and state in ('discarded', 'cancelled')
    returning id, consumer, priority, position, fence
), alive as (
    delete from dead_letters where job = any (array(select id from ended))
), waiting as (
    insert into available_jobs (consumer, priority, job, position, attempt, fence)
    select consumer, priority, id, position, 0, fence from ended
)
select id, consumer, position from ended
