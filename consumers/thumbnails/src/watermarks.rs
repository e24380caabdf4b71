//! Which watermark an artwork gets: a template, a corner and an opacity for all, and what is different in some spaces.

use std::collections::BTreeMap;

use atelier_events::Details;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::caption::{Caption, Corner, Mark};

/// Section `watermark`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Watermarks {
    /// Whether anything is written.
    pub enabled: bool,
    /// What is written: `{artist}`, `{title}` and `{space}` stand for the artwork's.
    #[serde(deserialize_with = "template")]
    pub text: String,
    /// Where.
    pub corner: Corner,
    /// How strong, in per cent.
    #[serde(deserialize_with = "percent")]
    pub opacity_percent: u8,
    /// What is different in a space, by its name. A space has its owner's name.
    pub spaces: BTreeMap<String, SpaceWatermark>,
}

/// What is different in one space; what is not set is as everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpaceWatermark {
    /// Instead of `watermark.enabled`.
    pub enabled: Option<bool>,
    /// Instead of `watermark.text`.
    #[serde(deserialize_with = "some_template")]
    pub text: Option<String>,
    /// Instead of `watermark.corner`.
    pub corner: Option<Corner>,
    /// Instead of `watermark.opacity_percent`.
    #[serde(deserialize_with = "some_percent")]
    pub opacity_percent: Option<u8>,
}

impl Default for Watermarks {
    fn default() -> Self {
        let Mark { corner, opacity_percent, .. } = Mark::default();
        Self { enabled: true, text: "{artist}".to_owned(), corner, opacity_percent, spaces: BTreeMap::new() }
    }
}

impl Watermarks {
    /// What is written on an artwork's pictures.
    #[must_use]
    pub fn caption(&self, space: &str, details: &Details) -> Caption {
        let Details { title, artist, .. } = details;
        let mark = self.in_space(space).and_then(|mark| {
            let text = filled(&mark.text, [("artist", artist), ("title", title), ("space", space)])?;
            Some(Mark { text, ..mark })
        });
        Caption { title: title.clone(), artist: artist.clone(), mark }
    }

    /// The watermark of a space, its text still a template; none where nothing is written.
    #[must_use]
    pub fn in_space(&self, space: &str) -> Option<Mark> {
        let Some(own) = self.spaces.get(space) else { return self.everywhere() };
        own.enabled.unwrap_or(self.enabled).then(|| Mark {
            text: own.text.as_ref().unwrap_or(&self.text).clone(),
            corner: own.corner.unwrap_or(self.corner),
            opacity_percent: own.opacity_percent.unwrap_or(self.opacity_percent),
        })
    }

    /// The watermark of spaces that have none of their own.
    #[must_use]
    pub fn everywhere(&self) -> Option<Mark> {
        let Self { enabled, text, corner, opacity_percent, spaces: _ } = self;
        enabled.then(|| Mark { text: text.clone(), corner: *corner, opacity_percent: *opacity_percent })
    }
}

/// A piece of a template: words as they are, or a name.
enum Piece<'a> {
    Words(&'a str),
    Name(&'a str),
}

/// The names that a template may hold.
const NAMES: [&str; 3] = ["artist", "title", "space"];

fn pieces(template: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((words, behind)) = rest.split_once('{') {
        let (name, after) =
            behind.split_once('}').ok_or_else(|| format!("{template:?} opens a brace and never closes it"))?;
        if !NAMES.contains(&name) {
            return Err(format!("{template:?} names {{{name}}}; there are: {{{}}}", NAMES.join("}, {")));
        }
        pieces.extend([Piece::Words(words), Piece::Name(name)]);
        rest = after;
    }
    pieces.push(Piece::Words(rest));
    Ok(pieces)
}

/// The template with its names replaced, each once: what an artist calls themselves is no template. Nothing when all that
/// it names is empty: a © of nobody says nothing.
fn filled(template: &str, values: [(&str, &str); 3]) -> Option<String> {
    let pieces = pieces(template).ok()?;
    let value = |name: &str| values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value.trim());
    let mut named = pieces.iter().filter_map(|piece| match piece {
        Piece::Name(name) => Some(value(name)),
        Piece::Words(_) => None,
    });
    let names_nothing = named.clone().next().is_none();
    if !names_nothing && named.all(str::is_empty) {
        return None;
    }
    let text = pieces.iter().map(|piece| match piece {
        Piece::Words(words) => words,
        Piece::Name(name) => value(name),
    });
    Some(text.collect::<String>().trim().to_owned()).filter(|text| !text.is_empty())
}

fn template<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let template = String::deserialize(deserializer)?;
    pieces(&template).map_err(D::Error::custom)?;
    Ok(template)
}

fn some_template<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    template(deserializer).map(Some)
}

fn percent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    match u8::deserialize(deserializer)? {
        percent @ 1..=100 => Ok(percent),
        other => Err(D::Error::custom(format!(
            "opacity_percent is {other}; it goes from 1 to 100, and enabled = false is off"
        ))),
    }
}

fn some_percent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    percent(deserializer).map(Some)
}
