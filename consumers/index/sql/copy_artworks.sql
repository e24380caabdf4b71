-- search follows by a trigger.
copy artworks (
    id, owner, title, description, artist, materials, dimensions, created_on, category, tags, featured, source_url,
    video_url, status, created_at, created_position, updated_position, ready_position, shown_position, shown_at,
    cover_variant, prompt, published_position
) from stdin
