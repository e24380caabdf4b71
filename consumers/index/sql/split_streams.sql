-- Ranges of streams with about as many events each, going by a sample. Streams that begin later come after up_to, and
-- are none of the load's.
insert into shadow_parts (part, loaded_stream, last_stream)
with sample as (
    select e.stream, ntile($2) over (order by e.stream) as part
    from generate_series(1::bigint, $1, greatest($1 / 1000, 1)) as at(position) join events e using (position)
), bound as (
    select part, max(stream) as last_stream from sample group by part
)
select part, coalesce(lag(last_stream) over (order by part), ''),
       case when part = max(part) over () then (select max(stream) from events) else last_stream end
from bound
