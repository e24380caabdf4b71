-- The log: the only truth. Every other table can be dropped and rebuilt from it.

create table events (
    position bigint not null,
    stream text not null,
    version bigint not null,
    id uuid not null,
    type text not null,
    schema smallint not null,
    data jsonb not null,
    actor text not null,
    correlation_id uuid not null,
    causation_id uuid,
    traceparent text,
    occurred_at timestamptz not null,
    digest bytea not null,
    constraint "a position holds one event" primary key (position),
    constraint "a stream has one event per version" unique (stream, version),
    constraint "an event is appended once" unique (id),
    constraint "positions start at 1" check (position >= 1),
    constraint "versions start at 1" check (version >= 1),
    constraint "a digest is a sha256" check (octet_length(digest) = 32),
    -- The digest's text is made of lines, so no part of it may hold a line break of its own.
    constraint "names have no line breaks" check (stream || type || actor !~ '[\r\n]')
);
comment on table events is 'append-only: written by append_events alone, read by position (relay, projections) and by stream (folds)';

-- One row: the last position and the last link of the hash chain. Its row lock makes appends serial, so that positions
-- follow commit order; a rollback gives the numbers back, so that they have no gaps.
create table log_head (
    only_row boolean not null default true,
    position bigint not null,
    link bytea not null,
    constraint "the log has one head" primary key (only_row),
    constraint "the head is one row" check (only_row)
);
insert into log_head (position, link) values (0, sha256('atelier'::bytea));
comment on table log_head is 'read by append_events under its row lock, and by readers that ask how far the log goes';

-- One link per commit: sha256 over the link before, the first and last position and the digests in between.
create table log_links (
    last_position bigint not null,
    first_position bigint not null,
    link bytea not null,
    constraint "a commit has one link" primary key (last_position)
);
comment on table log_links is 'the hash chain, read in order by verify';

-- What a command with an Idempotency-Key answered, so that it answers the same again.
create table idempotency_keys (
    key text not null,
    fingerprint bytea not null,
    answer jsonb not null,
    position bigint not null,
    created_at timestamptz not null default now(),
    constraint "a key is used once" primary key (key)
);
comment on table idempotency_keys is 'read before an append by key';

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the log is append-only: % on % is refused', tg_op, tg_table_name
        using errcode = 'restrict_violation';
end
$$;
create trigger append_only before update or delete on events for each row execute function refuse_change();
create trigger append_only_truncate before truncate on events for each statement execute function refuse_change();
create trigger append_only before update or delete on log_links for each row execute function refuse_change();
create trigger append_only_truncate before truncate on log_links for each statement execute function refuse_change();

-- The content of an event that its digest covers. The jsonb text is canonical and holds no raw line break; it comes last.
create function event_digest(
    stream text, version bigint, id uuid, type text, schema smallint, actor text,
    correlation_id uuid, causation_id uuid, occurred_micros bigint, data jsonb
) returns bytea language sql stable as $$
    select sha256(convert_to(
        stream || E'\n' || version::text || E'\n' || id::text || E'\n' || type || E'\n' || schema::text || E'\n'
        || actor || E'\n' || correlation_id::text || E'\n' || coalesce(causation_id::text, '') || E'\n'
        || occurred_micros::text || E'\n' || data::text, 'UTF8'))
$$;

-- Appends a batch of independent appends in one statement. An append is a set of writes (one per stream) that are
-- taken together or refused together; the caller never puts one stream or one key into a batch twice.
--
-- Arrays share an index per kind: keys_* per keyed append, write_* per write, event_* per event. event_write points
-- into write_* and event_number counts the events of each write from 1; write_append and keys_append name the append.
-- write_expected: -1 any version, otherwise the version the stream must be at (0: no stream yet).
-- Answers a row per write that found another version, a row per append whose key was seen before, and one last row:
--   outcome 'conflict' (version: the one found), 'duplicate' (answer, fingerprint, position: those of the first time),
--           'appended' (position: the head before; the appends that have no row of their own follow it in their order).
-- So the usual answer is a single row. The caller counts for itself, which is cheaper than having it told.
create function append_events(
    keys_append int[], keys_key text[], keys_fingerprint bytea[], keys_answer jsonb[],
    write_append int[], write_stream text[], write_expected bigint[],
    event_write int[], event_number int[], event_id uuid[], event_type text[], event_schema smallint[],
    event_data jsonb[], event_actor text[], event_correlation uuid[], event_causation uuid[], event_traceparent text[]
) returns table (
    append int, outcome text, stream text, version bigint, "position" bigint, fingerprint bytea, answer jsonb
) language plpgsql as $$
#variable_conflict use_column
declare
    head bigint;
    chain bytea;
    versions bigint[];
    refused int[] := '{}';
    digests bytea;
    appended int;
    occurred_micros bigint := extract(epoch from now()) * 1000000;
