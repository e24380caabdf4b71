insert into exports
select * from jsonb_populate_recordset(null::exports, $1)
on conflict (id) do update set
    state = excluded.state, archive_key = excluded.archive_key, archive_sha256 = excluded.archive_sha256,
    archive_media_type = excluded.archive_media_type, archive_length = excluded.archive_length,
    pictures = excluded.pictures, missing = excluded.missing, error = excluded.error, finished_at = excluded.finished_at,
    kept_until = excluded.kept_until
