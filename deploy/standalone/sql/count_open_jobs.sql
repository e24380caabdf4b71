-- Jobs that wait or run.
select (select count(*) from available_jobs) + (select count(*) from scheduled_jobs) + (select count(*) from leases)
