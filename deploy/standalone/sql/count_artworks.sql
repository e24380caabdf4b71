-- One statement, one snapshot: the checkpoint moves in the transaction that inserts the artworks.
select c.position as checkpoint, h.position as head, (select count(*) from read.artworks) as in_model,
       (select count(*) from events e where e.type = 'artwork.created' and e.position <= c.position) as in_log
from read.checkpoint c, log_head h
