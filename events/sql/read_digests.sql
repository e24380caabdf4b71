select position, stream, version, id, type, schema, data::text as data, actor, correlation_id, causation_id,
       (extract(epoch from occurred_at) * 1000000)::bigint as occurred_micros, digest
from events
where position > $1
order by position
limit $2
