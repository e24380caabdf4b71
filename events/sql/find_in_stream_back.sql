select position, stream, version, id, type, schema, data, actor, correlation_id, causation_id, traceparent, occurred_at
from events
where position < $1 and (cardinality($2::text[]) = 0 or type = any ($2)) and stream = $4
order by version desc
limit $3
