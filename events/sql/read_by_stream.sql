-- Whoever folds everything reads each stream once and whole. Ids are in the order of time, and so is, nearly, this walk
-- through the table.
select position, stream, version, id, type, schema, data, actor, correlation_id, causation_id, traceparent, occurred_at
from events
where (stream, version) > ($1, $2) and stream <= $3 and position <= $4
order by stream, version
limit $5
