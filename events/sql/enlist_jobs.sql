-- One row per event and consumer that wants it; events enlisted before (the relay died before its checkpoint) stay as they are.
insert into jobs (consumer, position, stream)
select s.consumer, e.position, e.stream
from events e
join unnest($1::text[], $2::text[]) as s(consumer, type) on s.type = e.type
where e.position > $3 and e.position <= $4
order by e.position
on conflict do nothing
