insert into plain_events (stream, version, id, type, schema, data, actor, correlation_id, digest)
select $1, e.version, e.id, e.type, $5, e.data::json, e.actor, e.correlation_id, $9
from unnest($2::bigint[], $3::uuid[], $4::text[], $6::text[], $7::text[], $8::uuid[])
     as e(version, id, type, data, actor, correlation_id)
