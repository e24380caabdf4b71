//! What makes a picture look made: darker corners, the grain of paper, for some a margin.

use super::{
    canvas::Canvas,
    colour::Rgb,
    dice::Dice,
    noise::{hash_unit, smooth},
    palette::Palette,
    words::Family,
};

pub(super) fn finish(canvas: &mut Canvas, family: Family, palette: &Palette, dice: &mut Dice) {
    let flat = matches!(family, Family::Botanical | Family::Geometry | Family::Terrain | Family::Flow);
    let corners = if flat { 0.07 } else { 0.2 };
    let grain = if flat { 0.03 } else { 0.024 };
    let salt = dice.salt();
    let framed = dice.chance(0.34);
    let margin = if framed { (canvas.unit * 0.045).round() } else { 0.0 };
    let mount = palette.pale.mix(Rgb::WHITE, 0.6);
    let (width, height) = (canvas.width, canvas.height);
    canvas.retouch(|x, y, there| {
        let (across, down) = (x / width * 2.0 - 1.0, y / height * 2.0 - 1.0);
        let inside = x.min(y).min(width - x).min(height - y) - margin;
        let (column, row) = (x as i32, y as i32);
        let speckle = hash_unit(column, row, salt) + hash_unit(column, row, !salt) - 1.0;
        let colour = if inside < 0.0 {
            mount
        } else {
            there.scaled(1.0 - corners * smooth(0.55, 2.1, across * across + down * down))
        };
        let tooth = speckle * grain * if inside < 0.0 { 0.4 } else { 1.0 };
        Rgb { red: colour.red + tooth, green: colour.green + tooth, blue: colour.blue + tooth }
    });
}
