-- One row per event that one consumer must act on: who works on it, until when, and how it ended. Derived from the log
-- (which events need whom) and from time (attempts, leases): the relay inserts, workers claim, renew and settle.

create type job_state as enum ('available', 'scheduled', 'running', 'retryable', 'completed', 'cancelled', 'discarded');

create table jobs (
    id bigint generated always as identity,
    consumer text not null,
    position bigint not null,
    stream text not null,
    state job_state not null default 'available',
    attempt int not null default 0,
    run_at timestamptz not null default now(),
    fence bigint not null default 0,
    lease_until timestamptz,
    worker text,
    error text,
    created_at timestamptz not null default now(),
    attempted_at timestamptz,
    finished_at timestamptz,
    constraint "a job has one row" primary key (id),
    constraint "a consumer has one job per event" unique (consumer, position),
    constraint "a job is about an event" foreign key (position) references events (position),
    constraint "attempts count up from 0" check (attempt >= 0),
    constraint "a running job has a lease" check ((state = 'running') = (lease_until is not null)),
    constraint "an ended job says when" check ((state in ('completed', 'cancelled', 'discarded')) = (finished_at is not null))
);
comment on table jobs is 'the queue; derived: every row can be rebuilt from the log';

create index jobs_claimable on jobs (consumer, run_at, position) where state in ('available', 'scheduled', 'retryable');
comment on index jobs_claimable is 'claim_available_jobs and due_jobs: what may be taken now, oldest first';
create index jobs_leases on jobs (lease_until) where state = 'running';
comment on index jobs_leases is 'rescue_jobs: leases that have ended';
create index jobs_of_stream on jobs (stream, id);
comment on index jobs_of_stream is 'an artwork''s jobs on its page';

-- How far something has got through the log. The read model keeps its own, in its own schema, so that a swap moves both.
create table checkpoints (
    name text not null,
    position bigint not null default 0,
    updated_at timestamptz not null default now(),
    constraint "a checkpoint has a name" primary key (name)
);
insert into checkpoints (name) values ('relay');
comment on table checkpoints is 'relay, gallery and site: the position up to which each has been applied';

-- The right to be the only one doing something (the relay leads). A new holder gets a higher term, which fences the old one.
create table leaders (
    name text not null,
    holder text not null,
    term bigint not null,
    lease_until timestamptz not null,
    constraint "a leadership has one holder" primary key (name)
);
comment on table leaders is 'taken and renewed by take_leadership, checked by everything a leader writes';
