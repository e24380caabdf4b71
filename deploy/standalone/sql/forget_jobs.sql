truncate jobs, available_jobs, scheduled_jobs, leases, dead_letters
