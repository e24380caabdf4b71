drop schema if exists read_gone cascade
