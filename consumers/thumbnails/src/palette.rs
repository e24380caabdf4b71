//! The colours a picture is made of.

use atelier_events::Swatch;

use crate::raster::Raster;

/// At most this many colours.
const COLOURS: usize = 6;

/// Squared distance in RGB below which two colours count as one.
const DISTINCT: i32 = 48 * 48;

/// A colour that covers less than one pixel in this many is left out.
const LEAST_SHARE: u64 = 250;

/// Up to six colours that differ clearly, the most present first, each with its share of what is not transparent; none
/// of a picture that is all transparent.
///
/// Pixels fall into 4096 bins of four bits a channel. The fullest bin gives a colour, the mean of its pixels, and takes
/// every bin near it along, so that the next colour is another one.
pub(crate) fn palette(picture: &Raster) -> Vec<Swatch> {
    let mut bins = vec![Bin::default(); 4096];
    let mut seen: u64 = 0;
    for pixel in picture.pixels().chunks_exact(picture.channels()) {
        if pixel.get(3).is_some_and(|alpha| *alpha < 128) {
            continue;
        }
        let [red, green, blue] = [0, 1, 2].map(|channel| usize::from(pixel[channel] >> 4));
        bins[red << 8 | green << 4 | blue].add(pixel);
        seen += 1;
    }
    bins.retain(|bin| bin.pixels > 0);
    bins.sort_by_key(|bin| std::cmp::Reverse(bin.pixels));

    let mut groups: Vec<(usize, u64)> = Vec::new();
    for (index, bin) in bins.iter().enumerate() {
        let near = |(head, _): &&mut (usize, u64)| distance(bins[*head].mean(), bin.mean()) < DISTINCT;
        match groups.iter_mut().find(near) {
            Some((_, pixels)) => *pixels += bin.pixels,
            None => groups.push((index, bin.pixels)),
        }
    }
    groups.sort_by_key(|(_, pixels)| std::cmp::Reverse(*pixels));
    let swatch = |(head, pixels): &(usize, u64)| {
        let [red, green, blue] = bins[*head].mean();
        let per_mille = u16::try_from(pixels * 1000 / seen).expect("a share of a thousand");
        Swatch { colour: format!("#{red:02x}{green:02x}{blue:02x}"), per_mille }
    };
    groups.iter().take(COLOURS).filter(|(_, pixels)| pixels * LEAST_SHARE >= seen).map(swatch).collect()
}

#[derive(Clone, Default)]
struct Bin {
    pixels: u64,
    sums: [u64; 3],
}

impl Bin {
    fn add(&mut self, pixel: &[u8]) {
        self.pixels += 1;
        for (sum, value) in self.sums.iter_mut().zip(pixel) {
            *sum += u64::from(*value);
        }
    }

    fn mean(&self) -> [u8; 3] {
        self.sums.map(|sum| u8::try_from(sum / self.pixels.max(1)).expect("a mean of bytes is a byte"))
    }
}

fn distance(one: [u8; 3], other: [u8; 3]) -> i32 {
    one.iter().zip(other).map(|(a, b)| (i32::from(*a) - i32::from(b)).pow(2)).sum()
}
