//! The colours of a picture: a few families that people have names for, told apart as eyes do.
//!
//! A swatch belongs to the family of the nearest sample in `OKLab`, where equal distances look equally far apart. A family
//! has several samples, because a name covers a region and not a point: brown is what orange is called when it is dark.

use std::sync::LazyLock;

use atelier_events::Swatch;

use crate::untrusted::colour;

/// To how many families a work belongs at most.
const FAMILIES_EACH: usize = 3;

/// A family that people have a name for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is what it is called")]
pub enum Family {
    Red,
    Orange,
    Yellow,
    Green,
    Teal,
    Blue,
    Purple,
    Pink,
    Brown,
    Black,
    Grey,
    White,
}

impl Family {
    /// All there are, in the order in which they are shown.
    pub const ALL: [Self; 12] = [
        Self::Red,
        Self::Orange,
        Self::Yellow,
        Self::Green,
        Self::Teal,
        Self::Blue,
        Self::Purple,
        Self::Pink,
        Self::Brown,
        Self::Black,
        Self::Grey,
        Self::White,
    ];

    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Red => "Red",
            Self::Orange => "Orange",
            Self::Yellow => "Yellow",
            Self::Green => "Green",
            Self::Teal => "Teal",
            Self::Blue => "Blue",
            Self::Purple => "Purple",
            Self::Pink => "Pink",
            Self::Brown => "Brown",
            Self::Black => "Black",
            Self::Grey => "Grey",
            Self::White => "White",
        }
    }

    /// Its samples, 0xRRGGBB; the first stands for the family.
    fn samples(self) -> &'static [u32] {
        match self {
            Self::Red => &[0xd1_2f2f, 0x8e_1b1b, 0xe8_5a4f, 0x5c_1212],
            Self::Orange => &[0xf0_8a24, 0xe0_6a1a, 0xf7_ac5e, 0xf6_c089],
            Self::Yellow => &[0xf2_cf2e, 0xe0_b91f, 0xf6_e27a, 0xbf_a01f, 0xf7_eeb0],
            Self::Green => &[0x35_9b46, 0x1d_5a2a, 0x8c_c152, 0x6b_8030, 0xb4_d9a0, 0x12_3418, 0x5c_9a78],
            Self::Teal => &[0x1a_9c94, 0x0d_5656, 0x6f_ccc4, 0x3f_b4c4, 0x0a_3438, 0xa8_dfdb],
            Self::Blue => &[0x2f_66d4, 0x17_3278, 0x7c_aeea, 0x4a_8fcb, 0x0e_1c40, 0xb4_d1ef, 0x4c_6a94],
            Self::Purple => &[0x7f_41c2, 0x42_2070, 0xb4_98e2, 0x24_103e, 0x9b_4f9f, 0x6a_5a9a],
            Self::Pink => &[0xec_6aa4, 0xcf_2f78, 0xf5_b3cd, 0xf4_9a9a, 0xf7_d6dc],
            Self::Brown => &[0x7c_4c25, 0x4b_2d16, 0xa8_774c, 0xc4_a075, 0x2c_1a0d, 0x8a_6f56],
            Self::Black => &[0x11_1111, 0x00_0000, 0x20_2020],
            Self::Grey => &[0x86_8686, 0x5c_5c5c, 0x38_3838, 0xac_acac, 0xc8_c8c8],
            Self::White => &[0xf6_f5f2, 0xff_ffff, 0xe6_e6e6, 0xf5_eedf],
        }
    }

    /// The colour that stands for it, `#rrggbb`.
    #[must_use]
    pub fn sample(self) -> String {
        format!("#{:06x}", self.samples()[0])
    }

    /// What of a picture has to be of it, in thousandths. A spot of red is seen before the wall that it is on.
    fn enough(self) -> u16 {
        match self {
            Self::Black | Self::Grey | Self::White => 250,
            Self::Brown => 180,
            _ => 120,
        }
    }

    /// The family of a colour, 0xRRGGBB.
    #[must_use]
    pub fn of(rgb: u32) -> Self {
        let at = oklab(rgb);
        let distances = SAMPLES.iter().map(|(family, sample)| (*family, distance(at, *sample)));
        let nearest = distances.min_by(|(_, one), (_, other)| one.total_cmp(other));
        nearest.expect("every family has samples").0
    }
}

/// All samples where they lie.
static SAMPLES: LazyLock<Vec<(Family, [f64; 3])>> = LazyLock::new(|| {
    let samples = |family: Family| family.samples().iter().map(move |sample| (family, oklab(*sample)));
    Family::ALL.into_iter().flat_map(samples).collect()
});

