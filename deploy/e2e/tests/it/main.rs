//! What an installation promises, shown on its real processes: the daemons' own programs over real databases, brokers
//! and buckets, with kills and bad input where it hurts.

mod bad_input;
mod broker;
mod browser;
mod clocks;
mod commands;
mod cost;
mod crash;
mod database;
mod demo;
mod deploys;
mod duplicates;
mod gallery;
mod harness;
mod history;
mod invariant;
mod kills;
mod large_upload;
mod leases;
mod newer;
mod pictures;
mod private;
mod replay;
mod restored;
mod roles;
mod rolling;
mod servers;
mod shutdown;
mod traces;
mod webhooks;

/// The setting with which nobody looks by himself, so that what happens after the start happens because of a message.
const BY_MESSAGE: (&str, &str) = ("CONSUMER__POLL_INTERVAL_MS", "3600000");

/// What dies is noticed soon; all else is as an operator has it.
const IMPATIENT: [(&str, &str); 3] =
    [("CONSUMER__LEASE_TTL_MS", "3000"), ("CONSUMER__BACKOFF_INITIAL_MS", "300"), ("CONSUMER__BACKOFF_MAX_MS", "3000")];
