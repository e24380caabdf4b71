-- search follows by a trigger.
insert into artworks (
    id, owner, title, description, artist, materials, dimensions, created_on, category, tags, featured, source_url,
    video_url, status, created_at, created_position, updated_position, ready_position, shown_position, shown_at,
    cover_variant, prompt, published_position
)
select id, owner, title, description, artist, materials, dimensions, created_on, category, tags, featured, source_url,
    video_url, status, created_at, created_position, updated_position, ready_position, shown_position, shown_at,
    cover_variant, prompt, published_position
from jsonb_populate_recordset(null::artworks, $1)
on conflict (id) do update set
    owner = excluded.owner, title = excluded.title, description = excluded.description, artist = excluded.artist,
    materials = excluded.materials, dimensions = excluded.dimensions, created_on = excluded.created_on,
    category = excluded.category, tags = excluded.tags, featured = excluded.featured, source_url = excluded.source_url,
    video_url = excluded.video_url, status = excluded.status, updated_position = excluded.updated_position,
    ready_position = excluded.ready_position, shown_position = excluded.shown_position, shown_at = excluded.shown_at,
    cover_variant = excluded.cover_variant, prompt = excluded.prompt,
    published_position = excluded.published_position, search = excluded.search
