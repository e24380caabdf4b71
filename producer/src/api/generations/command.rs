//! What can be asked of `POST /v1/generations`, and the variants that come of it.

use atelier_events::variant::Requested;
use atelier_events::{ArtworkId, Details, GenerationId, Lineage, Priority, Recipe, Relation, VariantId};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::artworks::{TITLE_CHARS, check_about, check_title, tidy_category};
use crate::input::{
    Command, check_count, check_line, check_text, not_a_priority, not_a_time, priority, tidy_tags, time,
};
use crate::problem::Flaws;

pub(crate) const PROMPT_CHARS: usize = 4_000;
const PROVIDER_CHARS: usize = 50;
const COUNT: std::ops::RangeInclusive<u32> = 1..=16;
const SIDE: std::ops::RangeInclusive<u32> = 64..=2_048;
const REFERENCES: usize = 16;

/// As JSON; they travel in every variant's event and message.
const PARAMS_BYTES: usize = 16_384;

/// Seeds drawn here stay below 2^53, so that clients whose numbers are doubles can send them back.
const DRAWN_SEEDS: u64 = 1 << 53;

/// Variants that are to be generated.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct NewGeneration {
    /// What to show, in words.
    #[schema(required, min_length = 1, max_length = 4_000, example = "a harbour at dusk")]
    prompt: String,
    /// Which provider.
    #[schema(default = "sketch", max_length = 50)]
    provider: String,
    /// How many.
    #[schema(default = 1, minimum = 1, maximum = 16)]
    count: u32,
    /// Pixels.
    #[schema(default = 1024, minimum = 64, maximum = 2048)]
    width: u32,
    /// Pixels.
    #[schema(default = 1024, minimum = 64, maximum = 2048)]
    height: u32,
    /// The provider's randomness; drawn when nothing is said. Each further variant has the next number.
    seed: Option<u64>,
    /// What else the provider understands; an object.
    #[schema(value_type = Object)]
    params: serde_json::Map<String, Value>,
    /// Of the new artworks; the prompt's beginning when nothing is said.
    #[schema(max_length = 200)]
    title: Option<String>,
    /// Of the new artworks.
    #[schema(max_length = 10_000)]
    description: String,
    /// Of the new artworks; drawn as the watermark.
    #[schema(max_length = 200)]
    artist: String,
    /// Of the new artworks; `other` when nothing is said.
    #[schema(max_length = 50)]
    category: Option<String>,
    /// Of the new artworks: at most 20; kept in lower case, each once.
    #[schema(max_items = 20)]
    tags: Vec<String>,
    /// Adds the variants to this artwork instead of creating one for each.
    pub(super) artwork_id: Option<Uuid>,
    /// `bulk` lets whatever is `interactive` go first.
    #[schema(default = "interactive", example = "bulk")]
    priority: String,
    /// Not to be begun before this time.
    #[schema(format = DateTime, example = "2026-11-21T20:00:00Z")]
    start_at: Option<String>,
    /// The variant to go on from: `refined` within its artwork (give `artwork_id`), `forked` into new ones.
    pub(super) parent: Option<Uuid>,
    /// Variants that the new ones are `derived` from.
    #[schema(max_items = 16)]
    pub(super) references: Vec<Uuid>,
}

impl Default for NewGeneration {
    fn default() -> Self {
        Self {
            prompt: String::new(),
            provider: "sketch".to_owned(),
            count: 1,
            width: 1_024,
            height: 1_024,
            seed: None,
            params: serde_json::Map::new(),
            title: None,
            description: String::new(),
            artist: String::new(),
            category: None,
            tags: Vec::new(),
            priority: Priority::default().as_str().to_owned(),
            start_at: None,
            artwork_id: None,
            parent: None,
            references: Vec::new(),
        }
    }
}

impl Command for NewGeneration {
    fn check(&self, flaws: &mut Flaws) {
        if self.prompt.trim().is_empty() {
            flaws.at("/prompt", "is empty");
        }
        check_text("/prompt", &self.prompt, PROMPT_CHARS, flaws);
        flaws.fields([
            ("priority", not_a_priority(Some(&self.priority))),
            ("start_at", not_a_time(self.start_at.as_deref())),
        ]);
        if self.provider.is_empty() {
            flaws.at("/provider", "is empty");
        }
        check_line("/provider", &self.provider, PROVIDER_CHARS, flaws);
        for (at, value, range) in
            [("/count", self.count, COUNT), ("/width", self.width, SIDE), ("/height", self.height, SIDE)]
        {
            if !range.contains(&value) {
                flaws.at(at, format!("{value} is not from {} to {}", range.start(), range.end()));
            }
        }
        let params = Value::Object(self.params.clone()).to_string().len();
        if params > PARAMS_BYTES {
            flaws.at("/params", format!("has {params} bytes, at most {PARAMS_BYTES} are allowed"));
        }
        check_count("/references", self.references.len(), REFERENCES, flaws);
        check_about(&self.artist, &self.description, self.category.as_deref(), &self.tags, flaws);
        if let Some(title) = &self.title {
            check_title(title, flaws);
        }
        if self.artwork_id.is_some() {
            self.check_adds_only_variants(flaws);
        }
    }
}

