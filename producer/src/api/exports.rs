//! Exports: a selection of artworks as one ZIP.

pub(super) mod cancel;
pub(super) mod create;
pub(super) mod download;
pub(super) mod follow;
pub(super) mod read;
