-- What the log is measured against: its columns and indexes, numbered by a sequence, without chain, triggers or checks.
create table plain_events (like events including indexes);
alter table plain_events alter column position add generated always as identity;
alter table plain_events alter column occurred_at set default now();
