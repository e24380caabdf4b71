-- A message that is like one that is kept already is counted with it: a stranger that sends the same thing for ever takes
-- one row.
insert into poison_messages as p (consumer, reason, error, position, properties, headers, body, body_bytes, digest)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict on constraint "what is alike is kept once" do update
set times = p.times + 1, last_at = now(), properties = excluded.properties, headers = excluded.headers
