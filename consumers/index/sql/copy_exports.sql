copy exports (
    id, state, selection, files, variants, archive_key, archive_sha256, archive_media_type, archive_length, pictures, missing,
    error, requested_at, finished_at, kept_until, position
) from stdin
