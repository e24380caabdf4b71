-- Jobs whose time has come: they become available and are sent to their consumer.
with due as (
    delete from scheduled_jobs
    where ctid = any (array(
        select s.ctid from scheduled_jobs s where s.run_at <= now() order by s.run_at, s.job limit $1 for update skip locked
    ))
    returning job
), now_available as (
    update jobs set state = 'available'
    where id = any (array(select job from due))
    returning id, consumer, priority, position, attempt, fence
), waiting as (
    insert into available_jobs (consumer, priority, job, position, attempt, fence)
    select consumer, priority, id, position, attempt, fence from now_available
)
select consumer, position from now_available
