create schema read_next
