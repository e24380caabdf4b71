copy variants (
    id, artwork_id, generation_id, state, provider, prompt, seed, width, height, params, filename,
    original_key, original_sha256, original_media_type, original_length, source_width, source_height, elapsed_ms,
    cost_micros, palette, placeholder, recipe_hash, failure_stage, failure_error, requested_position, requested_at, started_at,
    finished_at
) from stdin
