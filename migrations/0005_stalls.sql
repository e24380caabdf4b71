-- A projection that cannot go on: it tries again, and whoever looks is told since when, how often and why.
create table stalls (
    consumer text not null,
    since timestamptz not null default now(),
    attempts bigint not null default 1,
    error text not null,
    -- When it is tried again.
    next_at timestamptz not null,
    constraint "a consumer stalls once" primary key (consumer)
);
comment on table stalls is 'list_consumers: written after every attempt that failed, gone after the first that did not';

insert into privileges (object, privileges, roles) values
    ('table stalls', 'select, insert, update, delete', '{atelier_index,atelier_site}'),
    ('table stalls', 'select', '{atelier_producer}');
call grant_privileges();
