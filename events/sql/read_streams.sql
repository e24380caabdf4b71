select position, stream, version, id, type, schema, data, actor, correlation_id, causation_id, traceparent, occurred_at
from events
where stream = any ($1) and position <= $2
order by stream, version
