//! Outlines that several compositions draw: discs, blades, leaves, curves through points, trees.

use tiny_skia::{Path, PathBuilder};

use super::dice::Dice;

pub(super) type Place = (f32, f32);

pub(super) fn disc((x, y): Place, radius: f32) -> Option<Path> {
    PathBuilder::from_circle(x, y, radius)
}

pub(super) fn polygon(corners: &[Place]) -> Option<Path> {
    let mut path = open(corners)?;
    path.close();
    path.finish()
}

pub(super) fn line(points: &[Place]) -> Option<Path> {
    open(points)?.finish()
}

/// A soft line that bends towards each inner point.
pub(super) fn curve(points: &[Place]) -> Option<Path> {
    let (first, last) = (*points.first()?, *points.last()?);
    let mut path = PathBuilder::new();
    path.move_to(first.0, first.1);
    for pair in points[1..].windows(2) {
        let halfway = halfway(pair[0], pair[1]);
        path.quad_to(pair[0].0, pair[0].1, halfway.0, halfway.1);
    }
    path.line_to(last.0, last.1);
    path.finish()
}

/// A closed soft shape around the points.
pub(super) fn blob(points: &[Place]) -> Option<Path> {
    let start = halfway(*points.last()?, *points.first()?);
    let mut path = PathBuilder::new();
    path.move_to(start.0, start.1);
    for (index, point) in points.iter().enumerate() {
        let next = halfway(*point, points[(index + 1) % points.len()]);
        path.quad_to(point.0, point.1, next.0, next.1);
    }
    path.close();
    path.finish()
}

/// A leaf or petal from its base to its tip; `belly` is where it is widest, 0 at the base and 1 at the tip.
pub(super) fn leaf(base: Place, tip: Place, width: f32, belly: f32) -> Option<Path> {
    let (along_x, along_y) = (tip.0 - base.0, tip.1 - base.1);
    let (widest_x, widest_y) = (base.0 + along_x * belly, base.1 + along_y * belly);
    let length = (along_x * along_x + along_y * along_y).sqrt().max(1e-3);
    let (out_x, out_y) = (-along_y / length * width, along_x / length * width);
    let mut path = PathBuilder::new();
    path.move_to(base.0, base.1);
    path.quad_to(widest_x + out_x, widest_y + out_y, tip.0, tip.1);
    path.quad_to(widest_x - out_x, widest_y - out_y, base.0, base.1);
    path.close();
    path.finish()
}

/// The piece of a ring between two angles in radians, as a polygon fine enough for `radius` pixels.
pub(super) fn arc((x, y): Place, inner: f32, outer: f32, from: f32, to: f32) -> Option<Path> {
    let steps = ((to - from).abs() * outer.sqrt() * 2.0).clamp(8.0, 200.0) as usize;
    let at = |radius: f32, step: usize| {
        let angle = from + (to - from) * step as f32 / steps as f32;
        (x + libm::cosf(angle) * radius, y + libm::sinf(angle) * radius)
    };
    let mut corners: Vec<Place> = (0..=steps).map(|step| at(outer, step)).collect();
    corners.extend((0..=steps).rev().map(|step| at(inner, step)));
    polygon(&corners)
}

/// A conifer standing on `foot`: tiers of drooping branches, ragged at the tips.
pub(super) fn pine(foot: Place, height: f32, dice: &mut Dice) -> Option<Path> {
    let tiers = 7 + dice.below(4);
    let spread = height * dice.between(0.15, 0.22);
    let mut left = Vec::new();
    let mut right = Vec::new();
    for tier in 0..tiers {
        let share = (tier as f32 + 1.0) / tiers as f32;
        let level = foot.1 - height * (1.0 - share * 0.94);
        let reach = spread * share;
        left.push((foot.0 - reach * dice.between(0.75, 1.15), level + height * 0.02));
        left.push((foot.0 - reach * 0.45, level - height * 0.012));
        right.push((foot.0 + reach * dice.between(0.75, 1.15), level + height * 0.02));
        right.push((foot.0 + reach * 0.45, level - height * 0.012));
    }
    let trunk = height * 0.018;
    let mut corners = vec![(foot.0, foot.1 - height)];
    corners.extend(right);
    corners.extend([(foot.0 + trunk, foot.1), (foot.0 - trunk, foot.1)]);
    corners.extend(left.into_iter().rev());
    polygon(&corners)
}

fn open(points: &[Place]) -> Option<PathBuilder> {
    let (first, rest) = points.split_first()?;
    let mut path = PathBuilder::new();
    path.move_to(first.0, first.1);
    for point in rest {
        path.line_to(point.0, point.1);
    }
    Some(path)
}

fn halfway(from: Place, to: Place) -> Place {
    (f32::midpoint(from.0, to.0), f32::midpoint(from.1, to.1))
}
