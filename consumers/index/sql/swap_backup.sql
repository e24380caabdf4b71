-- The live read model becomes the backup: doing it again goes back again.
do $$
begin
    if to_regnamespace('read') is null then
        alter schema read_old rename to read;
    else
        alter schema read rename to read_swap;
        alter schema read_old rename to read;
        alter schema read_swap rename to read_old;
    end if;
end
$$
