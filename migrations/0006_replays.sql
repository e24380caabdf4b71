-- Replays that were asked for over HTTP: whoever asks may not do it, so the daemon whose projection it is does.
create table replays (
    id bigint generated always as identity,
    consumer text not null,
    -- Only compare; start from the backup; start over.
    dry_run boolean not null,
    from_backup boolean not null,
    fresh boolean not null,
    asked_by text not null,
    asked_at timestamptz not null default now(),
    -- When a daemon took it, and when that daemon was heard of last: another one goes on after a silence.
    began_at timestamptz,
    seen_at timestamptz,
    progress jsonb,
    ended_at timestamptz,
    -- What came of it, or why nothing did.
    outcome jsonb,
    error text,
    constraint "a replay has one row" primary key (id),
    constraint "a replay ends one way" check ((ended_at is not null) = (num_nonnulls(outcome, error) = 1))
);
create unique index one_open_replay on replays (consumer) where ended_at is null;
comment on table replays is 'asked for by producers, done by the daemons of projections; the last hundred of each are kept';

insert into privileges (object, privileges, roles) values
    ('table replays', 'select, insert, update, delete', '{atelier_producer}'),
    ('table replays', 'select, update', '{atelier_index,atelier_site}');
call grant_privileges();
