select id, state, files, variants, archive_key, archive_sha256, archive_length, pictures, missing, error, requested_at,
       finished_at, kept_until, position
from read.exports
where id = $1
