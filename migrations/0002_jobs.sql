-- Jobs: one row per event that one consumer must act on: who works on it, until when, and how it ended. Derived from the
-- log (which events need whom) and from time (attempts, leases): the relay inserts, workers claim, renew and settle.
--
-- A job's row keeps what has become of it. Where it waits, or that it runs, is a row of its own in one of four narrow
-- tables, by which it is found: available_jobs, scheduled_jobs, leases or dead_letters. So no index covers anything that
-- changes in `jobs`, and its updates stay within their pages (HOT): with indexes on state and lease instead, draining
-- 100,000 jobs took six times as long. An attempt is written into the job's row when it ends, not when it begins: the lease
-- says meanwhile what there is to say (current_jobs), and a job that succeeds is updated once in its life.

create type job_state as enum ('available', 'scheduled', 'running', 'retryable', 'completed', 'cancelled', 'discarded');

create table jobs (
    id bigint generated always as identity,
    consumer text not null,
    position bigint not null,
    stream text not null,
    -- 0 interactive (someone waits), 1 bulk.
    priority smallint not null default 0,
    -- Never 'running': see current_jobs. Attempt, fence, worker and attempted_at are those of the last attempt that ended.
    state job_state not null default 'available',
    attempt int not null default 0,
    fence bigint not null default 0,
    run_at timestamptz not null default now(),
    worker text,
    error text,
    -- The last twenty errors: attempt, worker, error, at.
    failures jsonb not null default '[]',
    created_at timestamptz not null default now(),
    attempted_at timestamptz,
    finished_at timestamptz,
    constraint "a job has one row" primary key (id),
    constraint "a consumer has one job per event" unique (consumer, position),
    constraint "attempts count up from 0" check (attempt >= 0),
    constraint "a priority is interactive or bulk" check (priority in (0, 1)),
    constraint "a lease says what runs" check (state <> 'running'),
    constraint "an ended job says when" check ((state in ('completed', 'cancelled', 'discarded')) = (finished_at is not null))
) with (fillfactor = 70);
comment on table jobs is 'the queue and its history; derived: every row can be rebuilt from the log';
create index jobs_of_stream on jobs (stream, id);
comment on index jobs_of_stream is 'an artwork''s jobs on its page; enlist_jobs: does a job of this stream wait already';

create table available_jobs (
    consumer text not null,
    priority smallint not null,
    job bigint not null,
    -- As in the job's row, so that a claim need not look there.
    position bigint not null,
    attempt int not null,
    fence bigint not null,
    constraint "a job waits once" primary key (consumer, priority, job)
);
comment on table available_jobs is 'state available; claim_jobs takes from its front';

create table scheduled_jobs (
    run_at timestamptz not null,
    job bigint not null,
    constraint "a job waits for one time" primary key (run_at, job)
);
comment on table scheduled_jobs is 'states scheduled and retryable; due_jobs takes those whose time has come';

create table leases (
    job bigint not null,
    fence bigint not null,
    consumer text not null,
    priority smallint not null,
    position bigint not null,
    attempt int not null,
    worker text not null,
    claimed_at timestamptz not null,
    lease_until timestamptz not null,
    -- How far the attempt has come, as it says itself. Here and nowhere else: it is worth nothing once the attempt has
    -- ended, and an event for each step would be a log of a log.
    progress jsonb,
    constraint "a job runs once at a time" primary key (job)
);
comment on table leases is 'state running; a row is the right to end the job, whoever deletes it by job and fence has ended it';

create table dead_letters (
    job bigint not null,
    consumer text not null,
    constraint "a job dies once" primary key (job)
);
comment on table dead_letters is 'state discarded; counted and listed until somebody requeues or purges them';

create view current_jobs as
select j.id, j.consumer, j.position, j.stream, j.priority, case when l.job is null then j.state else 'running' end as state,
       coalesce(l.attempt, j.attempt) as attempt, coalesce(l.fence, j.fence) as fence, j.run_at,
       coalesce(l.worker, j.worker) as worker, j.error, j.failures, j.created_at,
       coalesce(l.claimed_at, j.attempted_at) as attempted_at, j.finished_at, l.progress
from jobs j
left join leases l on l.job = j.id;
comment on view current_jobs is 'jobs as they are at this moment, those that run included';

-- What the broker carried to a consumer and no consumer could take: no event, or never acknowledged. It is nobody's job, and
-- no job waits for it.
create table poison_messages (
    id bigint generated always as identity,
    -- Whose queue it was in.
    consumer text not null,
    -- The broker's word: rejected, delivery_limit, …
    reason text not null,
    error text not null,
    -- Of the event it carries, where it carries one.
    position bigint,
    properties jsonb not null,
    headers jsonb not null,
    -- The beginning of it, and how long the whole is; the digest is of the whole.
    body bytea not null,
    body_bytes bigint not null,
    digest bytea not null,
    times bigint not null default 1,
    first_at timestamptz not null default now(),
    last_at timestamptz not null default now(),
    constraint "a poison message has one row" primary key (id),
    constraint "what is alike is kept once" unique (consumer, reason, digest)
);
comment on table poison_messages is 'written by the relay; counted and listed until somebody purges them';

-- These turn over as fast as jobs do: dead rows at their front would be read by every claim.
alter table available_jobs set (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
alter table leases set (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- A consumer that an operator has paused: its jobs wait, what runs goes on.
create table pauses (
    consumer text not null,
    paused_by text not null,
    paused_at timestamptz not null default now(),
    constraint "a consumer is paused once" primary key (consumer)
);
comment on table pauses is 'read by every claim and every projection';

-- Starts that a consumer with a rate limit has left, over all its daemons.
create table rates (
    consumer text not null,
    tokens double precision not null,
    refilled_at timestamptz not null default now(),
    constraint "a consumer has one rate" primary key (consumer)
);
comment on table rates is 'take_starts: a token bucket per consumer';

-- Who works: so that a job that waits can say that nobody is there.
create table workers (
    name text not null,
    consumer text not null,
    concurrency int not null,
    version text not null,
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    constraint "a worker has one row" primary key (name)
);
comment on table workers is 'report_worker at every renewal of leases; those not seen for a day are pruned';

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
