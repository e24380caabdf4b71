-- Names are the shadow's first, and then the log's. No commit here need wait for the disk: what a crash loses is loaded
-- again, and the swap waits for all of it. Events are walked through by their index, whatever is known of a table that
-- has just been filled.
select set_config('search_path', $1 || ', ' || current_setting('search_path'), false),
       set_config('synchronous_commit', 'off', false), set_config('plan_cache_mode', 'force_custom_plan', false),
       set_config('enable_sort', 'off', false)
