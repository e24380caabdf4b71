-- published_position is not the stream's to say: publish_artworks sets it.
insert into artworks (
    id, owner, title, description, artist, materials, dimensions, created_on, category, tags, featured, source_url,
    video_url, status, created_at, created_position, updated_position, ready_position, shown_position, shown_at,
    cover_variant, prompt, search
)
select id, owner, title, description, artist, materials, dimensions, created_on, category, tags, featured, source_url,
    video_url, status, created_at, created_position, updated_position, ready_position, shown_position, shown_at,
    cover_variant, prompt,
    -- Each word as it stands and by its English stem; the titles weigh most. The dots, which no query contains, stand
    -- between what is not one text, or else the last word of one would make a phrase with the first of the next. A
    -- tsvector holds a megabyte, so that only the first of very long texts can be found.
    setweight(to_tsvector('simple', headline) || '.:9' || to_tsvector('english', headline) || '.:9', 'A')
    || setweight(to_tsvector('simple', words) || '.:9' || to_tsvector('english', words) || '.:9', 'B')
    || setweight(to_tsvector('simple', texts) || '.:9' || to_tsvector('english', texts), 'C')
from jsonb_populate_recordset(null::artworks, $1)
cross join lateral (
    select left(title, 2000) as headline,
           left(concat_ws(' ', artist, category, array_to_string(tags, ' '), materials), 20000) as words,
           concat_ws(E'\n', left(prompt, 20000), left(description, 20000)) as texts
) as searched
on conflict (id) do update set
    owner = excluded.owner, title = excluded.title, description = excluded.description, artist = excluded.artist,
    materials = excluded.materials, dimensions = excluded.dimensions, created_on = excluded.created_on,
    category = excluded.category, tags = excluded.tags, featured = excluded.featured, source_url = excluded.source_url,
    video_url = excluded.video_url, status = excluded.status, updated_position = excluded.updated_position,
    ready_position = excluded.ready_position, shown_position = excluded.shown_position, shown_at = excluded.shown_at,
    cover_variant = excluded.cover_variant, prompt = excluded.prompt, search = excluded.search
