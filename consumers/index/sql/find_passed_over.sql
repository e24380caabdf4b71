select distinct v.type
from vocabulary v
join unnest($1::text[], $2::int[]) as k(type, newest) on k.type = v.type and v.schema <= k.newest
where v.passed_over is not null
order by v.type
