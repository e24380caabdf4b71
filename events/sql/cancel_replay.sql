-- One of the site that a daemon is at ($3: seconds of silence after which none is) is not broken off.
update replays set ended_at = now(), error = $2
where id = $1 and ended_at is null
  and (consumer <> 'site' or seen_at is null or seen_at < now() - make_interval(secs => $3))
