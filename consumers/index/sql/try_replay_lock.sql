-- Of the session, so that it ends with the connection, however that ends.
select pg_try_advisory_lock($1)
