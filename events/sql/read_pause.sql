select paused_by, paused_at from pauses where consumer = $1
