update leaders set lease_until = now() where name = $1 and holder = $2
