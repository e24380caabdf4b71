-- Daemons of two versions side by side, while an installation is being updated.

-- Which migration a program must know to work with this schema: a migration that takes away what older programs use
-- (contract) raises it to its own number, and they refuse to start from then on.
create table schema_floor (
    only_row boolean not null default true,
    migration bigint not null,
    constraint "the schema has one floor" primary key (only_row),
    constraint "the floor is one row" check (only_row)
);
insert into schema_floor (migration) values (4);
comment on table schema_floor is 'read by every daemon at its start';

-- Events that a relay went past without knowing their type. One that knows them makes up for it.
create table passed_over (
    position bigint not null,
    type text not null,
    constraint "an event is passed over once" primary key (position)
);
comment on table passed_over is 'looked at by the relay at every tick of its schedule; nearly always empty';

insert into privileges (object, privileges, roles) values
    ('table schema_floor', 'select', '{atelier_producer,atelier_generate,atelier_thumbnails,atelier_exports,atelier_index,atelier_site}'),
    ('table passed_over', 'select, insert, delete', '{atelier_producer}');
call grant_privileges();
