-- What somebody is still reading stays for the next replay to drop.
do $$
declare
    gone name;
begin
    for gone in select nspname from pg_namespace where nspname ~ '^read_gone_[0-9]+$' loop
        begin
            execute format('drop schema %I cascade', gone);
        exception
            when lock_not_available then
                raise warning 'the schema % is still being read: the next replay drops it', gone;
        end;
    end loop;
end
$$
