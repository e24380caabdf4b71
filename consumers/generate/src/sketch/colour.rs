//! Colours: kept as encoded sRGB because that is what is painted, mixed in `OKLab` because that is what looks even.
//!
//! Powers and roots come from `libm`: those of the standard library are the platform's, and differ in the last bit.

use tiny_skia::Color;

use super::noise::lerp;

/// Encoded sRGB, each channel 0 to 1.
#[derive(Clone, Copy)]
pub(super) struct Rgb {
    pub(super) red: f32,
    pub(super) green: f32,
    pub(super) blue: f32,
}

impl Rgb {
    pub(super) const WHITE: Self = Self::hex(0xff_ffff);
    pub(super) const BLACK: Self = Self::hex(0);

    /// From `0xRRGGBB`.
    pub(super) const fn hex(code: u32) -> Self {
        Self {
            red: (code >> 16 & 0xff) as f32 / 255.0,
            green: (code >> 8 & 0xff) as f32 / 255.0,
            blue: (code & 0xff) as f32 / 255.0,
        }
    }

    /// A straight blend of the encoded channels: cheap enough for every pixel.
    pub(super) fn lerp(self, other: Self, share: f32) -> Self {
        Self {
            red: lerp(self.red, other.red, share),
            green: lerp(self.green, other.green, share),
            blue: lerp(self.blue, other.blue, share),
        }
    }

    /// A blend through `OKLab`, which stays clean where [`Rgb::lerp`] goes grey.
    pub(super) fn mix(self, other: Self, share: f32) -> Self {
        let (from, to) = (self.to_lab(), other.to_lab());
        Self::from_lab([lerp(from[0], to[0], share), lerp(from[1], to[1], share), lerp(from[2], to[2], share)])
    }

    /// Adds light of a colour, never beyond white.
    pub(super) fn lit(self, light: Self, strength: f32) -> Self {
        Self {
            red: self.red + (1.0 - self.red) * light.red * strength,
            green: self.green + (1.0 - self.green) * light.green * strength,
            blue: self.blue + (1.0 - self.blue) * light.blue * strength,
        }
    }

    /// Brighter above 1, darker below.
    pub(super) fn scaled(self, factor: f32) -> Self {
        Self { red: self.red * factor, green: self.green * factor, blue: self.blue * factor }
    }

    /// Turns the hue by an angle given as its cosine and sine, and multiplies the chroma.
    pub(super) fn turned(self, cosine: f32, sine: f32, chroma: f32) -> Self {
        let [lightness, a, b] = self.to_lab();
        Self::from_lab([lightness, (a * cosine - b * sine) * chroma, (a * sine + b * cosine) * chroma])
    }

    /// Perceived lightness, 0 to 1.
    pub(super) fn lightness(self) -> f32 {
        self.to_lab()[0]
    }

    pub(super) fn bytes(self) -> [u8; 3] {
        let byte = |channel: f32| (channel.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        [byte(self.red), byte(self.green), byte(self.blue)]
    }

    pub(super) fn skia(self, alpha: f32) -> Color {
        let [red, green, blue] = self.bytes();
        Color::from_rgba8(red, green, blue, (alpha.clamp(0.0, 1.0) * 255.0 + 0.5) as u8)
    }

    fn to_lab(self) -> [f32; 3] {
        let (r, g, b) = (decode(self.red), decode(self.green), decode(self.blue));
        let long = libm::cbrtf(0.412_221_47 * r + 0.536_332_55 * g + 0.051_445_995 * b);
        let medium = libm::cbrtf(0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b);
        let short = libm::cbrtf(0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b);
        [
            0.210_454_26 * long + 0.793_617_8 * medium - 0.004_072_047 * short,
            1.977_998_5 * long - 2.428_592_2 * medium + 0.450_593_7 * short,
            0.025_904_037 * long + 0.782_771_77 * medium - 0.808_675_77 * short,
        ]
    }

    fn from_lab([lightness, a, b]: [f32; 3]) -> Self {
        let cube = |root: f32| root * root * root;
        let long = cube(lightness + 0.396_337_78 * a + 0.215_803_76 * b);
        let medium = cube(lightness - 0.105_561_346 * a - 0.063_854_17 * b);
        let short = cube(lightness - 0.089_484_18 * a - 1.291_485_5 * b);
        Self {
            red: encode(4.076_741_7 * long - 3.307_711_6 * medium + 0.230_969_94 * short),
            green: encode(-1.268_438 * long + 2.609_757_4 * medium - 0.341_319_38 * short),
            blue: encode(-0.004_196_086_3 * long - 0.703_418_6 * medium + 1.707_614_7 * short),
        }
    }
}

/// A gradient through several colours, mixed evenly and kept as a table.
pub(super) struct Ramp {
    table: Vec<Rgb>,
}

impl Ramp {
    const LAST: usize = 255;

    /// `stops` are colours at rising places, the first at 0 and the last at 1.
    pub(super) fn new(stops: &[(f32, Rgb)]) -> Self {
        let table = (0..=Self::LAST).map(|index| between_stops(stops, index as f32 / Self::LAST as f32)).collect();
        Self { table }
    }

    /// The colour at `share`, 0 to 1.
    pub(super) fn at(&self, share: f32) -> Rgb {
        let place = share.clamp(0.0, 1.0) * Self::LAST as f32;
        let index = (place as usize).min(Self::LAST - 1);
        self.table[index].lerp(self.table[index + 1], place - index as f32)
    }
}

fn between_stops(stops: &[(f32, Rgb)], share: f32) -> Rgb {
    let after = stops.iter().position(|(place, _)| *place > share).unwrap_or(stops.len() - 1).max(1);
    let (low, from) = stops[after - 1];
    let (high, to) = stops[after];
    from.mix(to, ((share - low) / (high - low)).clamp(0.0, 1.0))
}

fn decode(channel: f32) -> f32 {
    if channel <= 0.040_45 { channel / 12.92 } else { libm::powf((channel + 0.055) / 1.055, 2.4) }
}

fn encode(linear: f32) -> f32 {
    let linear = linear.clamp(0.0, 1.0);
    if linear <= 0.003_130_8 { linear * 12.92 } else { 1.055 * libm::powf(linear, 1.0 / 2.4) - 0.055 }
}
