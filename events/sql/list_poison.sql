select id, consumer, reason, error, position, properties, headers, body_bytes, times, first_at, last_at
from poison_messages
where ($1::bigint[] is null or id = any ($1))
  and ($2::text is null or consumer = $2)
  and ($3::text is null or strpos(lower(error), lower($3)) > 0)
  and ($4::timestamptz is null or last_at >= $4)
  and ($5::timestamptz is null or last_at < $5)
  and ($6::bigint is null or id < $6)
order by id desc
limit $7
