drop schema if exists read_next cascade
