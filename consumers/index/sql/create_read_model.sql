-- The read model: everything here follows from the log and can be dropped. Names are unqualified, since the same text
-- makes the live schema (`read`) and the one that a replay builds beside it (`read_next`). Keys and indexes of the large
-- tables are in index_artworks.sql and index_variants.sql: a replay makes them when the rows are there.

create table artworks (
    id uuid not null,
    owner text not null,
    title text not null,
    description text not null,
    artist text not null,
    materials text,
    dimensions text,
    created_on date,
    category text not null,
    tags text[] not null,
    featured boolean not null,
    source_url text,
    video_url text,
    status text not null,
    created_at timestamptz not null,
    created_position bigint not null,
    -- The last event of its stream.
    updated_position bigint not null,
    -- The variant.rendered that made it active.
    ready_position bigint,
    -- The last event that changed what a gallery shows of it, and when that was.
    shown_position bigint,
    shown_at timestamptz,
    -- The release that shows it, as artwork.published told last: the release's position, as in site.position.
    published_position bigint,
    -- The newest complete variant.
    cover_variant uuid,
    -- Of the newest recipe; empty for an upload.
    prompt text not null,
    search tsvector not null,
    constraint "a status is known" check (status in ('pending', 'processing', 'active', 'failed')),
    constraint "an active artwork has a cover" check ((status = 'active') = (cover_variant is not null)),
    constraint "an active artwork says since when" check ((status = 'active') = (ready_position is not null)),
    constraint "what is published is ready" check (published_position is null or ready_position is not null)
);
comment on table artworks is 'lists and pages of artworks; the unique created_position is the keyset of all lists, newest first';
create table variants (
    id uuid not null,
    artwork_id uuid not null,
    -- The request it is part of; null for an upload.
    generation_id uuid,
    state text not null,
    -- The recipe; null for an upload.
    provider text,
    prompt text,
    -- Decimal digits: a seed is an unsigned 64-bit number, which a bigint cannot hold.
    seed text,
    -- Asked for, in pixels.
    width bigint,
    height bigint,
    params jsonb,
    -- The name an upload had at its owner's.
    filename text,
    original_key text,
    original_sha256 text,
    original_media_type text,
    original_length bigint,
    -- Of the original, in pixels, as seen.
    source_width bigint,
    source_height bigint,
    -- How long the provider took, in milliseconds, and what it cost, in millionths of a US dollar.
    elapsed_ms bigint,
    cost_micros bigint,
    -- [{"colour": "#rrggbb", "per_mille": share}, …], the most present first.
    palette jsonb not null,
    placeholder text,
    -- By which recipe its renditions were cut; null of those that were cut before recipes had a hash.
    recipe_hash text,
    failure_stage text,
    failure_error text,
    -- The variant.requested or variant.uploaded.
    requested_position bigint not null,
    requested_at timestamptz not null,
    -- When the last attempt of a provider began, and when it was complete or given up.
    started_at timestamptz,
    finished_at timestamptz,
    constraint "a variant's state is known" check (state in ('pending', 'processing', 'completed', 'failed')),
    constraint "a failed variant says why" check ((state = 'failed') = (failure_error is not null))
);
comment on table variants is 'an artwork''s variants in order, by (requested_at, id)';
create table lineage (
    variant_id uuid not null,
    parent uuid not null,
    relation text not null,
    constraint "a relation is known" check (relation in ('derived', 'refined', 'forked'))
);
comment on table lineage is 'what a variant comes from';
create table renditions (
    variant_id uuid not null,
    kind text not null,
    key text not null,
    sha256 text not null,
    media_type text not null,
    length bigint not null,
    -- In pixels.
    width bigint not null,
    height bigint not null
);
comment on table renditions is 'the files of a complete variant, for lists and pages';

