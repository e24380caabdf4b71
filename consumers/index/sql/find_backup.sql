select to_regclass('read_old.checkpoint') is not null
