-- What `atelier_events::log::Content` digests, written down a second time: for tests that change an event and its digest.
create function part(bytea) returns bytea language sql immutable as $$ select int4send(octet_length($1)) || $1 $$;
create function event_digest(e events) returns bytea language sql stable as $$
    select sha256(
        part(convert_to(e.stream, 'UTF8')) || part(uuid_send(e.id)) || part(convert_to(e.type, 'UTF8'))
        || part(int2send(e.schema)) || part(convert_to(e.actor, 'UTF8')) || part(uuid_send(e.correlation_id))
        || part(coalesce(uuid_send(e.causation_id), '')) || part(convert_to(e.data::text, 'UTF8')))
$$;
