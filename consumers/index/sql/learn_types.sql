insert into vocabulary (type, schema, known)
select type, schema, true from unnest($1::text[]) as type cross join generate_series(1, $2::int) as schema
on conflict (type, schema) do update set known = true
