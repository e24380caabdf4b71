-- Schemas are renamed without a lock on what is in them: a reader in the middle of a query holds up nothing.
do $$
begin
    drop table read_next.shadow, read_next.shadow_parts;
    if to_regnamespace('read') is not null then
        if to_regnamespace('read_old') is not null then
            alter schema read_old rename to read_gone;
        end if;
        alter schema read rename to read_old;
    end if;
    alter schema read_next rename to read;
end
$$
