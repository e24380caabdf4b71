-- Least privilege: a role for each daemon, which may do what that daemon does and nothing else. Whoever logs in as one of
-- them, or as a member of one, cannot change history: the tables, their triggers and append_events belong to the owner,
-- who migrates.
--
-- Roles are the cluster's and not the database's, so they may be there already, or be made at the same moment by the
-- migration of another database. An owner that may not make roles is told so; everything then works as before under
-- the owner, and `call grant_privileges()` makes up for it once somebody has made them.
do $$
declare
    daemon text;
begin
    foreach daemon in array array['producer', 'generate', 'thumbnails', 'exports', 'index', 'site'] loop
        begin
            if not exists (select from pg_roles where rolname = 'atelier_' || daemon) then
                execute format('create role %I nologin', 'atelier_' || daemon);
            end if;
        exception
            when duplicate_object or unique_violation then
                null;
            when insufficient_privilege then
                raise warning 'role atelier_% could not be made: % may not make roles. Daemons work as the owner until somebody who may runs: create role atelier_% nologin; and the owner: call grant_privileges();',
                    daemon, current_user, daemon;
        end;
    end loop;
    -- What the index builds belongs to its role, whoever ran it: the owner has to be able to become that role.
    begin
        if not (select rolsuper from pg_roles where rolname = current_user) then
            execute format('grant atelier_index to %I', current_user);
        end if;
    exception
        when undefined_object or insufficient_privilege or unique_violation then
            null;
    end;
end
$$;

-- The one way into the log is open to those who append, and nobody needs to insert. The pinned path keeps a caller from
-- putting functions or operators of its own in the way of what runs as the owner.
do $$
begin
    execute format('alter function append_events security definer set search_path = %I, pg_temp', current_schema());
    execute format('alter function forget_idempotency_keys security definer set search_path = %I, pg_temp', current_schema());
end
$$;
revoke execute on function append_events from public;
revoke execute on function forget_idempotency_keys from public;
-- So is it since Postgres 15; a database that is older than its server may still let everybody make tables here.
revoke create on schema public from public;

create table privileges (
    object text not null,
    privileges text not null,
    roles text[] not null,
    constraint "a privilege is listed once" primary key (object, privileges)
);
comment on table privileges is 'what each daemon may do; a migration that makes a table adds its lines and calls grant_privileges';

-- An object that is in no line is the owner's alone.
insert into privileges (object, privileges, roles) values
    ('table _sqlx_migrations', 'select', '{atelier_producer,atelier_generate,atelier_thumbnails,atelier_exports,atelier_index,atelier_site}'),
    ('function append_events', 'execute', '{atelier_producer,atelier_generate,atelier_thumbnails,atelier_exports,atelier_site}'),
    ('function forget_idempotency_keys', 'execute', '{atelier_producer}'),
    ('table events', 'select', '{atelier_producer,atelier_generate,atelier_thumbnails,atelier_exports,atelier_index,atelier_site}'),
    ('table log_head', 'select', '{atelier_producer,atelier_generate,atelier_thumbnails,atelier_exports,atelier_index,atelier_site}'),
    ('table log_links', 'select', '{atelier_producer}'),
    ('table idempotency_keys', 'select', '{atelier_producer}'),
    -- The relay enlists; workers claim, renew and settle.
    ('table jobs', 'select, insert, update, delete', '{atelier_producer}'),
    ('table jobs', 'select, update', '{atelier_generate,atelier_thumbnails,atelier_exports,atelier_index}'),
    ('table current_jobs', 'select', '{atelier_producer}'),
    ('table available_jobs', 'select, insert, update, delete', '{atelier_producer,atelier_generate,atelier_thumbnails,atelier_exports,atelier_index}'),
    ('table scheduled_jobs', 'select, insert, update, delete', '{atelier_producer}'),
    ('table scheduled_jobs', 'insert', '{atelier_generate,atelier_thumbnails,atelier_exports,atelier_index}'),
    ('table leases', 'select, insert, update, delete', '{atelier_producer,atelier_generate,atelier_thumbnails,atelier_exports,atelier_index}'),
    ('table dead_letters', 'select, insert, update, delete', '{atelier_producer}'),
    ('table dead_letters', 'insert', '{atelier_generate,atelier_thumbnails,atelier_exports,atelier_index}'),
    ('table poison_messages', 'select, insert, update, delete', '{atelier_producer}'),
    ('table pauses', 'select, insert, delete', '{atelier_producer}'),
    ('table pauses', 'select', '{atelier_generate,atelier_thumbnails,atelier_exports,atelier_index,atelier_site}'),
    ('table rates', 'select, insert, update', '{atelier_producer,atelier_generate,atelier_thumbnails,atelier_exports,atelier_index}'),
    ('table workers', 'select, insert, update, delete', '{atelier_producer,atelier_generate,atelier_thumbnails,atelier_exports,atelier_index}'),
    -- The relay's, the gallery list's.
    ('table checkpoints', 'select, insert, update', '{atelier_producer,atelier_index}'),
    ('table leaders', 'select, insert, update', '{atelier_producer}'),
    -- The schemas of the read model.
    ('database', 'create', '{atelier_index}');

create procedure grant_privileges() language plpgsql as $$
declare
    statement text;
begin
    for statement in
        select format('grant %s on %s to %I', p.privileges,
                      case p.object when 'database' then format('database %I', current_database()) else p.object end, role)
        from privileges p
        cross join unnest(p.roles) as role
        where exists (select from pg_roles where rolname = role)
        order by p.object, role
    loop
        execute statement;
    end loop;
    if not exists (select from pg_roles where rolname = 'atelier_index') then
        return;
    end if;
    if not pg_has_role(current_user, 'atelier_index', 'member') then
        raise warning 'who replays as % and the index daemon cannot go on with what the other has built: let somebody grant atelier_index to %, and call grant_privileges() again', current_user, current_user;
        return;
    end if;
    -- What was built before the roles were there.
    for statement in
        select format('alter schema %I owner to atelier_index', nspname)
        from pg_namespace
        where nspname in ('read', 'read_next', 'read_old') and nspowner <> 'atelier_index'::regrole
        union all
        select format('alter table %s owner to atelier_index', c.oid::regclass)
        from pg_class c
        where c.relnamespace::regnamespace::text in ('read', 'read_next', 'read_old') and c.relkind = 'r'
          and c.relowner <> 'atelier_index'::regrole
        union all
        select format('grant usage on schema %1$I to atelier_producer; grant select on all tables in schema %1$I to atelier_producer',
                      nspname)
        from pg_namespace
        where nspname in ('read', 'read_next', 'read_old')
          and exists (select from pg_roles where rolname = 'atelier_producer')
    loop
        execute statement;
    end loop;
end
$$;
comment on procedure grant_privileges is 'gives each role that is there what privileges lists; can be called again, by the owner';
revoke execute on procedure grant_privileges from public;
call grant_privileges();
