select id from read.variants where id = any ($1)
