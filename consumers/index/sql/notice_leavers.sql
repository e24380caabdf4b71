-- A server notices within a second that this client has gone, also in the middle of a long statement, and releases its
-- locks. Not known before Postgres 14.
select set_config(name, '1s', false) from pg_settings where name = 'client_connection_check_interval'
