//! The chain of commits, walked event by event.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};
use sqlx::{PgPool, Postgres, Transaction};

use super::copied::Checked;
use super::verify::{Anchor, Flaw, Verified};
use crate::id::{Position, Version};

/// Links read at a time.
const LINKS: i64 = 10_000;

/// What is kept of a commit.
#[derive(sqlx::FromRow)]
struct Commit {
    last_position: Position,
    first_position: Position,
    /// When, in microseconds since 1970: what all its events have happened at.
    committed_micros: i64,
    link: Vec<u8>,
}

/// The commits' links, read as far as they are needed.
pub(super) struct Links {
    pool: PgPool,
    head: Position,
    read: Position,
    waiting: VecDeque<Commit>,
}

impl Links {
    pub(super) fn new(pool: PgPool, after: Position, head: Position) -> Self {
        Self { pool, head, read: after, waiting: VecDeque::new() }
    }

    /// Reads on until those of all commits up to a position are here. Outside the snapshot: what is not behind the head
    /// does not change.
    pub(super) async fn read_up_to(&mut self, position: Position) -> sqlx::Result<()> {
        while self.read < position.min(self.head) {
            let links: Vec<Commit> = sqlx::query_as(include_str!("../../sql/read_links.sql"))
                .bind(self.read)
                .bind(LINKS)
                .fetch_all(&self.pool)
                .await?;
            self.read = links.last().map_or(self.head, |link| link.last_position);
            self.waiting.extend(links.into_iter().filter(|link| link.last_position <= self.head));
        }
        Ok(())
    }

    /// Links behind the head, which tell of no commit.
    pub(super) async fn read_beyond(&mut self, tx: &mut Transaction<'_, Postgres>) -> sqlx::Result<()> {
        let links: Vec<Commit> = sqlx::query_as(include_str!("../../sql/read_links.sql"))
            .bind(self.head)
            .bind(LINKS)
            .fetch_all(&mut **tx)
            .await?;
        self.waiting.extend(links);
        Ok(())
    }

    fn next_if(&mut self, wanted: impl FnOnce(Position) -> bool) -> Option<Commit> {
        if wanted(self.waiting.front()?.last_position) { self.waiting.pop_front() } else { None }
    }
}

/// Where the events of a stream may be that has not begun with version 1.
#[derive(Clone, Copy)]
enum Unseen {
    /// Nowhere: all events have been seen.
    Nothing,
    /// Before the anchor, where they can be looked up.
    BeforeAnchor,
    /// At a position that is missing, which has been told.
    Missing,
}

/// The chain so far, and the commit that is being walked through.
pub(super) struct Chain {
    /// The link of the commit before.
    reached: Anchor,
    /// What the current commit's link covers, as far as it has been read; none before its first event.
    covered: Option<Sha256>,
    /// The position of the last event, or of the anchor.
    last: Position,
    /// By stream; none where the last event was changed, so that nobody knows.
    versions: HashMap<u128, Option<Version>>,
    /// The events with which streams go on that began before the anchor.
    first_of_streams: Vec<i64>,
    unseen: Unseen,
    events: u64,
    commits: u64,
    flaws: Vec<Flaw>,
}

impl Chain {
    pub(super) fn new(from: &Anchor) -> Self {
        Self {
            reached: *from,
            covered: None,
            last: from.position,
            versions: HashMap::new(),
            first_of_streams: Vec::new(),
            unseen: if *from == Anchor::beginning() { Unseen::Nothing } else { Unseen::BeforeAnchor },
            events: 0,
            commits: 0,
            flaws: Vec::new(),
        }
    }

    pub(super) fn walk(&mut self, row: &Checked, links: &mut Links) {
        self.events += 1;
        let missing = self.last.0 + 1..row.position.0;
        if !missing.is_empty() {
            // Nobody knows of which streams those were.
            self.versions.values_mut().for_each(|version| *version = None);
            self.unseen = Unseen::Missing;
        }
        self.flaws.extend(missing.map(|position| Flaw::Missing(Position(position))));
        self.last = row.position;
        if !row.fits {
            self.flaws.push(Flaw::Changed(row.position));
        }
        self.version(row);
        // Commits whose last event is gone end here all the same.
        while let Some(link) = links.next_if(|last| last < row.position) {
            self.close(link);
        }
        let Some(link) = links.waiting.front().filter(|link| link.first_position <= row.position) else {
            // No commit tells of this event.
            self.flaws.push(Flaw::Chain(row.position));
            return;
        };
        if row.fits && row.micros != link.committed_micros {
            self.flaws.push(Flaw::Changed(row.position));
        }
        let covered = self.covered.get_or_insert_with(|| {
            Sha256::new()
                .chain_update(self.reached.link)
                .chain_update(link.first_position.0.to_be_bytes())
                .chain_update(link.last_position.0.to_be_bytes())
                .chain_update(link.committed_micros.to_be_bytes())
        });
        covered.update(row.digest);
        if let Some(link) = links.next_if(|last| last == row.position) {
            self.close(link);
        }
    }

    /// What was found, and the first events of the streams of which only the database knows where they were.
    pub(super) fn end(mut self, mut links: Links, head: Position, head_link: &[u8]) -> (Verified, Vec<i64>) {
        while let Some(link) = links.next_if(|_| true) {
            self.close(link);
        }
        if head != self.last {
            self.flaws.push(Flaw::Head { head, last: self.last });
        }
        if head == self.reached.position && head_link != self.reached.link {
            self.flaws.push(Flaw::HeadLink(head));
        }
        let Self { events, commits, reached, flaws, .. } = self;
        (Verified { events, commits, reached, flaws }, self.first_of_streams)
    }

    fn version(&mut self, row: &Checked) {
        let known = row.fits.then_some(row.version);
        match (self.versions.insert(row.stream, known), known) {
            (Some(Some(before)), Some(version)) if version.0 != before.0 + 1 => {
                self.flaws.push(Flaw::Version(row.position));
            }
            (None, Some(Version(version))) if version > 1 => match self.unseen {
                Unseen::Nothing => self.flaws.push(Flaw::Version(row.position)),
                Unseen::BeforeAnchor => self.first_of_streams.push(row.position.0),
                Unseen::Missing => {}
            },
            _ => {}
        }
    }

    fn close(&mut self, commit: Commit) {
        let Commit { last_position: last, link, .. } = commit;
        self.commits += 1;
        let computed: Option<[u8; 32]> = self.covered.take().map(|covered| covered.finalize().into());
        if computed.is_none_or(|computed| computed != link.as_slice()) {
            self.flaws.push(Flaw::Chain(last));
        }
        // Each break is told once: the rest of the chain is checked from what is stored.
        self.reached = Anchor { position: last, link: link.try_into().unwrap_or_default() };
    }
}
