-- The API reads it. The schema's name differs, and the role may not be there.
do $$
begin
    if exists (select from pg_roles where rolname = 'atelier_producer') then
        execute format('grant usage on schema %I to atelier_producer', current_schema());
        execute format('grant select on all tables in schema %I to atelier_producer', current_schema());
    end if;
end
$$