impl NewGeneration {
    /// What belongs to a new artwork would be dropped without a word when there is none.
    fn check_adds_only_variants(&self, flaws: &mut Flaws) {
        let given = [
            ("/title", self.title.is_some()),
            ("/description", !self.description.is_empty()),
            ("/artist", !self.artist.is_empty()),
            ("/category", self.category.is_some()),
            ("/tags", !self.tags.is_empty()),
        ];
        for (at, _) in given.into_iter().filter(|(_, given)| *given) {
            flaws.at(at, "belongs to a new artwork: leave it out, or leave artwork_id out");
        }
    }

    /// What is said about each new artwork.
    pub(super) fn details(&self) -> Details {
        Details {
            title: self.title.as_deref().map_or_else(|| title_of(&self.prompt), |title| title.trim().to_owned()),
            description: self.description.trim().to_owned(),
            artist: self.artist.trim().to_owned(),
            materials: None,
            dimensions: None,
            created_on: None,
            category: tidy_category(self.category.as_deref()),
            tags: tidy_tags(&self.tags),
            featured: false,
            source_url: None,
            video_url: None,
        }
    }

    fn recipe(&self, seed: u64) -> Recipe {
        Recipe {
            provider: self.provider.clone(),
            prompt: self.prompt.trim().to_owned(),
            seed,
            width: self.width,
            height: self.height,
            params: Value::Object(self.params.clone()),
        }
    }

    fn lineage(&self) -> Vec<Lineage> {
        let relation = if self.artwork_id.is_some() { Relation::Refined } else { Relation::Forked };
        let parent = self.parent.map(|parent| Lineage { parent: VariantId(parent), relation });
        let mut lineage: Vec<Lineage> = parent.into_iter().collect();
        for reference in &self.references {
            let derived = Lineage { parent: VariantId(*reference), relation: Relation::Derived };
            if !lineage.contains(&derived) {
                lineage.push(derived);
            }
        }
        lineage
    }
}

/// The variants to come: each in a new artwork, or all in the one that exists.
pub(super) fn requested(
    command: &NewGeneration,
    generation_id: GenerationId,
    existing: Option<ArtworkId>,
) -> Vec<Requested> {
    let seed = command.seed.unwrap_or_else(|| rand::random_range(0..DRAWN_SEEDS));
    let variant = |index: u32| Requested {
        artwork_id: existing.unwrap_or_else(ArtworkId::new),
        variant_id: VariantId::new(),
        generation_id,
        recipe: command.recipe(seed.wrapping_add(u64::from(index))),
        lineage: command.lineage(),
        priority: priority(&command.priority),
        not_before: command.start_at.as_deref().and_then(time),
    };
    (0..command.count).map(variant).collect()
}

/// The beginning of a prompt, as one line.
fn title_of(prompt: &str) -> String {
    let line = prompt.split_whitespace().collect::<Vec<_>>().join(" ");
    let title: String = line.chars().filter(|char| !char.is_control()).take(TITLE_CHARS).collect();
    title.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_without_a_title_gives_one_line_of_at_most_200_characters() {
        assert_eq!(title_of("  a harbour\n\n at dusk\t"), "a harbour at dusk");
        assert_eq!(title_of(&"word ".repeat(100)).chars().count(), 199);
    }

    #[test]
    fn each_variant_has_a_seed_of_its_own() {
        let command = NewGeneration { count: 3, seed: Some(u64::MAX), ..NewGeneration::default() };
        let seeds: Vec<u64> =
            requested(&command, GenerationId::new(), None).iter().map(|one| one.recipe.seed).collect();
        assert_eq!(seeds, [u64::MAX, 0, 1]);
    }

    #[test]
    fn a_parent_is_refined_within_its_artwork_and_forked_out_of_it() {
        let parent = Some(Uuid::now_v7());
        let within = NewGeneration { parent, artwork_id: Some(Uuid::now_v7()), ..NewGeneration::default() };
        assert_eq!(within.lineage()[0].relation, Relation::Refined);
        let out = NewGeneration { parent, ..NewGeneration::default() };
        assert_eq!(out.lineage()[0].relation, Relation::Forked);
    }
}
