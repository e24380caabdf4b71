insert into lineage
select * from jsonb_populate_recordset(null::lineage, $1)
on conflict do nothing
