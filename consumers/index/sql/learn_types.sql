insert into vocabulary (type, schema, known)
select k.type, s.schema, true
from unnest($1::text[], $2::int[]) as k(type, newest)
cross join lateral generate_series(1, k.newest) as s(schema)
on conflict (type, schema) do update set known = true
