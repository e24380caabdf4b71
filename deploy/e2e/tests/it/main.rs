//! What an installation promises, shown on its real processes: the daemons' own programs over real databases, brokers
//! and buckets, with kills and bad input where it hurts.

mod bad_input;
mod commands;
mod crash;
mod demo;
mod deploys;
mod duplicates;
mod gallery;
mod harness;
mod history;
mod large_upload;
mod newer;
mod pictures;
mod replay;
mod roles;
mod servers;
mod shutdown;

/// The setting with which nobody looks by himself, so that what happens after the start happens because of a message.
const BY_MESSAGE: (&str, &str) = ("CONSUMER__POLL_INTERVAL_MS", "3600000");
