//! The first number of each block of a progressive JPEG: its brightness, or how much there is of a colour.
//!
//! They are all that a progressive file mixes between its colours. Sources: ITU-T T.81, F.2.2 for codes, G.1.2 for scans that
//! give one bit after the other.

use super::parts::{Frame, HUFFMAN_TABLES, Part, Parts, Scan};
use crate::gate::Cursor;
use crate::refused::Refused;

/// Of each colour its blocks' numbers, row by row.
pub(super) fn numbers(parts: &Parts<'_>) -> Result<Vec<Vec<i16>>, Refused> {
    let frame = &parts.frame;
    let room = |blocks: u32| usize::try_from(blocks).expect("at most a picture's pixels");
    let mut numbers: Vec<Vec<i16>> = frame
        .components
        .iter()
        .map(|component| vec![0; room(component.blocks_across() * component.blocks_down())])
        .collect();
    let mut given = vec![false; numbers.len()];
    let mut tables: [Option<Codes>; 4] = [const { None }; 4];
    let mut restarts = 0;
    for part in &parts.all {
        match part {
            Part::Tables(HUFFMAN_TABLES, body) => read_tables(body, &mut tables)?,
            Part::Restarts(interval) => restarts = *interval,
            Part::Scan(scan) if scan.first == 0 => {
                for colour in &scan.colours {
                    given[colour.component] = true;
                }
                read_scan(scan, frame, &tables, restarts, &mut numbers)?;
            }
            Part::Tables(..) | Part::Scan(_) => {}
        }
    }
    if given.contains(&false) {
        return Err(Refused::corrupt("one of its colours is missing"));
    }
    Ok(numbers)
}

/// A colour's part in each unit of a scan.
struct Turn<'a> {
    component: usize,
    /// Its blocks in a unit.
    across: u32,
    down: u32,
    /// Its blocks in the picture.
    blocks_across: u32,
    blocks_down: u32,
    codes: Option<&'a Codes>,
}

fn read_scan(
    scan: &Scan<'_>,
    frame: &Frame,
    tables: &[Option<Codes>; 4],
    restarts: u16,
    numbers: &mut [Vec<i16>],
) -> Result<(), Refused> {
    if scan.last != 0 || scan.low > 13 {
        return Err(Refused::corrupt("a scan mixes the first numbers of blocks with others"));
    }
    let alone = scan.colours.len() == 1;
    let mut turns = Vec::new();
    for colour in &scan.colours {
        let component = &frame.components[colour.component];
        let codes = tables.get(usize::from(colour.tables >> 4)).and_then(Option::as_ref);
        if codes.is_none() && scan.high == 0 {
            return Err(Refused::corrupt("a scan's table of codes is missing"));
        }
        // Alone in its scan, a colour comes block by block.
        let (across, down) = if alone { (1, 1) } else { (component.across, component.down) };
        let (blocks_across, blocks_down) = (component.blocks_across(), component.blocks_down());
        turns.push(Turn { component: colour.component, across, down, blocks_across, blocks_down, codes });
    }
    let (units_across, units_down) = match &turns[..] {
        [] => return Err(Refused::corrupt("a scan is of no colour")),
        [turn] => (turn.blocks_across, turn.blocks_down),
        _ => {
            let (across, down) = frame.unit();
            (frame.width.div_ceil(8 * across), frame.height.div_ceil(8 * down))
        }
    };
    let mut bits = Bits::of(scan.data);
    let mut last = [0_i32; 4];
    let mut left = restarts;
    for (row, column) in (0..units_down).flat_map(|row| (0..units_across).map(move |column| (row, column))) {
        if restarts > 0 {
            if left == 0 {
                bits.restart()?;
                last = [0; 4];
                left = restarts;
            }
            left -= 1;
        }
        for (last, turn) in last.iter_mut().zip(&turns) {
            for at in 0..turn.across * turn.down {
                let (x, y) = (column * turn.across + at % turn.across, row * turn.down + at / turn.across);
                let number = match turn.codes {
                    Some(codes) if scan.high == 0 => {
                        *last += bits.number(codes)?;
                        i16::try_from(*last).ok().and_then(|last| last.checked_mul(1 << scan.low))
                    }
                    _ => Some(if bits.bit()? == 1 { 1 << scan.low } else { 0 }),
                };
                let number = number.ok_or_else(|| Refused::corrupt("a block is brighter than light"))?;
                // The blocks beyond the edges fill up a unit.
                if x < turn.blocks_across && y < turn.blocks_down {
                    numbers[turn.component][(y * turn.blocks_across + x) as usize] |= number;
                }
            }
        }
    }
    Ok(())
}

