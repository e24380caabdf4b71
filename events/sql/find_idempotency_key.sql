select fingerprint, answer, position from idempotency_keys where key = $1
