-- Shared among appliers, exclusive for a swap, and taken before any name is looked up: what follows sees the schemas as
-- they are after the swap. What a crash loses is applied again from the checkpoint that was lost with it, so that no
-- commit here need wait for the disk.
select pg_advisory_xact_lock_shared($1), set_config('search_path', $2, true), set_config('synchronous_commit', 'off', true)
