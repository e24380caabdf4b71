select format('Postgres %s, fsync %s, synchronous_commit %s, shared_buffers %s', current_setting('server_version'),
              current_setting('fsync'), current_setting('synchronous_commit'), current_setting('shared_buffers'))
