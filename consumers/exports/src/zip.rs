//! The ZIP format, as far as files are stored as they are: what stands before, between and after them.
//!
//! ```text
//! header, bytes, descriptor     for each file, in order
//! entry                         for each file, in the same order: the directory
//! end                           where the directory begins
//! ```
//!
//! Length and CRC of a file stand behind it, since they are known when it has been sent. ZIP64 fields stand where a number
//! needs them and nowhere else, so that a small ZIP is one that any reader knows.

use std::io;

use time::{OffsetDateTime, UtcOffset};

/// What 32 bits cannot say stands in a ZIP64 field, and this in its place.
const IN_ZIP64: u32 = u32::MAX;
/// The same of 16 bits.
const COUNT_IN_ZIP64: u16 = u16::MAX;
/// Length and CRC stand in a descriptor behind the file; its name is UTF-8.
const FLAGS: u16 = 1 << 3 | 1 << 11;
/// Versions of the format that a reader must know: 2.0, and 4.5 for ZIP64.
const PLAIN: u16 = 20;
const ZIP64: u16 = 45;
/// Made on Unix: the attributes are a mode.
const MADE_BY: u16 = 3 << 8 | ZIP64;
/// A regular file that its owner may write and all may read.
const ATTRIBUTES: u32 = 0o100_644 << 16;
const HEADER: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const ENTRY: u32 = 0x0201_4b50;
const ZIP64_END: u32 = 0x0606_4b50;
const ZIP64_LOCATOR: u32 = 0x0706_4b50;
const END: u32 = 0x0605_4b50;
const ZIP64_EXTRA: u16 = 1;
const TIME_EXTRA: u16 = 0x5455;

/// What is known of a file before its bytes are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File<'a> {
    /// With no folder; UTF-8.
    pub(crate) name: &'a str,
    pub(crate) modified: OffsetDateTime,
    /// It may have four gigabytes or more: its descriptor has room for that.
    pub(crate) is_large: bool,
}

/// What is known of it behind them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) length: u64,
    pub(crate) crc32: u32,
}

impl File<'_> {
    /// Whether a file of about so many bytes may turn out to be large.
    pub(crate) fn may_be_large(length: u64) -> bool {
        length >= u64::from(IN_ZIP64)
    }

    /// What stands before its bytes.
    pub(crate) fn header(&self) -> Vec<u8> {
        // Lengths and CRC are in the descriptor; a ZIP64 field here says that they have 64 bits there.
        let zip64: &[u64] = if self.is_large { &[0, 0] } else { &[] };
        let extra = [zip64_extra(zip64), self.time_extra()].concat();
        let length = if self.is_large { IN_ZIP64 } else { 0 };
        let mut header = Fields::default();
        header.u32(HEADER).u16(self.version()).u16(FLAGS).u16(0).u32(self.dos_time());
        header.u32(0).u32(length).u32(length).size(self.name.len()).size(extra.len());
        header.bytes(self.name.as_bytes()).bytes(&extra).take()
    }

    /// What stands behind its bytes. Refused when there are more than was said.
    pub(crate) fn descriptor(&self, sum: Sum) -> io::Result<Vec<u8>> {
        let mut descriptor = Fields::default();
        descriptor.u32(DESCRIPTOR).u32(sum.crc32);
        if self.is_large {
            return Ok(descriptor.u64(sum.length).u64(sum.length).take());
        }
        let length = u32::try_from(sum.length).ok().filter(|length| *length != IN_ZIP64);
        let length = length.ok_or_else(|| io::Error::other(format!("{} is larger than was expected", self.name)))?;
        Ok(descriptor.u32(length).u32(length).take())
    }

    fn version(&self) -> u16 {
        if self.is_large { ZIP64 } else { PLAIN }
    }

    /// In the format of DOS, which knows the years 1980 to 2107, steps of two seconds and no zone; UTC is meant.
    fn dos_time(&self) -> u32 {
        let time = self.modified.to_offset(UtcOffset::UTC);
        let year = u32::try_from(time.year().clamp(1980, 2107) - 1980).unwrap_or_default();
        let date = year << 9 | u32::from(u8::from(time.month())) << 5 | u32::from(time.day());
        let seconds = u32::from(time.hour()) << 11 | u32::from(time.minute()) << 5 | u32::from(time.second() / 2);
        date << 16 | seconds
    }

    /// The same in seconds since 1970, for readers that know zones; none where 32 bits do not hold it.
    fn time_extra(&self) -> Vec<u8> {
        let Ok(seconds) = u32::try_from(self.modified.unix_timestamp()) else { return Vec::new() };
        if seconds > i32::MAX.unsigned_abs() {
            return Vec::new();
        }
        Fields::default().u16(TIME_EXTRA).u16(5).bytes(&[1]).u32(seconds).take()
    }
}

