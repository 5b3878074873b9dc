//! Ragged columns: an offset array and the bytes it cuts into rows.

use std::borrow::Cow;
use std::io::{Seek, Write};
use std::ops::Range;

use super::RowReader;
use super::numbers::view;
use crate::error::{Error, Result};
use crate::format::rows::{self, Decoder};
use crate::format::{Codec, ContainerWriter, ElementType, Kind, Origin, Sections, codec, layout};
use crate::mmap::Mapped;

const REBUILD: &str = "verify the file (`store::verify`), and build it again from its sources";

/// Where a ragged column lies; made once when a file is opened.
#[derive(Debug, Clone)]
pub struct RaggedLayout {
    name: &'static str,
    place: Place,
    origin: Origin,
}

#[derive(Debug, Clone)]
struct Place {
    offsets: Range<usize>,
    bytes: Range<usize>,
    raw_length: u64,
    packing: Packing<Range<usize>>,
    dictionary: Range<usize>,
}

/// How the bytes are stored, and where the frames start.
#[derive(Debug, Clone, Copy)]
enum Packing<P> {
    Raw,
    Blocks { starts: P },
    Rows { starts: P },
}

impl Place {
    fn find(sections: &Sections, name: &str, rows: Option<u64>) -> Result<Self> {
        let numbers = rows.map(|rows| rows.saturating_add(1));
        let offsets = sections.raw(name, Kind::Offsets, ElementType::U64, numbers)?;
        let missing = || {
            let error = Error::invalid(format!("section {name:?}"), "has no bytes", REBUILD);
            sections.origin().name(error)
        };
        let entry = sections.find(name, Kind::Bytes).ok_or_else(missing)?;
        let raw_length = entry.count();
        let starts = |count| sections.raw(name, Kind::Blocks, ElementType::U64, Some(count));
        let mut dictionary = 0..0;
        let (bytes, packing) = match entry.codec() {
            Some(Codec::Raw) => (sections.raw(name, Kind::Bytes, ElementType::U8, None)?, Packing::Raw),
            Some(Codec::ZstdRows) => {
                let entry = sections.expect(name, Kind::Bytes, ElementType::U8, Codec::ZstdRows)?;
                if sections.find(name, Kind::ZstdDictionary).is_some() {
                    dictionary = sections.raw(name, Kind::ZstdDictionary, ElementType::U8, None)?;
                }
                let numbers = (offsets.len() / size_of::<u64>()) as u64;
                (crate::format::byte_range(entry), Packing::Rows { starts: starts(numbers)? })
            }
            _ => {
                let entry = sections.expect(name, Kind::Bytes, ElementType::U8, Codec::ZstdBlocks)?;
                let count = raw_length.div_ceil(u64::from(layout::BLOCK_LENGTH));
                (crate::format::byte_range(entry), Packing::Blocks { starts: starts(count + 1)? })
            }
        };
        Ok(Self { offsets, bytes, raw_length, packing, dictionary })
    }

    fn over<'a>(&self, name: &'a str, origin: &'a Origin, file: &'a [u8]) -> Ragged<'a> {
        Ragged {
            name,
            origin,
            offsets: view(file, &self.offsets),
            bytes: file.get(self.bytes.clone()).unwrap_or(&[]),
            raw_length: self.raw_length,
            packing: match &self.packing {
                Packing::Raw => Packing::Raw,
                Packing::Blocks { starts } => Packing::Blocks { starts: view(file, starts) },
                Packing::Rows { starts } => Packing::Rows { starts: view(file, starts) },
            },
            dictionary: view(file, &self.dictionary),
            map: None,
        }
    }
}

impl RaggedLayout {
    /// Finds a ragged column of `rows` rows.
    ///
    /// # Errors
    /// Where a section is missing, of another type, or of another length.
    pub fn find(sections: &Sections, name: &'static str, rows: u64) -> Result<Self> {
        Ok(Self { name, place: Place::find(sections, name, Some(rows))?, origin: sections.origin().clone() })
    }

    /// The column over the bytes of its file.
    #[must_use]
    pub fn over<'a>(&'a self, file: &'a [u8]) -> Ragged<'a> {
        self.place.over(self.name, &self.origin, file)
    }
}

