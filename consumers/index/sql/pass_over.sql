-- No row: a program that knows the type has written here. True: this is the first event of it.
insert into vocabulary (type, schema, known, passed_over) values ($1, $2, false, $3)
on conflict (type, schema) do update set passed_over = least(vocabulary.passed_over, excluded.passed_over)
where not vocabulary.known
returning passed_over = $3
