//! What is written on renditions and into them.

use serde::{Deserialize, Serialize};

/// The words that go with a picture; all may be empty, and hold whatever people write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caption {
    /// On the card.
    pub title: String,
    /// On the card, and as the note of who made it in every file larger than a preview.
    pub artist: String,
    /// On everything larger than a preview.
    pub mark: Option<Mark>,
}

impl Caption {
    /// With the artist as the watermark.
    #[must_use]
    pub fn of(title: &str, artist: &str) -> Self {
        let mark = (!artist.trim().is_empty()).then(|| Mark { text: artist.to_owned(), ..Mark::default() });
        Self { title: title.to_owned(), artist: artist.to_owned(), mark }
    }
}

/// A watermark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// In any script.
    pub text: String,
    /// Where.
    pub corner: Corner,
    /// How strong it is, in per cent.
    pub opacity_percent: u8,
}

impl Default for Mark {
    fn default() -> Self {
        Self { text: String::new(), corner: Corner::LowerRight, opacity_percent: 88 }
    }
}

/// A corner of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub enum Corner {
    /// Where signatures are.
    LowerRight,
    /// The lower left.
    LowerLeft,
    /// The upper right.
    UpperRight,
    /// The upper left.
    UpperLeft,
}

impl Corner {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::LowerRight, Self::LowerLeft, Self::UpperRight, Self::UpperLeft];

    /// The serialised name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LowerRight => "lower_right",
            Self::LowerLeft => "lower_left",
            Self::UpperRight => "upper_right",
            Self::UpperLeft => "upper_left",
        }
    }
}

/// By name. What reads settings does not tell the names there are when one is unknown.
impl TryFrom<String> for Corner {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|corner| corner.as_str() == name);
        known.ok_or_else(|| format!("{name:?} is no corner; there are: {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}
