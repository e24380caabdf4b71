select to_regclass('read_next.shadow') is not null
