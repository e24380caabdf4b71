select position, stream, version, id, type, schema, data, actor, correlation_id, causation_id, traceparent, occurred_at
from events
where type = 'site.deployed' and position <= $1
order by position
