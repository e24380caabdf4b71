select part, loaded_stream, last_stream from shadow_parts where not done order by part
