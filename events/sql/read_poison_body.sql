select body from poison_messages where id = $1