/// A ragged column of bytes.
#[derive(Debug, Clone, Copy)]
pub struct Ragged<'a> {
    name: &'a str,
    origin: &'a Origin,
    offsets: &'a [u64],
    bytes: &'a [u8],
    raw_length: u64,
    packing: Packing<&'a [u64]>,
    dictionary: &'a [u8],
    /// The map of the file, where rows can be asked for before they are read.
    map: Option<&'a Mapped>,
}

impl<'a> Ragged<'a> {
    pub(crate) fn mapped(self, map: Option<&'a Mapped>) -> Self {
        Self { map, ..self }
    }

    /// Finds a ragged column of any number of rows in a file.
    ///
    /// # Errors
    /// Where a section is missing or of another type.
    pub fn find(sections: &'a Sections, file: &'a [u8], name: &str) -> Result<Self> {
        let place = Place::find(sections, name, None)?;
        let label = sections.find(name, Kind::Offsets).map_or("?", |e| e.label());
        Ok(place.over(label, sections.origin(), file))
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a row. Borrowed where the column is raw. A column of compressed blocks decodes the one or two of
    /// 64 KiB that the row lies in, one of compressed rows decodes the row. A [`reader`](Self::reader) keeps its
    /// decoder, and is then many times as fast.
    ///
    /// # Errors
    /// Where the row does not exist, or its offsets or blocks are damaged.
    pub fn get(&self, row: usize) -> Result<Cow<'a, [u8]>> {
        let Range { start, end } = self.range(row)?;
        match self.packing {
            // `raw_length` is the length of `bytes` here, so the cut lies inside.
            Packing::Raw => Ok(Cow::Borrowed(self.bytes.get(start as usize..end as usize).unwrap_or(&[]))),
            Packing::Blocks { .. } => self.decode_blocks(row, start, end).map(Cow::Owned),
            Packing::Rows { .. } => {
                let stored = self.stored(row)?;
                if stored.len() as u64 == end - start {
                    return Ok(Cow::Borrowed(stored));
                }
                let mut raw = vec![0; (end - start) as usize];
                let decoded = Decoder::new(self.dictionary).and_then(|mut decoder| decoder.decode(stored, &mut raw));
                decoded.map_err(|e| self.named(e))?;
                Ok(Cow::Owned(raw))
            }
        }
    }

    fn bad(&self, row: usize, problem: impl Into<String>) -> Error {
        self.named(Error::invalid(format!("section {:?}, row {row}", self.name), problem, REBUILD))
    }

    /// An error with the path of the column's file.
    pub(super) fn named(&self, error: Error) -> Error {
        self.origin.name(error)
    }

    /// Where a row lies in the raw bytes; never beyond their end.
    fn range(&self, row: usize) -> Result<Range<u64>> {
        let (Some(&start), Some(&end)) = (self.offsets.get(row), self.offsets.get(row.wrapping_add(1))) else {
            return Err(self.bad(row, format!("there are {} rows", self.len())));
        };
        if start > end || end > self.raw_length {
            return Err(self.bad(row, "its offsets are damaged"));
        }
        Ok(start..end)
    }

    /// How many bytes a row has. Decodes nothing.
    ///
    /// # Errors
    /// Where the row does not exist, or its offsets are damaged.
    pub fn row_length(&self, row: usize) -> Result<usize> {
        self.range(row).map(|range| (range.end - range.start) as usize)
    }

