//! When each artwork got how far, as the log tells it.

use std::collections::BTreeMap;

use atelier_events::ArtworkId;
use indicatif::{ProgressBar, ProgressStyle};
use time::{Duration, OffsetDateTime};

use crate::table::{self, Align};

/// What is known of one artwork.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched {
    title: String,
    asked: Option<OffsetDateTime>,
    generated: Option<OffsetDateTime>,
    rendered: Option<OffsetDateTime>,
    published: Option<OffsetDateTime>,
    failure: Option<String>,
}

/// The artworks that are watched, and a bar that shows how many are published.
pub(super) struct Timeline {
    artworks: BTreeMap<ArtworkId, Watched>,
    bar: ProgressBar,
}

impl Timeline {
    pub(super) fn new(expected: usize) -> Self {
        let bar = ProgressBar::new(expected as u64);
        let style = ProgressStyle::with_template("{bar:32} {pos}/{len} published  {msg}  {elapsed}");
        // The template is a constant; should it ever be wrong, the default bar is as good.
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { artworks: BTreeMap::new(), bar }
    }

    pub(super) fn watch(&mut self, id: ArtworkId, title: &str) {
        self.artworks.insert(id, Watched { title: title.to_owned(), ..Watched::default() });
        self.bar.set_length(self.artworks.len() as u64);
    }

    pub(super) fn asked(&mut self, id: ArtworkId, at: OffsetDateTime) {
        self.change(id, |artwork| artwork.asked = Some(at));
    }

    pub(super) fn generated(&mut self, id: ArtworkId, at: OffsetDateTime) {
        self.change(id, |artwork| artwork.generated = Some(at));
    }

    pub(super) fn rendered(&mut self, id: ArtworkId, at: OffsetDateTime) {
        self.change(id, |artwork| artwork.rendered = Some(at));
    }

    pub(super) fn failed(&mut self, id: ArtworkId, error: &str) {
        self.change(id, |artwork| artwork.failure = Some(error.to_owned()));
    }

    pub(super) fn published(&mut self, id: ArtworkId, at: OffsetDateTime) {
        self.change(id, |artwork| artwork.published = Some(at));
    }

    /// Whether there is nothing left to wait for.
    pub(super) fn is_done(&self) -> bool {
        self.artworks.values().all(|artwork| artwork.published.is_some() || artwork.failure.is_some())
    }

    pub(super) fn failures(&self) -> impl Iterator<Item = String> {
        let failed = |artwork: &Watched| artwork.failure.as_ref().map(|why| format!("{}: {why}", artwork.title));
        self.artworks.values().filter_map(failed)
    }

    pub(super) fn finish(self) -> BTreeMap<ArtworkId, Watched> {
        self.bar.finish_and_clear();
        self.artworks
    }

    fn change(&mut self, id: ArtworkId, change: impl FnOnce(&mut Watched)) {
        if let Some(artwork) = self.artworks.get_mut(&id) {
            change(artwork);
        }
        self.show();
    }

    fn show(&self) {
        let count = |has: fn(&Watched) -> bool| self.artworks.values().filter(|artwork| has(artwork)).count();
        self.bar.set_position(count(|artwork| artwork.published.is_some()) as u64);
        let generated = count(|artwork| artwork.generated.is_some());
        let rendered = count(|artwork| artwork.rendered.is_some());
        self.bar.set_message(format!("{generated} generated, {rendered} rendered"));
    }
}

/// Prints how long each step took for each artwork, in the order in which they were asked for.
pub(super) fn print(artworks: &BTreeMap<ArtworkId, Watched>) -> std::io::Result<()> {
    let columns = [
        ("artwork", Align::Left),
        ("generated", Align::Right),
        ("rendered", Align::Right),
        ("published", Align::Right),
        ("in all", Align::Right),
    ];
    let row = |artwork: &Watched| {
        vec![
            artwork.title.clone(),
            between(artwork.asked, artwork.generated),
            between(artwork.generated.or(artwork.asked), artwork.rendered),
            between(artwork.rendered, artwork.published),
            between(artwork.asked, artwork.published),
        ]
    };
    table::print(&columns, artworks.values().map(row).collect())
}

fn between(from: Option<OffsetDateTime>, to: Option<OffsetDateTime>) -> String {
    let took: Option<Duration> = from.zip(to).map(|(from, to)| to - from);
    took.map_or_else(|| "-".to_owned(), |took| format!("{:.2} s", took.as_seconds_f64()))
}
