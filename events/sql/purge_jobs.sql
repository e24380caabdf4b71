-- Forgets jobs that were discarded or cancelled. What the log says of them stays.
with gone as (
    delete from jobs where id = any ($1) and state in ('discarded', 'cancelled') returning id, consumer, position
), dead as (
    delete from dead_letters where job = any (array(select id from gone))
)
select id, consumer, position from gone
