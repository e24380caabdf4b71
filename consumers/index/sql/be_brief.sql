-- Someone may still be reading what is dropped: it can wait for the next replay.
select set_config('lock_timeout', '2s', false)
