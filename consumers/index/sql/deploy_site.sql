-- A release never goes back: one that was overtaken changes nothing.
insert into site (position, artworks, files, files_written, bytes_written, url, deployed_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (only_row) do update set
    position = excluded.position, artworks = excluded.artworks, files = excluded.files,
    files_written = excluded.files_written, bytes_written = excluded.bytes_written, url = excluded.url,
    deployed_at = excluded.deployed_at
where site.position <= excluded.position
