update shadow_parts set loaded_stream = coalesce($2, loaded_stream), events = events + $3, done = $4 where part = $1
