-- One row per event and consumer that wants it; events enlisted before (the relay died before its checkpoint) stay as
-- they are. An event may say in its data that its job is `"priority": "bulk"`, or has to wait until `not_before`.
--
-- A consumer that coalesces acts on its stream's present state, so one job that has not begun stands for all events of
-- the stream: a later event of this batch or a job that waits already makes another one needless. Should a worker claim
-- that job while this runs, it still sees the events here: they were committed before this statement began, and the
-- claim, which this statement does not see, is committed after. `offset 0` has the jobs of each event's stream looked up:
-- a plan cached while there were few jobs would otherwise go through all of them.
--
-- What is enlisted need not outlive a crash of the database as long as the relay's checkpoint is before it: it is enlisted
-- again. So the checkpoint has to be moved over the same connection: one that is still there has seen no crash, and what
-- it commits waits until all before it is on the disk.
with relaxed as materialized (
    select set_config('synchronous_commit', 'off', true) as setting
), wanted as (
    select s.consumer, e.position, e.stream,
           case e.data ->> 'priority' when 'bulk' then 1 else 0 end as priority,
           greatest((e.data ->> 'not_before')::timestamptz, now()) as run_at
    from events e
    join unnest($1::text[], $2::text[], $3::boolean[]) as s(consumer, type, coalesces) on s.type = e.type
    where e.position > $4 and e.position <= $5 and (select setting from relaxed) = 'off'
      and not (s.coalesces and (
          exists (select from events n
                  where n.stream = e.stream and n.version > e.version and n.position <= $5 and n.type = e.type)
          or exists (select from (select id, consumer, priority, position from jobs where stream = e.stream offset 0) j
                     where j.consumer = s.consumer and j.position <= $4
                       and exists (select from available_jobs a
                                   where a.consumer = j.consumer and a.priority = j.priority and a.job = j.id offset 0))))
), enlisted as (
    insert into jobs (consumer, position, stream, priority, run_at, state)
    select consumer, position, stream, priority, run_at,
           case when run_at > now() then 'scheduled' else 'available' end::job_state
    from wanted
    order by position
    on conflict do nothing
    returning id, consumer, priority, position, run_at, state
), later as (
    insert into scheduled_jobs (run_at, job) select run_at, id from enlisted where state = 'scheduled'
), waiting as (
    insert into available_jobs (consumer, priority, job, position, attempt, fence)
    select consumer, priority, id, position, 0, 0 from enlisted where state = 'available'
)
select count(*) from enlisted
