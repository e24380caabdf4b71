//! One colour of a JPEG as a grey JPEG of its own.
//!
//! In a progressive file each scan but those of the blocks' first numbers is of one colour, and in the rare sequential file
//! with scans of one colour all are. They are copied as they are; the first numbers, which the colours share scans for, are
//! written anew.

use super::first::LONGEST_DIFFERENCE;
use super::parts::{END_OF_IMAGE, HUFFMAN_TABLES, Part, Parts, RESTART_INTERVAL, START_OF_IMAGE, START_OF_SCAN, Scan};
use crate::refused::Refused;

/// The file of the colour `at`; `first` are its blocks' first numbers, where the file is progressive.
pub(super) fn file(parts: &Parts<'_>, at: usize, mut first: Option<&[i16]>) -> Result<Vec<u8>, Refused> {
    let component = &parts.frame.components[at];
    let ours = |scan: &&Scan<'_>| scan.colours.iter().any(|colour| colour.component == at);
    let progressive = parts.frame.progressive;
    if !progressive && parts.scans().filter(ours).count() != 1 {
        return Err(Refused::corrupt("a colour has no scan, or more than one"));
    }
    // Tables that come behind the last scan are another colour's. The decoder reads ahead, and takes them for the end of a
    // scan whose last rows it has not looked at.
    let last = parts.all.iter().rposition(|part| matches!(part, Part::Scan(scan) if ours(&scan)));
    let parts_of_it = &parts.all[..last.map_or(0, |last| last + 1)];
    let length = parts.scans().filter(ours).map(|scan| scan.data.len()).sum::<usize>();
    let mut file = Vec::with_capacity(length + 4096);
    file.extend([0xFF, START_OF_IMAGE]);
    let [height, width] = [component.height, component.width]
        .map(|side| u16::try_from(side).expect("at most the side of a JPEG").to_be_bytes());
    let marker = if progressive { 0xC2 } else { 0xC1 };
    segment(&mut file, marker, &[&[8], &height[..], &width, &[1, ID, 0x11, component.steps]].concat());
    let mut restarts = 0;
    for part in parts_of_it {
        match part {
            Part::Tables(marker, body) => segment(&mut file, *marker, body),
            Part::Restarts(interval) => {
                restarts = *interval;
                segment(&mut file, RESTART_INTERVAL, &interval.to_be_bytes());
            }
            Part::Scan(scan) => {
                if !ours(&scan) {
                    continue;
                }
                // Here and no earlier, since the decoder takes the table of steps that there is at a colour's first scan.
                if let Some(numbers) = first.take() {
                    segment(&mut file, RESTART_INTERVAL, &[0, 0]);
                    first_scan(&mut file, numbers)?;
                    segment(&mut file, RESTART_INTERVAL, &restarts.to_be_bytes());
                }
                if progressive && scan.first == 0 {
                    continue;
                }
                let [colour] = &scan.colours[..] else {
                    return Err(Refused::corrupt("colours share a scan that they cannot share"));
                };
                let bits = scan.high << 4 | scan.low;
                segment(&mut file, START_OF_SCAN, &[1, ID, colour.tables, scan.first, scan.last, bits]);
                file.extend(scan.data);
            }
        }
    }
    file.extend([0xFF, END_OF_IMAGE]);
    Ok(file)
}

/// The name of the only colour.
const ID: u8 = 1;

fn segment(file: &mut Vec<u8>, marker: u8, body: &[u8]) {
    file.extend([0xFF, marker]);
    file.extend(u16::try_from(body.len() + 2).expect("it was a segment before, or is short").to_be_bytes());
    file.extend(body);
}

/// All first numbers in one scan. Each length of a difference has a code of four bits, which is itself.
fn first_scan(file: &mut Vec<u8>, numbers: &[i16]) -> Result<(), Refused> {
    let mut table = vec![0, 0, 0, 0, LONGEST_DIFFERENCE + 1];
    table.extend([0; 12]);
    table.extend(0..=LONGEST_DIFFERENCE);
    segment(file, HUFFMAN_TABLES, &table);
    segment(file, START_OF_SCAN, &[1, ID, 0, 0, 0, 0]);
    let (mut held, mut count, mut last) = (0_u32, 0, 0);
    for number in numbers {
        let difference = i32::from(*number) - last;
        last = i32::from(*number);
        let length = 32 - difference.unsigned_abs().leading_zeros();
        if length > u32::from(LONGEST_DIFFERENCE) {
            return Err(Refused::corrupt("a block differs from its neighbour by more than there is light"));
        }
        let bits = (difference - i32::from(difference < 0)).cast_unsigned() & ((1 << length) - 1);
        held = (held << 4 | length) << length | bits;
        count += 4 + length;
        while count >= 8 {
            count -= 8;
            byte(file, held >> count);
        }
    }
    // The last byte is filled with ones.
    if count > 0 {
        byte(file, held << (8 - count) | (0xFF >> count));
    }
    Ok(())
}

/// The lowest byte; one of all ones is followed by a zero, so that it is no marker.
fn byte(file: &mut Vec<u8>, bits: u32) {
    let [.., byte] = bits.to_be_bytes();
    file.push(byte);
    if byte == 0xFF {
        file.push(0);
    }
}
