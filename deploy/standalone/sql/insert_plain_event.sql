insert into plain_events (stream, version, id, type, schema, data, actor, correlation_id, digest)
values ($1, $2, $3, $4, $5, $6::text::json, $7, $8, $9)
