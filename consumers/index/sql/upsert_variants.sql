insert into variants
select * from jsonb_populate_recordset(null::variants, $1)
on conflict (id) do update set
    state = excluded.state, original_key = excluded.original_key, original_sha256 = excluded.original_sha256,
    original_media_type = excluded.original_media_type, original_length = excluded.original_length,
    source_width = excluded.source_width, source_height = excluded.source_height, elapsed_ms = excluded.elapsed_ms,
    cost_micros = excluded.cost_micros, palette = excluded.palette, placeholder = excluded.placeholder,
    recipe_hash = excluded.recipe_hash,
    failure_stage = excluded.failure_stage, failure_error = excluded.failure_error, started_at = excluded.started_at,
    finished_at = excluded.finished_at
