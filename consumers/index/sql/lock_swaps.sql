-- Of the session: to be held no longer than it takes to begin a snapshot.
select pg_advisory_lock($1)
