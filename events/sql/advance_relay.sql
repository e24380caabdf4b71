-- Refused (no row comes back) when another has taken over since.
update checkpoints set position = $1, updated_at = now()
where name = 'relay' and position <= $1 and exists (select from leaders where name = 'relay' and term = $2)
returning position
