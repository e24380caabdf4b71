copy (
    select position, stream, version, id, type, schema, actor, correlation_id, causation_id, occurred_at, digest,
           data
    from events
    where position > current_setting('atelier.verify_after')::bigint
    order by position
) to stdout (format binary)
