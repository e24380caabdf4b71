insert into plain_jobs (data) values ($1)
