insert into renditions
select * from jsonb_populate_recordset(null::renditions, $1)
