-- Variants that can be cut again, in the order the log learned of them: $1 is the requested_position of the last one of the page
-- before; each filter that is null is off. A set that was cut by the recipe that today's settings have for its owner ($6 by
-- name, $5 for all others) is not of another recipe; one without a hash is.
-- Beside each: how many there are from here on.
select v.id as variant_id, v.artwork_id, v.requested_position, count(*) over () as matching
from read.variants v
join read.artworks a on a.id = v.artwork_id
where v.requested_position > $1
  and v.state = $2 and (v.state <> 'failed' or v.failure_stage = 'renditions')
  and ($3::uuid[] is null or v.artwork_id = any ($3))
  and ($4::text is null or a.owner = $4)
  and ($5::text is null or v.recipe_hash is distinct from coalesce($6::jsonb ->> a.owner, $5))
  and ($7::timestamptz is null or a.created_at >= $7)
  and ($8::timestamptz is null or a.created_at < $8)
order by v.requested_position
limit $9
