select last_position, first_position, link from log_links where last_position > $1 order by last_position limit $2
