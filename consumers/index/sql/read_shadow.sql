select s.definition, s.up_to, s.loaded, c.position as checkpoint, coalesce(p.events, 0)::bigint as events
from shadow s cross join checkpoint c cross join (select sum(events) as events from shadow_parts) p