begin
    -- The only lock there is: taken first, so that everything read below is what the appends before have committed.
    select h.position, h.link into head, chain from log_head h for update;

    if cardinality(keys_key) > 0 then
        return query
            select k.append, 'duplicate', null::text, null::bigint, i.position, i.fingerprint, i.answer
            from unnest(keys_append, keys_key) as k(append, key)
            join idempotency_keys i on i.key = k.key;
        if found then
            refused := array(select k.append from unnest(keys_append, keys_key) as k(append, key)
                             join idempotency_keys i on i.key = k.key);
        end if;
    end if;

    -- Where each write's stream is: looked up once, by the index, and then taken by subscript.
    versions := array(
        select coalesce((select e.version from events e where e.stream = w.stream order by e.version desc limit 1), 0)
        from unnest(write_stream) with ordinality as w(stream, write) order by w.write);

    return query
        select w.append, 'conflict', w.stream, w.version, null::bigint, null::bytea, null::jsonb
        from unnest(write_append, write_stream, write_expected, versions) as w(append, stream, expected, version)
        where w.expected >= 0 and w.expected <> w.version and w.append <> all (refused);
    if found then
        refused := refused || array(
            select w.append from unnest(write_append, write_expected, versions) as w(append, expected, version)
            where w.expected >= 0 and w.expected <> w.version and w.append <> all (refused));
    end if;

    if cardinality(refused) > 0 then
        select array_agg(e.write order by e.ordinal), array_agg(e.number order by e.ordinal),
               array_agg(e.id order by e.ordinal), array_agg(e.type order by e.ordinal),
               array_agg(e.schema order by e.ordinal), array_agg(e.data order by e.ordinal),
               array_agg(e.actor order by e.ordinal), array_agg(e.correlation order by e.ordinal),
               array_agg(e.causation order by e.ordinal), array_agg(e.traceparent order by e.ordinal)
        into event_write, event_number, event_id, event_type, event_schema, event_data, event_actor,
             event_correlation, event_causation, event_traceparent
        from unnest(event_write, event_number, event_id, event_type, event_schema, event_data, event_actor,
                    event_correlation, event_causation, event_traceparent)
             with ordinality as e(write, number, id, type, schema, data, actor, correlation, causation, traceparent,
                                  ordinal)
        where write_append[e.write] <> all (refused);
    end if;

    with inserted as (
        insert into events (position, stream, version, id, type, schema, data, actor, correlation_id, causation_id,
                            traceparent, occurred_at, digest)
        select head + e.ordinal, write_stream[e.write], versions[e.write] + e.number, e.id, e.type, e.schema, e.data,
               e.actor, e.correlation, e.causation, e.traceparent, now(),
               event_digest(write_stream[e.write], versions[e.write] + e.number, e.id, e.type, e.schema, e.actor,
                            e.correlation, e.causation, occurred_micros, e.data)
        from unnest(event_write, event_number, event_id, event_type, event_schema, event_data, event_actor,
                    event_correlation, event_causation, event_traceparent)
             with ordinality as e(write, number, id, type, schema, data, actor, correlation, causation, traceparent,
                                  ordinal)
        returning events.position, events.digest
    )
    select count(*), string_agg(i.digest, ''::bytea order by i.position) into appended, digests from inserted i;

    if appended > 0 then
        chain := sha256(chain || int8send(head + 1) || int8send(head + appended) || digests);
        insert into log_links (last_position, first_position, link) values (head + appended, head + 1, chain);
        update log_head set position = head + appended, link = chain;
    end if;

    if cardinality(keys_key) > 0 then
        insert into idempotency_keys (key, fingerprint, answer, position)
        select k.key, k.fingerprint, k.answer, head + l.last
        from unnest(keys_append, keys_key, keys_fingerprint, keys_answer) as k(append, key, fingerprint, answer)
        join (select write_append[e.write] as append, max(e.ordinal) as last
              from unnest(event_write) with ordinality as e(write, ordinal)
              group by 1) l on l.append = k.append;
    end if;

    return query select null::int, 'appended', null::text, null::bigint, head, null::bytea, null::jsonb;
end
$$;
comment on function append_events is 'the one way into the log: see the arrays above; one statement, one lock, one fsync';
