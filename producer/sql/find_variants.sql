-- The variants of an artwork ($1) or of a generation ($2), in the order they were asked for.
select v.id, v.artwork_id, v.generation_id, v.state, v.provider, v.prompt, v.seed, v.width, v.height, v.params,
       v.filename, v.original_key, v.original_sha256, v.original_media_type, v.original_length, v.source_width,
       v.source_height, v.elapsed_ms, v.cost_micros, v.palette, v.placeholder, v.recipe_hash, v.failure_stage, v.failure_error,
       v.requested_at, v.started_at, v.finished_at,
       coalesce((
           select jsonb_agg(jsonb_build_object('parent', l.parent, 'artwork_id', p.artwork_id, 'relation', l.relation)
                            order by l.parent, l.relation)
           from read.lineage l
           left join read.variants p on p.id = l.parent
           where l.variant_id = v.id), '[]') as lineage,
       array(select distinct l.variant_id from read.lineage l where l.parent = v.id order by l.variant_id) as children,
       coalesce((
           select jsonb_agg(jsonb_build_object(
                      'kind', r.kind, 'key', r.key, 'media_type', r.media_type, 'length', r.length,
                      'width', r.width, 'height', r.height) order by r.kind)
           from read.renditions r
           where r.variant_id = v.id), '[]') as renditions
from read.variants v
where ($1::uuid is null or v.artwork_id = $1) and ($2::uuid is null or v.generation_id = $2)
order by v.requested_at, v.id
limit $3
