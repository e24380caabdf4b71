-- How many of the $3 wanted starts the consumer's bucket gives: $2 a minute, one second's worth at a time (at least one).
with bucket as (
    select consumer, least(greatest(1, $2 / 60.0), tokens + extract(epoch from now() - refilled_at) * $2 / 60.0) as tokens
    from rates where consumer = $1 for update
)
update rates r
set tokens = b.tokens - least($3::float8, floor(b.tokens)), refilled_at = now()
from bucket b
where r.consumer = b.consumer
returning least($3::float8, floor(b.tokens))::bigint
