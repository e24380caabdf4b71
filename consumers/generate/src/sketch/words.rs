//! What a prompt asks for, by a plain table of words: the composition, the palette, the time of day.
//!
//! The earliest word of each kind decides, since a prompt names its subject before its surroundings. What no word
//! decides, the dice do.

use super::{
    dice::Dice,
    palette::{Palette, Scheme},
};

/// The compositions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Mountains,
    Sea,
    Dunes,
    Forest,
    Grove,
    City,
    Botanical,
    Geometry,
    Nebula,
    Terrain,
    Flow,
    Pond,
}

/// When a landscape is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Light {
    Day,
    Dusk,
    Night,
}

/// What is to be painted.
pub(super) struct Subject {
    pub(super) family: Family,
    pub(super) palette: Palette,
    pub(super) light: Light,
}

const FAMILIES: [(Family, &str); 12] = [
    (
        Family::Mountains,
        "mountain mount peak alp alps alpine summit hill valley cliff canyon snow glacier volcano ridge fog mist misty \
         lake fjord highland himalaya range dragon castle",
    ),
    (
        Family::Sea,
        "sea ocean wave beach coast coastal shore ship boat sail sailing sailboat harbour harbor island lighthouse tide \
         surf bay marine whale horizon lagoon",
    ),
    (Family::Dunes, "desert dune sand sahara camel oasis mirage arid mars martian pyramid egypt"),
    (Family::Forest, "forest pine fir spruce taiga redwood wolf bear owl cabin conifer evergreen wilderness"),
    (
        Family::Grove,
        "tree wood woodland birch jungle grove oak maple aspen beech orchard trunk deer fox squirrel path trail park \
         foliage",
    ),
    (
        Family::City,
        "city skyline town street building tower skyscraper urban metropolis tokyo york paris london cyberpunk \
         downtown rooftop neon bridge robot traffic",
    ),
    (
        Family::Botanical,
        "flower botanical plant leaf leaves garden bloom blossom bouquet rose tulip herb fern botany floral meadow \
         orchid poppy lavender vase spring wildflower stem sunflower butterfly bee",
    ),
    (
        Family::Geometry,
        "bauhaus geometry geometric abstract shape cubist cubism suprematism constructivist pattern tile mosaic circle \
         square triangle poster minimal minimalist modern jazz kandinsky portrait face",
    ),
    (
        Family::Nebula,
        "nebula star starry galaxy space cosmos cosmic universe planet astronaut supernova constellation orbit comet \
         celestial stardust void aurora",
    ),
    (
        Family::Terrain,
        "map terrain contour topography topographic elevation layer paper papercut cave atoll canyonland strata \
         labyrinth reef",
    ),
    (
        Family::Flow,
        "flow wind ink line swirl smoke current field dream hair fluid stream music motion dance storm spirit fire \
         flame feather bird emotion",
    ),
    (Family::Pond, "pond koi fish carp ripple lily lotus goldfish water puddle aquarium zen rain turtle frog"),
];

/// Words for colours, seasons and hours, not for subjects: what suits a subject is [`usual_scheme`]'s to say.
const SCHEMES: [(Scheme, &str); 15] = [
    (Scheme::Dawn, "dawn sunrise morning peach rose pink coral spring blush"),
    (Scheme::Dusk, "dusk sunset twilight evening indigo synthwave"),
    (Scheme::Ocean, "blue azure navy cobalt sapphire rain rainy"),
    (Scheme::Moss, "green moss mossy olive emerald verdant"),
    (Scheme::Autumn, "autumn fall orange october rust brown amber copper harvest pumpkin"),
    (Scheme::Winter, "winter snow snowy ice icy frost cold glacier arctic silver"),
    (Scheme::Desert, "sand beige terracotta clay canyon"),
    (Scheme::Neon, "neon cyberpunk vaporwave electric magenta futuristic"),
    (Scheme::Pastel, "pastel soft gentle candy dreamy cute"),
    (Scheme::Mono, "monochrome mono black white grey gray noir charcoal grayscale greyscale"),
    (Scheme::Ember, "red fire ember crimson scarlet lava volcano flame mars ruby"),
    (Scheme::Gold, "gold golden sepia vintage antique yellow honey old"),
    (Scheme::Jade, "jade teal turquoise mint cyan tropical lagoon"),
    (Scheme::Plum, "purple violet plum lavender lilac mauve amethyst"),
    (Scheme::Primary, "primary mondrian bold colourful colorful vivid pop"),
];

const LIGHTS: [(Light, &str); 3] = [
    (Light::Day, "day noon midday sunny bright daylight morning sunlight"),
    (Light::Dusk, "dusk dawn sunset sunrise evening twilight golden"),
    (Light::Night, "night midnight moon moonlit moonlight star starry dark nocturne aurora"),
];

impl Subject {
    pub(super) fn of(prompt: &str, dice: &mut Dice) -> Self {
        let words: Vec<String> = prompt
            .split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let any_family = FAMILIES[dice.below(FAMILIES.len())].0;
        let family = earliest(&words, &FAMILIES).unwrap_or(any_family);
        let usual = usual_scheme(family, dice);
        let scheme = earliest(&words, &SCHEMES).unwrap_or(usual);
        let any_light = dice.pick([Light::Day, Light::Day, Light::Dusk, Light::Dusk, Light::Night]);
        let light = earliest(&words, &LIGHTS).unwrap_or(any_light);
        Self { family, palette: scheme.mixed(dice), light }
    }
}

/// The palette when no word names one: of those that suit the composition.
fn usual_scheme(family: Family, dice: &mut Dice) -> Scheme {
    match family {
        Family::Sea => dice.pick([Scheme::Ocean, Scheme::Dusk, Scheme::Dawn, Scheme::Jade, Scheme::Winter]),
        Family::Dunes => dice.pick([Scheme::Desert, Scheme::Autumn, Scheme::Dawn, Scheme::Dusk, Scheme::Gold]),
        Family::Grove => dice.pick([Scheme::Autumn, Scheme::Moss, Scheme::Gold, Scheme::Dawn, Scheme::Ember]),
        Family::Forest => dice.pick([Scheme::Moss, Scheme::Autumn, Scheme::Jade, Scheme::Winter, Scheme::Dawn]),
        Family::City => dice.pick([Scheme::Dusk, Scheme::Neon, Scheme::Plum, Scheme::Ocean, Scheme::Ember]),
        Family::Nebula => dice.pick([Scheme::Dusk, Scheme::Neon, Scheme::Plum, Scheme::Jade, Scheme::Ember]),
        Family::Pond => dice.pick([Scheme::Jade, Scheme::Ocean, Scheme::Moss, Scheme::Winter]),
        Family::Geometry => dice.pick([Scheme::Primary, Scheme::Desert, Scheme::Jade, Scheme::Ember, Scheme::Primary]),
        Family::Mountains | Family::Botanical | Family::Terrain | Family::Flow => Scheme::any(dice),
    }
}

/// The first of the prompt's words that is in a table, singular or plural, decides.
fn earliest<T: Copy>(words: &[String], table: &[(T, &str)]) -> Option<T> {
    words.iter().find_map(|word| {
        let singular = word.strip_suffix('s').unwrap_or(word);
        let named = |known: &str| known.split(' ').any(|entry| entry == word || entry == singular);
        table.iter().find(|(_, known)| named(known)).map(|(meaning, _)| *meaning)
    })
}
