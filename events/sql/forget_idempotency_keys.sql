select forget_idempotency_keys($1, $2)
