select id, state, archive_key, archive_sha256, archive_length, pictures, missing, error, requested_at, finished_at
from read.exports
where id = $1
