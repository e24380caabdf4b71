drop schema if exists read_old cascade
