-- To be rolled back: what compares the live read model with read_next compares it with the backup.
do $$
begin
    if to_regnamespace('read_next') is not null then
        alter schema read_next rename to read_swap;
    end if;
    alter schema read_old rename to read_next;
end
$$
