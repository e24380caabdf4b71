//! What the standalone binary promises, by promise.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where and ends")]

mod avif;
mod bench;
mod blobs;
mod bucket;
mod client;
mod exports;
mod import;
mod installation;
mod jobs;
mod metrics;
mod orders;
mod pipes;
mod presigned;
mod recut;
mod restore;
mod settings_reference;
mod site_target;
mod store;
mod tail;
mod themes;
mod verify;
mod works;
