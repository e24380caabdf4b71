-- What only a read model has that is being built: how far that is, for whoever goes on with it.
create table shadow (
    -- What it is built by; a program that differs in this starts over.
    definition text not null,
    -- The load takes the log up to here; what comes after is applied when the load is done.
    up_to bigint not null,
    -- Whoever goes on changes it, under the lock of this row: what the one before still sends is refused.
    fence uuid not null,
    -- Rows, keys and indexes are there, and the checkpoint is at up_to or after it.
    loaded boolean not null default false,
    only_row boolean not null default true,
    constraint "a shadow is one row" primary key (only_row)
);
-- The streams, split into ranges that are loaded side by side.
create table shadow_parts (
    part int not null,
    -- Up to this stream it is loaded; every stream of it comes after, up to last_stream.
    loaded_stream text not null,
    last_stream text not null,
    -- Events that have been applied.
    events bigint not null default 0,
    done boolean not null default false,
    constraint "a part has one row" primary key (part)
);
