update rates set tokens = tokens + $2 where consumer = $1
