-- The log: the only truth. Every other table can be dropped and rebuilt from it.

create table events (
    position bigint not null,
    stream text not null,
    version bigint not null,
    id uuid not null,
    type text not null,
    schema smallint not null,
    -- As its writer sent it, to the byte: what the digest covers. Read whole, so that parsing it into jsonb would be paid
    -- for with every append and undone with every read.
    data json not null,
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
    constraint "a digest is a sha256" check (octet_length(digest) = 32)
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

-- One link per commit: sha256 over the link before, the first and last position, the time in microseconds, and the
-- digests in between.
create table log_links (
    last_position bigint not null,
    first_position bigint not null,
    committed_at timestamptz not null,
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
create index idempotency_keys_by_age on idempotency_keys (created_at);
comment on index idempotency_keys_by_age is 'forget_idempotency_keys takes the oldest';

-- Forgets keys that are older, a page at a time, and answers how many. The one way to lose one, and only of those that no
-- client can still be sending again: forgetting a young one would let a command happen twice.
create function forget_idempotency_keys(keep_s bigint, page bigint) returns bigint language plpgsql as $$
declare
    gone bigint;
begin
    if keep_s < 3600 then
        raise exception 'idempotency keys are kept for an hour at the least, not % s', keep_s
            using errcode = 'invalid_parameter_value';
    end if;
    delete from idempotency_keys
    where key = any (array(
        select key from idempotency_keys
        where created_at < now() - keep_s * interval '1 second'
        order by created_at
        limit page
    ));
    get diagnostics gone = row_count;
    return gone;
end
$$;

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

-- Appends a batch of independent appends in one statement. An append is a set of writes (one per stream) that are
-- taken together or refused together; the caller never puts one stream or one key into a batch twice.
--
-- Arrays share an index per kind: keys_* per keyed append, write_* per write, event_* per event. event_write points
-- into write_* and event_number counts the events of each write from 1; write_append and keys_append name the append.
-- write_expected: -1 any version, otherwise the version the stream must be at (0: no stream yet). event_digests holds
-- the 32 bytes of each event's digest, one after the other.
-- Answers a row per write that found another version, a row per append whose key was seen before, and one last row:
--   outcome 'conflict' (version: the one found), 'duplicate' (answer, fingerprint, position: those of the first time),
--           'appended' (position: the head before; the appends that have no row of their own follow it in their order).
-- So the usual answer is a single row. The caller counts for itself, which is cheaper than having it told, and digests
-- for itself, where that does not hold up everybody else: an event's place and time, which it cannot know, are covered by
-- the commit's link, and its version by the order in its stream.
create function append_events(
    keys_append int[], keys_key text[], keys_fingerprint bytea[], keys_answer jsonb[],
    write_append int[], write_stream text[], write_expected bigint[],
    event_write int[], event_number int[], event_id uuid[], event_type text[], event_schema smallint[],
    event_data text[], event_actor text[], event_correlation uuid[], event_causation uuid[], event_traceparent text[],
    event_digests bytea
) returns table (
    append int, outcome text, stream text, version bigint, "position" bigint, fingerprint bytea, answer jsonb
) language plpgsql as $$
#variable_conflict use_column
declare
    head bigint;
    chain bytea;
    versions bigint[];
    conflict boolean;
    refused int[] := '{}';
    appended int;
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

    -- Where each write's stream is: looked up once, by the index (offset 0 keeps it from being asked at each mention),
    -- and then taken by subscript.
    select array_agg(f.version order by f.write), bool_or(f.expected >= 0 and f.expected <> f.version)
    into versions, conflict
    from (select w.write, w.expected,
                 coalesce((select e.version from events e where e.stream = w.stream order by e.version desc limit 1), 0)
                 as version
          from unnest(write_stream, write_expected) with ordinality as w(stream, expected, write) offset 0) f;

    if conflict then
        return query
            select w.append, 'conflict', w.stream, w.version, null::bigint, null::bytea, null::jsonb
            from unnest(write_append, write_stream, write_expected, versions) as w(append, stream, expected, version)
            where w.expected >= 0 and w.expected <> w.version and w.append <> all (refused);
        refused := refused || array(
            select w.append from unnest(write_append, write_expected, versions) as w(append, expected, version)
            where w.expected >= 0 and w.expected <> w.version and w.append <> all (refused));
    end if;

    if cardinality(refused) > 0 then
        select array_agg(e.write order by e.ordinal), array_agg(e.number order by e.ordinal),
               array_agg(e.id order by e.ordinal), array_agg(e.type order by e.ordinal),
               array_agg(e.schema order by e.ordinal), array_agg(e.data order by e.ordinal),
               array_agg(e.actor order by e.ordinal), array_agg(e.correlation order by e.ordinal),
               array_agg(e.causation order by e.ordinal), array_agg(e.traceparent order by e.ordinal),
               string_agg(substring(event_digests from e.ordinal::int * 32 - 31 for 32), ''::bytea order by e.ordinal)
        into event_write, event_number, event_id, event_type, event_schema, event_data, event_actor,
             event_correlation, event_causation, event_traceparent, event_digests
        from unnest(event_write, event_number, event_id, event_type, event_schema, event_data, event_actor,
                    event_correlation, event_causation, event_traceparent)
             with ordinality as e(write, number, id, type, schema, data, actor, correlation, causation, traceparent,
                                  ordinal)
        where write_append[e.write] <> all (refused);
    end if;

    insert into events (position, stream, version, id, type, schema, data, actor, correlation_id, causation_id,
                        traceparent, occurred_at, digest)
    select head + e.ordinal, write_stream[e.write], versions[e.write] + e.number, e.id, e.type, e.schema, e.data::json,
           e.actor, e.correlation, e.causation, e.traceparent, now(),
           substring(event_digests from e.ordinal::int * 32 - 31 for 32)
    from unnest(event_write, event_number, event_id, event_type, event_schema, event_data, event_actor,
                event_correlation, event_causation, event_traceparent)
         with ordinality as e(write, number, id, type, schema, data, actor, correlation, causation, traceparent, ordinal);
    get diagnostics appended = row_count;

    if appended > 0 then
        if octet_length(event_digests) <> appended * 32 then
            raise exception 'append_events: % events, and % bytes of digests', appended, octet_length(event_digests)
                using errcode = 'invalid_parameter_value';
        end if;
        chain := sha256(chain || int8send(head + 1) || int8send(head + appended)
                        || int8send((extract(epoch from now()) * 1000000)::bigint) || event_digests);
        insert into log_links (last_position, first_position, committed_at, link)
        values (head + appended, head + 1, now(), chain);
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