/// The directory of a ZIP while it is written: where the next file begins follows from the files before.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    files: u64,
    /// Where the next file begins, and in the end the directory.
    offset: u64,
    /// Bytes of the directory so far.
    length: u64,
}

impl Directory {
    /// The entry of the next file.
    pub(crate) fn entry(&mut self, file: &File<'_>, sum: Sum) -> io::Result<Vec<u8>> {
        let mut zip64 = Vec::new();
        let mut short = |number: u64| match u32::try_from(number) {
            Ok(short) if short != IN_ZIP64 => short,
            _ => {
                zip64.push(number);
                IN_ZIP64
            }
        };
        let (length, same_length, offset) = (short(sum.length), short(sum.length), short(self.offset));
        let version = if zip64.is_empty() { file.version() } else { ZIP64 };
        let extra = [zip64_extra(&zip64), file.time_extra()].concat();
        let mut entry = Fields::default();
        entry.u32(ENTRY).u16(MADE_BY).u16(version).u16(FLAGS).u16(0).u32(file.dos_time());
        entry.u32(sum.crc32).u32(length).u32(same_length).size(file.name.len()).size(extra.len());
        // No comment, the first disk, a file of bytes.
        entry.u16(0).u16(0).u16(0).u32(ATTRIBUTES).u32(offset);
        let entry = entry.bytes(file.name.as_bytes()).bytes(&extra).take();
        self.files += 1;
        self.offset += file.header().len() as u64 + sum.length + file.descriptor(sum)?.len() as u64;
        self.length += entry.len() as u64;
        Ok(entry)
    }

    /// Where the directory begins: behind all files that have an entry.
    pub(crate) fn begins_at(&self) -> u64 {
        self.offset
    }

    /// What stands behind the last entry.
    pub(crate) fn end(&self) -> Vec<u8> {
        let short = |number: u64| u32::try_from(number).unwrap_or(IN_ZIP64);
        let files = u16::try_from(self.files).unwrap_or(COUNT_IN_ZIP64);
        let mut end = Fields::default();
        if files == COUNT_IN_ZIP64 || short(self.offset) == IN_ZIP64 || short(self.length) == IN_ZIP64 {
            // Its own length, without what says so.
            end.u32(ZIP64_END).u64(44).u16(MADE_BY).u16(ZIP64).u32(0).u32(0);
            end.u64(self.files).u64(self.files).u64(self.length).u64(self.offset);
            end.u32(ZIP64_LOCATOR).u32(0).u64(self.offset + self.length).u32(1);
        }
        end.u32(END).u16(0).u16(0).u16(files).u16(files).u32(short(self.length)).u32(short(self.offset)).u16(0).take()
    }
}

fn zip64_extra(numbers: &[u64]) -> Vec<u8> {
    if numbers.is_empty() {
        return Vec::new();
    }
    let mut extra = Fields::default();
    extra.u16(ZIP64_EXTRA).size(numbers.len() * 8);
    for number in numbers {
        extra.u64(*number);
    }
    extra.take()
}

