select a.id, a.title, a.description, a.artist, a.category, a.tags, a.featured, a.source_url, a.video_url, a.created_at,
    a.created_position, a.shown_position, a.shown_at, v.prompt, v.source_width, v.source_height, v.palette,
    v.placeholder, r.keys
from read.artworks a
join read.variants v on v.id = a.cover_variant
join lateral (
    select coalesce(jsonb_object_agg(kind, key), '{}') as keys from read.renditions where variant_id = v.id
) r on true
where a.status = 'active'
order by a.created_position desc
