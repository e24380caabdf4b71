-- The ids alone of what find_artworks finds, by the same filters.
select a.id, a.created_position
from read.artworks a
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