/// Numbers in the order of a ZIP: the lowest byte first.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn u16(&mut self, number: u16) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    fn u32(&mut self, number: u32) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    fn u64(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    /// Of a name or a field, of which none here comes near 64 KiB.
    fn size(&mut self, bytes: usize) -> &mut Self {
        self.u16(u16::try_from(bytes).expect("names have a hundred bytes and extra fields fewer"))
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
#[path = "../tests/it/readers.rs"]
mod readers;

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};

    use super::*;

    /// A ZIP of files of zeros, which are holes in the file that it is written to.
    fn zeros<'a>(files: impl Iterator<Item = (&'a str, u64)> + Clone) -> anyhow::Result<tempfile::NamedTempFile> {
        let mut zip = tempfile::Builder::new().suffix(".zip").tempfile()?;
        let modified = time::macros::datetime!(2026-11-22 06:00 UTC);
        let file = |(name, length)| {
            let sum = Sum { length, crc32: crc32_of_zeros(length) };
            (File { name, modified, is_large: File::may_be_large(length) }, sum)
        };
        let mut buffered = std::io::BufWriter::new(zip.as_file_mut());
        for (file, sum) in files.clone().map(file) {
            buffered.write_all(&file.header())?;
            if sum.length < 1_000 {
                buffered.write_all(&vec![0; usize::try_from(sum.length)?])?;
            } else {
                buffered.seek(SeekFrom::Current(sum.length.cast_signed()))?;
            }
            buffered.write_all(&file.descriptor(sum)?)?;
        }
        let mut directory = Directory::default();
        let begins_at = buffered.stream_position()?;
        for (file, sum) in files.map(file) {
            buffered.write_all(&directory.entry(&file, sum)?)?;
        }
        assert_eq!(directory.begins_at(), begins_at);
        buffered.write_all(&directory.end())?;
        buffered.flush()?;
        drop(buffered);
        Ok(zip)
    }

    /// By doubling, since four billion zeros need not be looked at one by one.
    fn crc32_of_zeros(length: u64) -> u32 {
        let (mut sum, mut doubled) = (crc32fast::Hasher::new(), crc32fast::Hasher::new());
        doubled.update(&[0]);
        for bit in 0..u64::BITS - length.leading_zeros() {
            if length >> bit & 1 == 1 {
                sum.combine(&doubled);
            }
            doubled.combine(&doubled.clone());
        }
        sum.finalize()
    }

    #[test]
    fn every_reader_takes_a_small_zip_with_names_of_all_scripts_and_none_of_it_is_zip64() -> anyhow::Result<()> {
        let zip =
            zeros([("0001-東京-über.png", 3_u64), ("0002-हिन्दी.png", 0), ("manifest.json", 200_000)].into_iter())?;
        readers::check(zip.path(), 3)?;
        let bytes = std::fs::read(zip.path())?;
        let has = |signature: u32| bytes.windows(4).any(|window| window == signature.to_le_bytes());
        assert!(has(END) && !has(ZIP64_END) && !has(ZIP64_LOCATOR));
        Ok(())
    }

    #[test]
    fn every_reader_takes_a_file_of_more_than_4_gib_and_what_lies_behind_it() -> anyhow::Result<()> {
        let zip =
            zeros([("0001-small.png", 7), ("0002-large.png", (4 << 30) + 5), ("0003-behind.png", 9)].into_iter())?;
        readers::check(zip.path(), 3)
    }

    #[test]
    fn every_reader_takes_more_than_65_535_files() -> anyhow::Result<()> {
        let names: Vec<String> = (1..=65_600).map(|number| format!("{number:04}-untitled.png")).collect();
        let zip = zeros(names.iter().map(|name| (name.as_str(), 1)))?;
        readers::check(zip.path(), names.len())
    }

    #[test]
    fn a_file_that_outgrows_its_descriptor_is_refused() {
        let file = File { name: "x", modified: OffsetDateTime::UNIX_EPOCH, is_large: false };
        assert!(file.descriptor(Sum { length: u64::from(u32::MAX) - 1, crc32: 0 }).is_ok());
        let refused = file.descriptor(Sum { length: u64::from(u32::MAX), crc32: 0 });
        assert!(refused.is_err_and(|error| error.to_string() == "x is larger than was expected"));
        // Before and after what the formats of time hold.
        for year in [1903, 1971, 2040, 2500] {
            let modified = time::Date::from_calendar_date(year, time::Month::May, 4).expect("a day").midnight();
            let file = File { name: "x", modified: modified.assume_utc(), is_large: false };
            assert!(Directory::default().entry(&file, Sum::default()).is_ok());
        }
    }
}
