//! Conifers in layers of mist, with light falling through.

use super::{
    canvas::{Canvas, Ink},
    dice::Dice,
    noise::{Noise, lerp, smooth},
    outline::{pine, polygon},
    palette::Palette,
    sky::Sky,
    words::Subject,
};

pub(super) fn paint(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) {
    let sky = Sky::new(canvas, &subject.palette, subject.light, canvas.height * 0.8, dice);
    canvas.shade(|x, y| sky.at(x, y));
    conifers(canvas, &sky, &subject.palette, dice);
    sky.beams(canvas, dice);
}

fn conifers(canvas: &mut Canvas, sky: &Sky, palette: &Palette, dice: &mut Dice) {
    let layers = 6;
    for layer in 0..layers {
        let nearness = layer as f32 / (layers - 1) as f32;
        let colour = sky.haze.mix(palette.deep, lerp(0.25, 0.9, nearness)).mix(palette.ink, nearness * nearness * 0.85);
        let ground = canvas.height * lerp(0.6, 1.0, nearness);
        let swell = Noise::new(dice.salt());
        let tall = canvas.unit * lerp(0.16, 0.62, nearness * nearness);
        let (width, unit) = (canvas.width, canvas.unit);
        let floor = |x: f32| ground - swell.layered(x / width * 3.0, 1.0, 2) * unit * 0.07;
        let clearing = canvas.width * dice.between(0.35, 0.65);
        let count = (canvas.width / canvas.unit * lerp(34.0, 9.0, nearness)) as usize;
        let mut stand: Vec<(f32, f32)> = (0..count)
            .map(|slot| {
                let x = canvas.width * (slot as f32 + dice.between(-0.5, 1.5)) / count as f32;
                let open = smooth(0.05, 0.45, (x - clearing).abs() / canvas.width);
                (x, tall * dice.between(0.55, 1.1) * lerp(lerp(1.0, 0.3, nearness), 1.0, open))
            })
            .collect();
        stand.sort_by(|one, other| one.1.total_cmp(&other.1));
        for (x, height) in stand {
            let foot = floor(x) + height * 0.08;
            let outline = pine((x, foot), height, dice);
            let air = colour.mix(sky.haze, lerp(0.5, 0.1, nearness));
            canvas.fill(outline, &Ink::down(foot - height, colour, foot, air));
        }
        let steps = 48;
        let mut hill: Vec<(f32, f32)> =
            (0..=steps).map(|step| canvas.width * step as f32 / steps as f32).map(|x| (x, floor(x))).collect();
        hill.extend([(canvas.width, canvas.height + 1.0), (0.0, canvas.height + 1.0)]);
        let mist = colour.mix(sky.haze, lerp(0.65, 0.05, nearness));
        canvas.fill(polygon(&hill), &Ink::down(ground - canvas.unit * 0.05, colour, ground + canvas.unit * 0.08, mist));
    }
}