/// The families that hold enough of a picture, the largest first; the largest of all where none does.
#[must_use]
pub fn families(palette: &[Swatch]) -> Vec<Family> {
    let mut shares: Vec<(u16, Family)> = Vec::new();
    for swatch in palette {
        let Some(family) = parsed(&swatch.colour).map(Family::of) else { continue };
        match shares.iter_mut().find(|(_, other)| *other == family) {
            Some((share, _)) => *share = share.saturating_add(swatch.per_mille),
            None => shares.push((swatch.per_mille, family)),
        }
    }
    shares.sort_by_key(|(share, family)| (std::cmp::Reverse(*share), *family));
    let enough = shares.iter().filter(|(share, family)| *share >= family.enough());
    let mut families: Vec<Family> = enough.map(|(_, family)| *family).take(FAMILIES_EACH).collect();
    if families.is_empty() {
        families.extend(shares.first().map(|(_, family)| *family));
    }
    families
}

/// `#rrggbb` as a number.
fn parsed(text: &str) -> Option<u32> {
    u32::from_str_radix(&colour(text)?[1..], 16).ok()
}

/// Lightness, and how far towards red and yellow.
fn oklab(rgb: u32) -> [f64; 3] {
    let [_, red, green, blue] = rgb.to_be_bytes().map(linear);
    let long = (0.412_221_470_8 * red + 0.536_332_536_3 * green + 0.051_445_992_9 * blue).cbrt();
    let medium = (0.211_903_498_2 * red + 0.680_699_545_1 * green + 0.107_396_956_6 * blue).cbrt();
    let short = (0.088_302_461_9 * red + 0.281_718_837_6 * green + 0.629_978_700_5 * blue).cbrt();
    [
        0.210_454_255_3 * long + 0.793_617_785_0 * medium - 0.004_072_046_8 * short,
        1.977_998_495_1 * long - 2.428_592_205_0 * medium + 0.450_593_709_9 * short,
        0.025_904_037_1 * long + 0.782_771_766_2 * medium - 0.808_675_766_0 * short,
    ]
}

fn linear(channel: u8) -> f64 {
    let value = f64::from(channel) / 255.0;
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// Hue counts more than lightness: a family is a hue, and few are light or dark alone.
fn distance(one: [f64; 3], other: [f64; 3]) -> f64 {
    let [light, red, yellow] = [0, 1, 2].map(|axis| one[axis] - other[axis]);
    (0.5 * light * light + 2.0 * (red * red + yellow * yellow)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_called_what_people_call_it() {
        for (rgb, family) in [
            (0xff_0000, Family::Red),
            (0xb2_2222, Family::Red),
            (0xff_a500, Family::Orange),
            (0xff_8c00, Family::Orange),
            (0xff_ff00, Family::Yellow),
            (0xff_d700, Family::Yellow),
            (0x00_8000, Family::Green),
            (0x6b_8e23, Family::Green),
            (0x2e_8b57, Family::Green),
            (0x00_8080, Family::Teal),
            (0x40_e0d0, Family::Teal),
            (0x00_00ff, Family::Blue),
            (0x00_0080, Family::Blue),
            (0x87_ceeb, Family::Blue),
            (0x80_0080, Family::Purple),
            (0x93_70db, Family::Purple),
            (0xff_69b4, Family::Pink),
            (0xff_c0cb, Family::Pink),
            (0x8b_4513, Family::Brown),
            (0xd2_b48c, Family::Brown),
            (0x00_0000, Family::Black),
            (0x15_1515, Family::Black),
            (0x80_8080, Family::Grey),
            (0xc0_c0c0, Family::Grey),
            (0xff_ffff, Family::White),
            (0xf5_f5f5, Family::White),
        ] {
            assert_eq!(Family::of(rgb), family, "#{rgb:06x}");
        }
    }

    #[test]
    fn every_sample_belongs_to_its_own_family() {
        for family in Family::ALL {
            for sample in family.samples() {
                assert_eq!(Family::of(*sample), family, "#{sample:06x}");
            }
        }
    }

    fn swatches(of: &[(&str, u16)]) -> Vec<Swatch> {
        of.iter().map(|(colour, per_mille)| Swatch { colour: (*colour).to_owned(), per_mille: *per_mille }).collect()
    }

    #[test]
    fn a_work_belongs_to_the_families_that_hold_enough_of_it_and_to_three_at_most() {
        let palette =
            swatches(&[("#ffffff", 300), ("#2f66d4", 200), ("#17327a", 150), ("#d12f2f", 130), ("#359b46", 125)]);
        assert_eq!(families(&palette), [Family::Blue, Family::White, Family::Red]);
        assert_eq!(families(&swatches(&[("#ffffff", 900), ("#d12f2f", 100)])), [Family::White]);
        assert_eq!(families(&swatches(&[("#111111", 90), ("#888888", 80)])), [Family::Black], "the largest of all");
        assert_eq!(families(&swatches(&[("red", 900)])), [], "no colour that a page may show");
    }
}
