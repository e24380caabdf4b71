-- Everything a schedule has changed but the events, as text: where the log and the relay are, who leads, who is paused, and
-- a line for every job and for every row of the four narrow tables.
select concat_ws(E'\n',
    (select format('head %s, checkpoint %s', h.position, c.position) from log_head h, checkpoints c where c.name = 'relay'),
    (select format('%s leads, term %s, until %s', holder, term, simulation.clock(lease_until)) from leaders),
    (select 'paused ' || string_agg(consumer, ' ' order by consumer collate "C") from pauses),
    (select string_agg(format('%s@%s %s', w.consumer, w.position, w.line), E'\n'
                       order by w.position, w.consumer collate "C", w.rank)
     from (
         select j.consumer, j.position, 0 as rank,
                format('is %s, priority %s, attempt %s, fence %s, errors %s, run at %s, by %s', j.state, j.priority, j.attempt,
                       j.fence, jsonb_array_length(j.failures), simulation.clock(j.run_at), coalesce(j.worker, 'nobody')) as line
         from current_jobs j
         union all
         select a.consumer, j.position, 1,
                format('waits for %s with priority %s, attempt %s, fence %s', a.position, a.priority, a.attempt, a.fence)
         from available_jobs a left join jobs j on j.id = a.job
         union all
         select j.consumer, j.position, 2, format('waits until %s', simulation.clock(s.run_at))
         from scheduled_jobs s left join jobs j on j.id = s.job
         union all
         select l.consumer, j.position, 3,
                format('is leased to %s for %s, priority %s, attempt %s, fence %s, until %s', l.worker, l.position, l.priority, l.attempt,
                       l.fence, simulation.clock(l.lease_until))
         from leases l left join jobs j on j.id = l.job
         union all
         select d.consumer, j.position, 4, 'is a dead letter'
         from dead_letters d left join jobs j on j.id = d.job
     ) w))
