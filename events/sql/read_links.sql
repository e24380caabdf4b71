select last_position, first_position, (extract(epoch from committed_at) * 1000000)::bigint as committed_micros, link
from log_links
where last_position > $1
order by last_position
limit $2
