//! Still water that mirrors what stands above it.

use super::{
    canvas::Canvas,
    colour::Rgb,
    dice::Dice,
    noise::{Noise, smooth},
};

/// Replaces everything below `shore` by its mirror image, rippled more towards the viewer and tinted by the water.
pub(super) fn mirror(canvas: &mut Canvas, shore: f32, tint: Rgb, dice: &mut Dice) {
    let above = canvas.snapshot();
    let ripples = Noise::new(dice.salt());
    let (unit, depth) = (canvas.unit, (canvas.height - shore).max(1.0));
    canvas.retouch(|x, y, there| {
        if y < shore {
            return there;
        }
        let near = (y - shore) / depth;
        let scale = unit * (0.006 + 0.03 * near);
        let swell = ripples.layered(x / scale * 0.16, y / scale, 2);
        let shift = swell * scale * 0.7;
        let mirrored = above.at(x + shift * 0.8, (2.0 * shore - y + shift).clamp(0.0, shore - 1.0));
        let glint = smooth(0.25, 0.7, swell) * 0.10 * near;
        mirrored.lerp(tint, 0.16 + 0.3 * near).lit(Rgb::WHITE, glint)
    });
}
