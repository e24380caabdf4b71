select to_regclass('read.checkpoint') is not null
