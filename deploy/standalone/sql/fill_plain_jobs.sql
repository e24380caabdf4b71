insert into plain_jobs (data) select p.data from (select data from plain_jobs limit 1) p cross join generate_series(1, $1)
