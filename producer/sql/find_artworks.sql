-- Artworks newest first; each filter that is null is off. $1 is the created_position of the last one of the page before.
-- Planned anew for every call, so that the filters that are off cost nothing.
select a.id, a.owner, a.title, a.description, a.artist, a.materials, a.dimensions, a.created_on, a.category, a.tags,
       a.featured, a.source_url, a.video_url, a.prompt, a.status, a.created_at, a.created_position, a.published_position,
       a.cover_variant, c.palette, c.placeholder, c.source_width, c.source_height,
       coalesce((
           select jsonb_agg(jsonb_build_object(
                      'kind', r.kind, 'key', r.key, 'media_type', r.media_type, 'length', r.length,
                      'width', r.width, 'height', r.height) order by r.kind)
           from read.renditions r
           where r.variant_id = a.cover_variant), '[]') as renditions
from read.artworks a
left join read.variants c on c.id = a.cover_variant
where ($1::bigint is null or a.created_position < $1)
  and ($2::uuid is null or a.id = $2)
  and ($3::text is null or a.status = $3)
  and ($4::text is null or a.tags @> array[$4])
  and ($5::text is null or a.category = $5)
  and ($6::boolean is null or a.featured = $6)
  and ($7::text is null or a.owner = $7)
  and ($8::text is null or a.search @@ read.search_query($8))
order by a.created_position desc
limit $9
