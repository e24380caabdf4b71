-- What this version knows ($1) of what was passed over.
select e.position, e.stream, e.version, e.id, e.type, e.schema, e.data, e.actor, e.correlation_id, e.causation_id,
       e.traceparent, e.occurred_at
from passed_over p
join events e on e.position = p.position
where p.type = any ($1)
order by e.position
limit $2
