//! What a JPEG is made of: one frame, and tables and scans in their order.

use crate::gate::Cursor;
use crate::gate::jpeg::{next_marker, segment};
use crate::refused::Refused;

/// Markers of ITU-T T.81.
pub(super) const HUFFMAN_TABLES: u8 = 0xC4;
pub(super) const START_OF_IMAGE: u8 = 0xD8;
pub(super) const END_OF_IMAGE: u8 = 0xD9;
pub(super) const START_OF_SCAN: u8 = 0xDA;
pub(super) const RESTART_INTERVAL: u8 = 0xDD;
const QUANTISATION_TABLES: u8 = 0xDB;
const RESTARTS: std::ops::RangeInclusive<u8> = 0xD0..=0xD7;

/// A file that the gate has let through, taken apart and not yet decoded.
pub(super) struct Parts<'a> {
    pub(super) frame: Frame,
    pub(super) all: Vec<Part<'a>>,
}

pub(super) enum Part<'a> {
    /// A segment of tables: its marker and its body.
    Tables(u8, &'a [u8]),
    /// Units between two restart markers from here on; 0 for none.
    Restarts(u16),
    Scan(Scan<'a>),
}

pub(super) struct Frame {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) progressive: bool,
    pub(super) components: Vec<Component>,
}

/// One colour of the picture.
pub(super) struct Component {
    id: u8,
    /// Blocks in a unit of a scan of several colours.
    pub(super) across: u32,
    pub(super) down: u32,
    /// Its table of quantisation.
    pub(super) steps: u8,
    /// Its own samples.
    pub(super) width: u32,
    pub(super) height: u32,
}

/// One pass over one colour, or over several in turns.
pub(super) struct Scan<'a> {
    pub(super) colours: Vec<Coded>,
    /// The first and the last number of each block that is in it, in the order of the zigzag.
    pub(super) first: u8,
    pub(super) last: u8,
    /// The bit that earlier scans have given, or 0; and the one that this scan gives.
    pub(super) high: u8,
    pub(super) low: u8,
    /// Its bits, with the restart markers between them.
    pub(super) data: &'a [u8],
}

/// A colour of a scan.
pub(super) struct Coded {
    /// Its place in the frame.
    pub(super) component: usize,
    /// Its tables: of first numbers in the upper half, of the others in the lower.
    pub(super) tables: u8,
}

impl Component {
    pub(super) fn blocks_across(&self) -> u32 {
        self.width.div_ceil(8)
    }

    pub(super) fn blocks_down(&self) -> u32 {
        self.height.div_ceil(8)
    }
}

impl Frame {
    /// The most blocks that a colour has in a unit, across and down.
    pub(super) fn unit(&self) -> (u32, u32) {
        let most = |side: fn(&Component) -> u32| self.components.iter().map(side).max().unwrap_or(1);
        (most(|component| component.across), most(|component| component.down))
    }

    fn read(marker: u8, body: &[u8]) -> Result<Self, Refused> {
        let mut cursor = Cursor::new(body, 1);
        let height = u32::from(u16::from_be_bytes(cursor.array()?));
        let width = u32::from(u16::from_be_bytes(cursor.array()?));
        let mut components = Vec::new();
        for _ in 0..cursor.byte()? {
            let [id, sampling, steps] = cursor.array()?;
            let (across, down) = (u32::from(sampling >> 4), u32::from(sampling & 15));
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) {
                return Err(Refused::corrupt(format!("a colour has {across} x {down} blocks in a unit")));
            }
            components.push(Component { id, across, down, steps, width, height });
        }
        let mut frame = Self { width, height, progressive: marker == 0xC2, components };
        let (across, down) = frame.unit();
        for component in &mut frame.components {
            component.width = (width * component.across).div_ceil(across);
            component.height = (height * component.down).div_ceil(down);
        }
        Ok(frame)
    }
}

impl<'a> Parts<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, Refused> {
        let mut cursor = Cursor::new(bytes, 2);
        let mut frame: Option<Frame> = None;
        let mut all = Vec::new();
        let mut marker = next_marker(&mut cursor)?;
        while marker != END_OF_IMAGE {
            match marker {
                0x01 | 0xD0..=0xD8 => {}
                HUFFMAN_TABLES | QUANTISATION_TABLES => all.push(Part::Tables(marker, segment(&mut cursor)?)),
                RESTART_INTERVAL => {
                    let interval = Cursor::new(segment(&mut cursor)?, 0).array()?;
                    all.push(Part::Restarts(u16::from_be_bytes(interval)));
                }
                START_OF_SCAN => {
                    let frame = frame.as_ref().ok_or_else(|| Refused::corrupt("a scan comes before the frame"))?;
                    let header = segment(&mut cursor)?;
                    let start = cursor.at();
                    marker = next_marker(&mut cursor)?;
                    while RESTARTS.contains(&marker) {
                        marker = next_marker(&mut cursor)?;
                    }
                    // Before the marker, and before what may fill up the space in front of it.
                    let data = &bytes[start..cursor.at() - 2];
                    all.push(Part::Scan(Scan::read(header, frame, data)?));
                    continue;
                }
                0xC0..=0xC2 => frame = Some(Frame::read(marker, segment(&mut cursor)?)?),
                _ => {
                    segment(&mut cursor)?;
                }
            }
            marker = next_marker(&mut cursor)?;
        }
        Ok(Self { frame: frame.ok_or_else(|| Refused::corrupt("it has no frame"))?, all })
    }

    pub(super) fn scans(&self) -> impl Iterator<Item = &Scan<'a>> {
        self.all.iter().filter_map(|part| if let Part::Scan(scan) = part { Some(scan) } else { None })
    }
}

impl<'a> Scan<'a> {
    fn read(header: &[u8], frame: &Frame, data: &'a [u8]) -> Result<Self, Refused> {
        let mut cursor = Cursor::new(header, 0);
        let mut colours = Vec::new();
        for _ in 0..cursor.byte()? {
            let [id, tables] = cursor.array()?;
            let component = frame.components.iter().position(|component| component.id == id);
            let component =
                component.ok_or_else(|| Refused::corrupt("a scan is of a colour that the frame does not have"))?;
            colours.push(Coded { component, tables });
        }
        if colours.len() > 4 {
            return Err(Refused::corrupt("a scan is of more than four colours"));
        }
        let [first, last, bits] = cursor.array()?;
        Ok(Self { colours, first, last, high: bits >> 4, low: bits & 15, data })
    }
}
