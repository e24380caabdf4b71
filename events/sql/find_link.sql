select link from log_links where last_position = $1
