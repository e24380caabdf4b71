delete from plain_jobs
where id = any (array(select id from plain_jobs order by id limit $1 for update skip locked))
returning id, data