create table exports (
    id uuid not null,
    state text not null,
    -- {"all": position}, {"artworks": [id, …]} or {"listed": blob}.
    selection jsonb not null,
    -- "originals" or {"rendition": kind}.
    files jsonb not null,
    variants text not null,
    archive_key text,
    archive_sha256 text,
    archive_media_type text,
    archive_length bigint,
    pictures bigint,
    -- [{"artwork_id", "variant_id", "reason"}, …], the variant where it is one that is missing; null until complete.
    missing jsonb,
    error text,
    requested_at timestamptz not null,
    finished_at timestamptz,
    -- When the ZIP is to be deleted; null where it is kept for ever.
    kept_until timestamptz,
    -- The export.requested.
    position bigint not null,
    constraint "an export has one row" primary key (id),
    constraint "an export holds covers or all variants" check (variants in ('cover', 'all')),
    constraint "an export's state is known" check (state in ('pending', 'completed', 'failed', 'expired')),
    constraint "an export that ended says when" check ((state = 'pending') = (finished_at is null))
);
comment on table exports is 'an export by its id';

create table site (
    only_row boolean not null default true,
    -- The release shows the log up to here; it is also the release's name.
    position bigint not null,
    artworks bigint not null,
    files bigint not null,
    files_written bigint not null,
    bytes_written bigint not null,
    url text not null,
    deployed_at timestamptz not null,
    constraint "one release is live" primary key (only_row),
    constraint "the site is one row" check (only_row)
);
comment on table site is 'the release that is live; no row before the first';

create table checkpoint (
    only_row boolean not null default true,
    -- Everything up to here has been applied; moved in the transaction that applies it.
    position bigint not null default 0,
    -- Which shape of this model it is: a program that knows another one replays.
    model_version int not null,
    constraint "a read model has one checkpoint" primary key (only_row),
    constraint "the checkpoint is one row" check (only_row)
);
comment on table checkpoint is 'how far the read model has got: reads with ?after= wait for it';

-- The event types and schemas that programs have had to do with here, so that one which does not know a type leaves its
-- events to one which does: see vocabulary.rs.
create table vocabulary (
    type text not null,
    schema smallint not null,
    -- A program that knows it has written here.
    known boolean not null,
    -- The first event of it that was passed over, by a program that did not know it.
    passed_over bigint,
    constraint "an event type has one row a schema" primary key (type, schema)
);
comment on table vocabulary is 'asked for a type that is not known, and by a program that starts';

-- Words by their English stem, none left out: English leaves out "to be or not to be".
create text search dictionary every_stem (template = pg_catalog.snowball, language = english);
create text search configuration words (copy = pg_catalog.english);
alter text search configuration words alter mapping replace pg_catalog.english_stem with every_stem;

-- The titles weigh most. The dots, which no query contains, stand between what is not one text, or else the last word of
-- one would make a phrase with the first of the next. A tsvector holds a megabyte, so that only the first of very long
-- texts can be found. A trigger, so that rows that are copied in have it too.
create function set_search() returns trigger language plpgsql as $$
declare
    headline text := left(new.title, 2000);
    details text := left(concat_ws(' ', new.artist, new.category, array_to_string(new.tags, ' '), new.materials), 20000);
    texts text := concat_ws(E'\n', left(new.prompt, 20000), left(new.description, 20000));
begin
    new.search := setweight(to_tsvector('words', headline) || '.:9', 'A')
        || setweight(to_tsvector('words', details) || '.:9', 'B')
        || setweight(to_tsvector('words', texts), 'C');
    return new;
end
$$;
create trigger search_follows_texts before insert on artworks for each row execute function set_search();

-- What a person typed, as a query for artworks.search: quotes, "or" and "-" as in web search. Words that English leaves
-- out need not be there ("the sea" finds a sea), unless something is quoted. Its body is bound to the configuration of this
-- schema, whoever calls it.
create function search_query(words text) returns tsquery language sql immutable
    return case when strpos(words, '"') > 0 then websearch_to_tsquery('words', words)
                else websearch_to_tsquery('pg_catalog.english', words) || websearch_to_tsquery('words', words) end;
