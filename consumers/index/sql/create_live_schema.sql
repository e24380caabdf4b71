create schema if not exists read
