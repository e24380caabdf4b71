-- Variants that were rendered, and those that failed, behind a position of the log.
select count(*) filter (where type = 'variant.rendered'), count(*) filter (where type = 'variant.failed')
from events where position > $1
