-- Waits for what is on its way under the fence before.
update shadow set fence = $1
