//! Hand-picked palettes, and how one is chosen and varied for a picture.

use super::{
    colour::{Ramp, Rgb},
    dice::Dice,
};

/// Colours that go together: five from dark to light, one for what shines, two that stand out.
pub(super) struct Palette {
    pub(super) ink: Rgb,
    pub(super) deep: Rgb,
    pub(super) mid: Rgb,
    pub(super) soft: Rgb,
    pub(super) pale: Rgb,
    pub(super) glow: Rgb,
    pub(super) accent: Rgb,
    pub(super) second: Rgb,
}

/// The palettes by name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Dawn,
    Dusk,
    Ocean,
    Moss,
    Autumn,
    Winter,
    Desert,
    Neon,
    Pastel,
    Mono,
    Ember,
    Gold,
    Jade,
    Plum,
    Primary,
}

impl Scheme {
    const ALL: [Self; 15] = [
        Self::Dawn,
        Self::Dusk,
        Self::Ocean,
        Self::Moss,
        Self::Autumn,
        Self::Winter,
        Self::Desert,
        Self::Neon,
        Self::Pastel,
        Self::Mono,
        Self::Ember,
        Self::Gold,
        Self::Jade,
        Self::Plum,
        Self::Primary,
    ];

    /// Any palette but the grey one, which is for who asks for it.
    pub(super) fn any(dice: &mut Dice) -> Self {
        match dice.pick(Self::ALL) {
            Self::Mono => Self::Dusk,
            scheme => scheme,
        }
    }

    /// The palette with its hues turned a little, so that two pictures rarely share their exact colours.
    pub(super) fn mixed(self, dice: &mut Dice) -> Palette {
        let angle = dice.around(0.2);
        let chroma = dice.between(0.92, 1.1);
        let (cosine, sine) = (libm::cosf(angle), libm::sinf(angle));
        let swatch = self.swatch().map(|code| Rgb::hex(code).turned(cosine, sine, chroma));
        let [ink, deep, mid, soft, pale, glow, accent, second] = swatch;
        Palette { ink, deep, mid, soft, pale, glow, accent, second }
    }

    /// `ink, deep, mid, soft, pale, glow, accent, second`.
    const fn swatch(self) -> [u32; 8] {
        match self {
            Self::Dawn => [0x2b_2140, 0x5d_4372, 0xb0_678f, 0xf0_a58f, 0xfd_e4cf, 0xff_f1c9, 0xe8_604c, 0x3f_6c8f],
            Self::Dusk => [0x14_142b, 0x2f_2d5c, 0x6a_4c93, 0xd0_7a94, 0xf7_c59f, 0xff_e9b8, 0xff_7a59, 0x3e_b6c0],
            Self::Ocean => [0x07_1d2b, 0x0f_4a66, 0x2b_86a3, 0x8c_c8cf, 0xe9_f4ee, 0xff_f3cf, 0xf2_9e5a, 0xd9_5d39],
            Self::Moss => [0x10_211b, 0x24_493a, 0x4f_7f5b, 0xa8_bf8c, 0xf0_efdc, 0xfb_e7a8, 0xd9_793b, 0x2f_6f7c],
            Self::Autumn => [0x2a_1512, 0x6b_2b1d, 0xb5_532a, 0xe6_a04b, 0xf8_e6c4, 0xff_df8e, 0x9c_2415, 0x3d_5a4c],
            Self::Winter => [0x14_1d2e, 0x34_506e, 0x7c_9fbc, 0xc2_d6e3, 0xf5_f8fa, 0xff_fbe8, 0xe0_675b, 0x8a_7fb5],
            Self::Desert => [0x2c_1a1d, 0x6d_3f3a, 0xc0_7a54, 0xe9_bd8b, 0xfa_eedb, 0xff_f4d6, 0x2f_7f86, 0xd1_4949],
            Self::Neon => [0x0b_0620, 0x2a_0f5e, 0x7b_1fa2, 0xff_3fa4, 0xff_c4ec, 0x7d_f5ff, 0x00_d5ff, 0xf9_e871],
            Self::Pastel => [0x4a_4a68, 0x86_83ab, 0xc0_aed8, 0xf1_cfdc, 0xfd_f5ee, 0xff_f6d6, 0xf7_a298, 0x93_d3c1],
            Self::Mono => [0x0e_0f12, 0x34_373d, 0x7d_8087, 0xc2_c4c6, 0xf6_f4ef, 0xff_ffff, 0x4f_5258, 0xa3_a6aa],
            Self::Ember => [0x1c_0a0d, 0x5b_1220, 0xb3_283a, 0xee_7a5b, 0xfb_e3d0, 0xff_d08a, 0xff_b000, 0x2c_5f6b],
            Self::Gold => [0x1f_1a14, 0x54_422c, 0xa0_7c45, 0xd9_bd84, 0xf6_ecd6, 0xff_f0b8, 0xa2_3e2a, 0x3f_5f5a],
            Self::Jade => [0x06_231f, 0x0e_5149, 0x2d_9283, 0x98_d2bf, 0xf1_f6e8, 0xfd_f0c0, 0xf2_6b5b, 0x25_4b7e],
            Self::Plum => [0x1a_1026, 0x43_265f, 0x82_53a8, 0xc7_a2dc, 0xf6_ecf7, 0xff_e9d1, 0xf2_b134, 0x4c_b5ae],
            Self::Primary => [0x1b_1b1e, 0x1d_3f72, 0x2f_75a8, 0xf2_c14e, 0xf6_eddc, 0xff_f4d6, 0xd7_2f3d, 0x2a_8c7a],
        }
    }
}

impl Palette {
    /// Dark to light through the five main colours.
    pub(super) fn ramp(&self) -> Ramp {
        Ramp::new(&[(0.0, self.ink), (0.25, self.deep), (0.5, self.mid), (0.75, self.soft), (1.0, self.pale)])
    }
}
