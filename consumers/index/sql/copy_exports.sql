copy exports (
    id, state, selection, archive_key, archive_sha256, archive_media_type, archive_length, pictures, missing, error,
    requested_at, finished_at, position
) from stdin
