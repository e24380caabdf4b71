insert into checkpoints (name, position) values ($1, $2)
on conflict (name) do update set position = greatest(checkpoints.position, excluded.position), updated_at = now()
