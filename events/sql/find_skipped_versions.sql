-- Of these events, the first of their streams after a position, those that do not follow what was before.
select e.position
from unnest($1::bigint[]) as f(position)
join events e using (position)
where e.version - 1 <> coalesce((select b.version from events b where b.stream = e.stream and b.position <= $2
                                 order by b.version desc limit 1), 0)
order by e.position