    /// The bytes that have to be in memory before the row can be read, for
    /// [`advise_bytes`](crate::container::Container::advise_bytes): the row, its frame, or the frames of its blocks.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn stored(&self, row: usize) -> Result<&'a [u8]> {
        let Range { start, end } = self.range(row)?;
        let longest = if self.has_compressed_rows() { u64::from(layout::ROW_LENGTH) } else { u64::MAX };
        let starts = match self.packing {
            Packing::Raw => return Ok(self.bytes.get(start as usize..end as usize).unwrap_or(&[])),
            Packing::Blocks { starts } => {
                let block = u64::from(layout::BLOCK_LENGTH);
                let (first, last) = ((start / block) as usize, end.div_ceil(block) as usize);
                starts.get(first).zip(starts.get(last.max(first)))
            }
            Packing::Rows { starts } => starts.get(row).zip(starts.get(row.wrapping_add(1))),
        };
        let stored =
            starts.and_then(|(&from, &to)| self.bytes.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?));
        let stored = stored.ok_or_else(|| self.bad(row, "lies outside its section"))?;
        // Never allocates more than the stored bytes can decode to.
        if end - start > (stored.len() as u64).saturating_mul(rows::MOST_FOR_A_BYTE).min(longest) {
            return Err(self.bad(row, "its offsets are damaged"));
        }
        Ok(stored)
    }

    /// Asks the system to read rows, and what lies around them, before they are read one after another: a cold file then has many of them
    /// on the way at the same time. [`RowReader::batch`] does so itself. Costs some nanoseconds a row where that was asked before.
    ///
    /// Does nothing for bytes in memory, and where the whole file takes more than half of the memory that is left. Rows that do not exist
    /// are left out.
    pub fn read_ahead(&self, rows: impl Iterator<Item = usize> + Clone) {
        let Some(map) = self.map else { return };
        // Where they lie has to be read first.
        map.ahead(
            rows.clone().map(|row| bytemuck::cast_slice(self.offsets.get(row..row.saturating_add(2)).unwrap_or(&[]))),
        );
        match self.packing {
            Packing::Raw => {}
            Packing::Rows { starts } => {
                map.ahead(
                    rows.clone().map(|row| bytemuck::cast_slice(starts.get(row..row.saturating_add(2)).unwrap_or(&[]))),
                );
            }
            Packing::Blocks { starts } => map.ahead(std::iter::once(bytemuck::cast_slice(starts))),
        }
        map.ahead(rows.filter_map(|row| self.stored(row).ok()));
    }

    /// The dictionary that rows were compressed with; empty where there is none.
    pub(crate) fn dictionary(&self) -> &'a [u8] {
        self.dictionary
    }

    /// True where each row is compressed on its own.
    pub(super) fn has_compressed_rows(&self) -> bool {
        matches!(self.packing, Packing::Rows { .. })
    }

    /// A reader with a decoder and a buffer of its own: for many rows, and for batches.
    ///
    /// # Errors
    /// Where the column's dictionary is damaged.
    pub fn reader(&self) -> Result<RowReader<'a>> {
        RowReader::new(*self)
    }

    fn decode_blocks(&self, row: usize, start: u64, end: u64) -> Result<Vec<u8>> {
        let block = u64::from(layout::BLOCK_LENGTH);
        let mut out = Vec::new();
        let mut at = start;
        while at < end {
            let raw = self.block((at / block) as usize)?;
            let from = (at % block) as usize;
            let to = raw.len().min((end - (at - at % block)).min(block) as usize);
            let Some(piece) = raw.get(from..to).filter(|p| !p.is_empty()) else {
                return Err(self.bad(row, "its block is damaged"));
            };
            out.extend_from_slice(piece);
            at += piece.len() as u64;
        }
        Ok(out)
    }

    /// The text of a row; bytes that are not UTF-8 are an error.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn text(&self, row: usize) -> Result<Cow<'a, str>> {
        let bad = |()| self.bad(row, "is not UTF-8");
        match self.get(row)? {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| bad(())),
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| bad(())),
        }
    }

    fn block(&self, number: usize) -> Result<Vec<u8>> {
        let part = || format!("section {:?}, block {number}", self.name);
        let bad = || self.named(Error::invalid(part(), "lies outside its section", REBUILD));
        let Packing::Blocks { starts } = self.packing else { return Err(bad()) };
        let (Some(&from), Some(&to)) = (starts.get(number), starts.get(number + 1)) else { return Err(bad()) };
        let frame = usize::try_from(from)
            .ok()
            .zip(usize::try_from(to).ok())
            .and_then(|(a, b)| self.bytes.get(a..b))
            .ok_or_else(bad)?;
        let block = u64::from(layout::BLOCK_LENGTH);
        let raw = (self.raw_length - number as u64 * block).min(block);
        codec::decompress(frame, raw as usize).map_err(|e| self.named(e))
    }

    /// Checks that the offsets start at 0, never decrease and end where the bytes end.
    ///
    /// # Errors
    /// Where they do not. Reads all of them.
    pub fn check_offsets(&self) -> Result<()> {
        let ends = (self.offsets.first().copied(), self.offsets.last().copied());
        if ends == (Some(0), Some(self.raw_length)) && self.offsets.is_sorted() {
            return Ok(());
        }
        let problem = format!("its offsets do not rise from 0 to {}", self.raw_length);
        Err(self.named(Error::invalid(format!("section {:?}", self.name), problem, REBUILD)))
    }

    /// Calls `each` with every row in order, decoding each block once.
    ///
    /// # Errors
    /// As [`get`](Self::get); stops at the first error.
    pub fn for_each(&self, mut each: impl FnMut(usize, &[u8]) -> Result<()>) -> Result<()> {
        let Packing::Blocks { starts: blocks } = self.packing else {
            let mut reader = self.reader()?;
            return (0..self.len()).try_for_each(|row| each(row, reader.get(row)?));
        };
        let bad = |row| self.bad(row, "its offsets are damaged");
        let mut window: Vec<u8> = Vec::new();
        let mut window_start = 0u64;
        let mut next_block = 0;
        for (row, pair) in self.offsets.windows(2).enumerate() {
            let (start, end) = (pair[0], pair[1]);
            if start > end || end > self.raw_length || start < window_start {
                return Err(bad(row));
            }
            while window_start + (window.len() as u64) < end {
                let drop = ((start - window_start) as usize).min(window.len());
                window.drain(..drop);
                window_start += drop as u64;
                if next_block + 1 >= blocks.len() {
                    return Err(bad(row));
                }
                window.extend_from_slice(&self.block(next_block)?);
                next_block += 1;
            }
            let from = (start - window_start) as usize;
            each(row, window.get(from..from + (end - start) as usize).ok_or_else(|| bad(row))?)?;
        }
        Ok(())
    }
}

