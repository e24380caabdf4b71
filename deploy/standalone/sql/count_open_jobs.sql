-- Jobs that wait or run, less $1.
select (select count(*) from available_jobs) + (select count(*) from scheduled_jobs) + (select count(*) from leases) - $1
