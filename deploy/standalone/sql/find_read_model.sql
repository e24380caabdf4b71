select to_regclass('read.checkpoint') is not null and to_regclass('read.artworks') is not null
