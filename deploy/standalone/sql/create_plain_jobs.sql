-- A queue as plain as one can be: no log, no history, no attempts.
create table plain_jobs (
    id bigint generated always as identity,
    data jsonb not null,
    constraint "a plain job has one row" primary key (id)
);
comment on table plain_jobs is 'what the queue is measured against'
