-- Refused (no row comes back) when another has taken over since. A crash of the database may undo it, and then the same
-- events are published once more: it is never further than what is enlisted, which was committed before it.
with relaxed as materialized (
    select set_config('synchronous_commit', 'off', true) as setting
)
update checkpoints set position = $1, updated_at = now()
where name = 'relay' and position <= $1 and exists (select from leaders where name = 'relay' and term = $2)
  and (select setting from relaxed) = 'off'
returning position
