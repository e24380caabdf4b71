-- How far the relay has got, how far the log goes, and whether anyone leads.
select c.position, h.position as head,
       exists (select from leaders l where l.name = 'relay' and l.lease_until > now()) as led
from checkpoints c, log_head h
where c.name = 'relay'