/// The codes of one table, which count up from one length to the next.
struct Codes {
    counts: [u8; 16],
    symbols: Vec<u8>,
}

fn read_tables(body: &[u8], tables: &mut [Option<Codes>; 4]) -> Result<(), Refused> {
    let mut cursor = Cursor::new(body, 0);
    while !cursor.is_at_end() {
        let [class] = cursor.array()?;
        let counts: [u8; 16] = cursor.array()?;
        let symbols = cursor.take(counts.iter().copied().map(usize::from).sum())?.to_vec();
        if let Some(table) = tables.get_mut(usize::from(class)) {
            *table = Some(Codes { counts, symbols });
        }
    }
    Ok(())
}

/// Bits from the highest of each byte on.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    byte: u8,
    left: u8,
}

impl<'a> Bits<'a> {
    fn of(data: &'a [u8]) -> Self {
        Self { data, at: 0, byte: 0, left: 0 }
    }

    fn bit(&mut self) -> Result<i32, Refused> {
        if self.left == 0 {
            self.byte = *self.data.get(self.at).ok_or_else(cut_off)?;
            self.at += 1;
            if self.byte == 0xFF {
                // A zero says that the byte is one of data; anything else is a marker.
                if self.data.get(self.at) != Some(&0) {
                    return Err(cut_off());
                }
                self.at += 1;
            }
            self.left = 8;
        }
        self.left -= 1;
        Ok(i32::from(self.byte >> self.left & 1))
    }

    fn bits(&mut self, count: u8) -> Result<i32, Refused> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | self.bit()?;
        }
        Ok(value)
    }

    /// The difference to the number before.
    fn number(&mut self, codes: &Codes) -> Result<i32, Refused> {
        let length = self.symbol(codes)?;
        if length > LONGEST_DIFFERENCE {
            return Err(Refused::corrupt("a block differs from its neighbour by more than there is light"));
        }
        let value = self.bits(length)?;
        // What begins with a zero is negative, and one more than its bits turned around.
        let negative = length > 0 && value < 1 << (length - 1);
        Ok(if negative { value - (1 << length) + 1 } else { value })
    }

    fn symbol(&mut self, codes: &Codes) -> Result<u8, Refused> {
        let (mut code, mut first, mut before) = (0, 0, 0);
        for count in codes.counts.map(i32::from) {
            code = code << 1 | self.bit()?;
            if code - first < count {
                let at = usize::try_from(before + code - first).map_err(|_| no_code())?;
                return codes.symbols.get(at).copied().ok_or_else(no_code);
            }
            before += count;
            first = (first + count) << 1;
        }
        Err(no_code())
    }

    /// Behind the restart marker that comes next, with what may fill up the space in front of it.
    fn restart(&mut self) -> Result<(), Refused> {
        self.left = 0;
        while let Some([0xFF, 0xFF]) = self.data.get(self.at..self.at + 2) {
            self.at += 1;
        }
        match self.data.get(self.at..self.at + 2) {
            Some([0xFF, 0xD0..=0xD7]) => self.at += 2,
            _ => return Err(Refused::corrupt("a restart marker is missing")),
        }
        Ok(())
    }
}

/// The bits of the largest difference that eight bits of light can make.
pub(super) const LONGEST_DIFFERENCE: u8 = 11;

fn cut_off() -> Refused {
    Refused::corrupt("a scan ends before its last block")
}

fn no_code() -> Refused {
    Refused::corrupt("a scan has a code that is in no table")
}
