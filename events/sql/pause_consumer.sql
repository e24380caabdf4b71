insert into pauses (consumer, paused_by) values ($1, $2) on conflict (consumer) do nothing
