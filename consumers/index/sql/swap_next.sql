-- Schemas are renamed without a lock on what is in them: a reader in the middle of a query holds up nothing. The one before
-- the backup gets a name of its own, since an earlier one may still be there: somebody has been reading it ever since.
do $$
begin
    drop table read_next.shadow, read_next.shadow_parts;
    if to_regnamespace('read') is not null then
        if to_regnamespace('read_old') is not null then
            execute format('alter schema read_old rename to read_gone_%s', pg_current_xact_id());
        end if;
        alter schema read rename to read_old;
    end if;
    alter schema read_next rename to read;
end
$$
