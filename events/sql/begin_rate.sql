insert into rates (consumer, tokens) values ($1, 1) on conflict (consumer) do nothing
