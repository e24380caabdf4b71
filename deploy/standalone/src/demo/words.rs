//! What the demonstration asks to be painted: a prompt and a title each, of many subjects and moods.

pub(super) const PROMPTS: &[(&str, &str)] = &[
    ("misty mountains at dawn, soft pastel light", "First Light"),
    ("a sailboat on a calm sea at sunset", "Homeward"),
    ("desert dunes under a hot noon sky", "The Long Walk"),
    ("pine forest in blue winter fog", "Quiet Pines"),
    ("birch grove in autumn gold", "October"),
    ("a city skyline at night, neon windows", "Night Shift"),
    ("wildflowers and tall grasses in summer", "Meadow Study"),
    ("bauhaus composition of circles and bars", "Balance No. 4"),
    ("a violet galaxy with drifting stars", "Far Weather"),
    ("contour map of an unknown island", "Terra Incognita"),
    ("wind drawn in ink lines", "What the Wind Said"),
    ("koi circling in a green pond", "Slow Water"),
];