/// Writes a ragged column, compressed in blocks or raw.
///
/// # Errors
/// Where the output can't be written.
pub fn write_ragged<W: Write + Seek>(
    out: &mut ContainerWriter<W>,
    name: &str,
    rows: impl IntoIterator<Item = impl AsRef<[u8]>>,
    compress: bool,
) -> Result<()> {
    let (mut offsets, mut bytes) = (vec![0u64], Vec::new());
    for row in rows {
        bytes.extend_from_slice(row.as_ref());
        offsets.push(bytes.len() as u64);
    }
    out.raw(name, Kind::Offsets, ElementType::U64, 0, bytemuck::cast_slice(&offsets))?;
    let mut section = out.begin_bytes(name, compress)?;
    out.append_bytes(&mut section, &bytes)?;
    out.end_bytes(section)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn rows_come_back_raw_and_compressed() {
        let rows: Vec<Vec<u8>> =
            (0..5000usize).map(|i| vec![(i % 251) as u8; (i * 7) % 97]).chain([vec![7; 200_000], vec![]]).collect();
        for compress in [false, true] {
            let mut out = ContainerWriter::new(Cursor::new(Vec::new()), 8).unwrap();
            write_ragged(&mut out, "x", &rows, compress).unwrap();
            let file = out.finish("test").unwrap().into_inner();
            let sections = Sections::parse(&file).unwrap();
            let layout = RaggedLayout::find(&sections, "x", rows.len() as u64).unwrap();
            let column = layout.over(&file);
            assert_eq!(column.len(), rows.len());
            for (i, row) in rows.iter().enumerate() {
                assert_eq!(&*column.get(i).unwrap(), row);
            }
            let mut seen = 0;
            column
                .for_each(|i, bytes| {
                    assert_eq!(bytes, rows[i]);
                    seen += 1;
                    Ok(())
                })
                .unwrap();
            assert_eq!(seen, rows.len());
            assert!(column.get(rows.len()).is_err());
            assert!(column.get(usize::MAX).is_err());
        }
    }
}
