//! How sets are cut, as a short hash: part of every rendition's key, so that two recipes never meet in one place, and what
//! a set has been cut by can be told from what it would be cut by today.

use std::collections::BTreeMap;

use atelier_events::blobs::sha256;
use serde::Serialize;
use serde_json::Value;

use crate::caption::Mark;
use crate::policy::Policy;
use crate::settings::Settings;

/// Counted up by whoever changes what equal settings make of equal originals: an encoder, the resizing, how words are
/// drawn. Every set then has an older recipe than today's.
pub const PIPELINE: u32 = 2;

/// Digits of a hash: with so few recipes as one gallery ever has, two never share them.
const DIGITS: usize = 12;

/// The recipes of today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipes {
    /// The hash of all spaces but those that differ.
    pub everywhere: String,
    /// The hashes of spaces that have settings of their own, by name.
    pub spaces: BTreeMap<String, String>,
}

impl Settings {
    /// The hash of the recipe by which artworks of this space are cut.
    ///
    /// Title and artist are not in it: they are said once for an artwork and never changed, and the key names the variant.
    #[must_use]
    pub fn recipe_hash(&self, space: &str) -> String {
        hash(&self.thumbnails, self.watermark.in_space(space))
    }

    /// The hashes of all spaces.
    #[must_use]
    pub fn recipes(&self) -> Recipes {
        let spaces = self.watermark.spaces.keys();
        Recipes {
            everywhere: hash(&self.thumbnails, self.watermark.everywhere()),
            spaces: spaces.map(|space| (space.clone(), self.recipe_hash(space))).collect(),
        }
    }
}

/// What is hashed, as JSON with its keys in order.
#[derive(Serialize)]
struct Recipe {
    pipeline: u32,
    policy: Value,
    watermark: Option<Mark>,
}

fn hash(policy: &Policy, watermark: Option<Mark>) -> String {
    let mut policy = policy.clone();
    // Which are asked for counts, and not in which order.
    policy.extras.sort();
    policy.extras.dedup();
    let mut policy = serde_json::to_value(policy).expect("a policy is representable as JSON");
    if let Value::Object(fields) = &mut policy {
        // What is taken says nothing about what is made of it.
        fields.remove("limits");
    }
    let recipe = Recipe { pipeline: PIPELINE, policy, watermark };
    let mut recipe = serde_json::to_value(recipe).expect("a recipe is representable as JSON");
    // Whether maps keep an order of their own is for other crates of the build to say.
    recipe.sort_all_objects();
    let mut digest = sha256(recipe.to_string().as_bytes());
    digest.truncate(DIGITS);
    digest
}

#[cfg(test)]
mod tests {
    use atelier_events::RenditionKind;

    use super::*;
    use crate::caption::Corner;
    use crate::watermarks::SpaceWatermark;

    /// Whoever has to change this hash has all renditions of all installations cut again: is that meant?
    #[test]
    fn the_recipe_of_the_defaults_is_the_same_in_every_build() {
        assert_eq!(Settings::default().recipe_hash("ann"), "3cffdcea508c");
    }

    #[test]
    fn a_recipe_changes_with_whatever_changes_the_files_and_with_nothing_else() {
        let plain = Settings::default().recipe_hash("ann");
        let with = |change: &dyn Fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.recipe_hash("ann")
        };
        for change in [
            &(|settings: &mut Settings| settings.thumbnails.display_quality = 84) as &dyn Fn(&mut Settings),
            &|settings| settings.thumbnails.thumb_side_px = 299,
            &|settings| settings.thumbnails.extras.retain(|kind| *kind != RenditionKind::Card),
            &|settings| settings.watermark.enabled = false,
            &|settings| settings.watermark.text = "© {artist}".to_owned(),
            &|settings| settings.watermark.corner = Corner::UpperLeft,
            &|settings| settings.watermark.opacity_percent = 50,
        ] {
            assert_ne!(with(change), plain);
        }
        for change in [
            &(|settings: &mut Settings| settings.thumbnails.limits.max_bytes = 1) as &dyn Fn(&mut Settings),
            &|settings| settings.thumbnails.extras.reverse(),
            &|settings| settings.render.processes = 7,
            &|settings| drop(settings.watermark.spaces.insert("ann".to_owned(), SpaceWatermark::default())),
        ] {
            assert_eq!(with(change), plain);
        }
    }

    #[test]
    fn a_space_with_a_watermark_of_its_own_has_a_recipe_of_its_own() {
        let mut settings = Settings::default();
        let none = SpaceWatermark { enabled: Some(false), ..SpaceWatermark::default() };
        settings.watermark.spaces.insert("bob".to_owned(), none);
        let recipes = settings.recipes();
        assert_eq!(recipes.everywhere, settings.recipe_hash("ann"));
        assert_eq!(recipes.spaces, BTreeMap::from([("bob".to_owned(), settings.recipe_hash("bob"))]));
        assert_ne!(settings.recipe_hash("bob"), recipes.everywhere);
    }
}
