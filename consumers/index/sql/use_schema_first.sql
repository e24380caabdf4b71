-- Before the schema of the log.
select set_config('search_path', $1 || ', ' || current_setting('search_path'), true)
