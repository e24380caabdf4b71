insert into passed_over (position, type)
select position, type from unnest($1::bigint[], $2::text[]) as e(position, type)
on conflict do nothing
