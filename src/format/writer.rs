//! Writing a container: sections one after another or several side by side, header and table last.

use std::io::{Seek, SeekFrom, Write};

use super::checksum::{Checksum, checksum};
use super::rows::{self, Encoder};
use super::sections::encode_start;
use super::{Codec, ElementType, Kind, SectionEntry, codec, layout};
use crate::error::{Error, Result};

/// Writes sections in order to any `Write + Seek`. Holds nothing but the table.
///
/// The start of the output stays zero until [`finish`](Self::finish), so that half a file is never taken for a whole
/// one. The writer does not sync or rename; [`store::write_file`](crate::store::write_file) does.
#[derive(Debug)]
pub struct ContainerWriter<W> {
    out: W,
    /// Where the output stands.
    at: u64,
    /// Where the next section may start.
    position: u64,
    capacity: usize,
    entries: Vec<SectionEntry>,
    /// Sections that were begun and are not finished.
    open: usize,
    /// One of them has no known end, so that no other may begin.
    endless: bool,
}

/// A raw section that is written piece by piece, while others are: see [`ContainerWriter::begin_raw`].
#[derive(Debug)]
pub struct RawSection {
    entry: usize,
    element: ElementType,
    next: u64,
    end: u64,
    checksum: Checksum,
    buffer: Vec<u8>,
}

/// The bytes of a ragged column, compressed block by block or row by row: see [`ContainerWriter::begin_bytes`] and
/// [`ContainerWriter::begin_rows`].
#[derive(Debug)]
pub struct BytesSection {
    entry: usize,
    name: String,
    raw_length: u64,
    checksum: Checksum,
    /// Raw bytes that are not a whole block yet, and stored ones that are not written yet.
    buffer: Vec<u8>,
    stored: Vec<u8>,
    /// Where each frame starts; `None` where bytes stay as they are.
    starts: Option<Vec<u64>>,
    /// Compresses rows; `None` where blocks are compressed, or nothing.
    rows: Option<Encoder>,
}

/// Sections are written up to the next multiple of this: where a file system caches what is written at once in one
/// large page (ext4 and XFS on Linux do), maps of the file use large pages as well, and random reads wait less for
/// address translation.
const PIECE: u64 = 2 << 20;

/// Raw bytes of a compressed block.
const BLOCK: usize = layout::BLOCK_LENGTH as usize;

/// Bytes from `offset` to the end of its piece.
fn rest_of_piece(offset: u64) -> usize {
    (PIECE - offset % PIECE) as usize
}

impl<W: Write + Seek> ContainerWriter<W> {
    /// Starts a container with room for `capacity` sections in its table.
    ///
    /// # Errors
    /// Where that is more than a reader accepts, or the output can't be written.
    pub fn new(mut out: W, capacity: usize) -> Result<Self> {
        if capacity > layout::MAX_SECTIONS as usize {
            let problem = format!("{capacity} sections asked for, at most {} are possible", layout::MAX_SECTIONS);
            return Err(Error::argument("section table", problem));
        }
        let table_end = (layout::TABLE_OFFSET + capacity * layout::ENTRY_LENGTH) as u64;
        let start = table_end.next_multiple_of(layout::PAGE);
        out.seek(SeekFrom::Start(0)).map_err(failed)?;
        out.write_all(&vec![0; start as usize]).map_err(failed)?;
        Ok(Self { out, at: start, position: start, capacity, entries: Vec::new(), open: 0, endless: false })
    }

    /// Writes one raw section from its little-endian bytes.
    ///
    /// # Errors
    /// Where the name is longer than 24 bytes, the table is full, or the output can't be written.
    pub fn raw(&mut self, name: &str, kind: Kind, element: ElementType, parameter: u32, bytes: &[u8]) -> Result<()> {
        let count = bytes.len() as u64 / element.size();
        let at = self.begin(name, kind, element, Codec::Raw, parameter)?;
        self.write_at(self.position, bytes)?;
        self.end(at, bytes.len() as u64, count, checksum(bytes));
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Begins a raw section of exactly `count` elements, which is then filled with [`append`](Self::append) while
    /// others are written; [`end_raw`](Self::end_raw) ends it.
    ///
    /// # Errors
    /// As [`raw`](Self::raw).
    pub fn begin_raw(
        &mut self,
        name: &str,
        kind: Kind,
        element: ElementType,
        parameter: u32,
        count: u64,
    ) -> Result<RawSection> {
        let length = count.checked_mul(element.size()).filter(|length| *length < 1 << 62);
        let Some(length) = length else { return Err(Error::argument(name, format!("{count} elements are too many"))) };
        let entry = self.begin(name, kind, element, Codec::Raw, parameter)?;
        let start = self.position;
        self.position += length;
        self.open += 1;
        let (next, end) = (start, self.position);
        Ok(RawSection { entry, element, next, end, checksum: Checksum::default(), buffer: Vec::new() })
    }

    /// Adds little-endian bytes to a section.
    ///
    /// # Errors
    /// Where they are more than the section was begun for, or the output can't be written.
    pub fn append(&mut self, section: &mut RawSection, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = rest_of_piece(section.next);
            let (now, later) = rest.split_at(rest.len().min(piece - section.buffer.len()));
            section.buffer.extend_from_slice(now);
            if section.buffer.len() == piece {
                self.flush_raw(section, piece)?;
            }
            rest = later;
        }
        Ok(())
    }

    fn flush_raw(&mut self, section: &mut RawSection, length: usize) -> Result<()> {
        if length as u64 > section.end - section.next {
            return Err(Error::argument("section", "got more elements than it was begun for"));
        }
        section.checksum.update(&section.buffer[..length]);
        self.write_at(section.next, &section.buffer[..length])?;
        section.next += length as u64;
        section.buffer.drain(..length);
        Ok(())
    }

    /// Ends a section that [`begin_raw`](Self::begin_raw) began.
    ///
    /// # Errors
    /// Where elements are missing, or the output can't be written.
    pub fn end_raw(&mut self, mut section: RawSection) -> Result<()> {
        let rest = section.buffer.len();
        self.flush_raw(&mut section, rest)?;
        if section.next != section.end {
            return Err(Error::argument("section", "got fewer elements than it was begun for"));
        }
        let entry = &self.entries[section.entry];
        let length = section.end - entry.offset();
        self.end(section.entry, length, length / section.element.size(), section.checksum.digest());
        self.open -= 1;
        Ok(())
    }

    /// Begins the bytes of a ragged column. They are the last section of the file until
    /// [`end_bytes`](Self::end_bytes) ends them: no other may begin, but those that were begun earlier can still be filled.
    ///
    /// `compress` cuts them into compressed blocks; a build that can't compress writes them raw.
    ///
    /// # Errors
    /// As [`raw`](Self::raw).
    pub fn begin_bytes(&mut self, name: &str, compress: bool) -> Result<BytesSection> {
        let compress = compress && codec::compress(&[]).is_some();
        let (codec, parameter) = if compress { (Codec::ZstdBlocks, layout::BLOCK_LENGTH) } else { (Codec::Raw, 0) };
        self.begin_endless(name, codec, parameter, None)
    }

    /// The same, with rows that are compressed one by one, each by one call of [`append_bytes`](Self::append_bytes), so that
    /// reading one decodes no other. `level` is Zstandard's, 1 to 22. A `dictionary` that is not empty, see
    /// [`rows::train`], is written before the bytes; readers need it. A build that can't compress writes raw bytes.
    ///
    /// # Errors
    /// As [`raw`](Self::raw), and where the dictionary is malformed.
    pub fn begin_rows(&mut self, name: &str, level: i32, dictionary: &[u8]) -> Result<BytesSection> {
        let Some(encoder) = rows::encoder(level, dictionary)? else { return self.begin_bytes(name, false) };
        if !dictionary.is_empty() {
            // Readers have to be able to use it.
            rows::Decoder::new(dictionary)?;
            self.raw(name, Kind::ZstdDictionary, ElementType::U8, 0, dictionary)?;
        }
        self.begin_endless(name, Codec::ZstdRows, 0, Some(encoder))
    }

    fn begin_endless(
        &mut self,
        name: &str,
        codec: Codec,
        parameter: u32,
        rows: Option<Encoder>,
    ) -> Result<BytesSection> {
        let entry = self.begin(name, Kind::Bytes, ElementType::U8, codec, parameter)?;
        self.open += 1;
        self.endless = true;
        Ok(BytesSection {
            entry,
            name: name.to_string(),
            raw_length: 0,
            checksum: Checksum::default(),
            buffer: Vec::new(),
            stored: Vec::new(),
            starts: (codec != Codec::Raw).then(|| vec![0]),
            rows,
        })
    }

    /// Adds bytes to the section that [`begin_bytes`](Self::begin_bytes) began, or a row to one of
    /// [`begin_rows`](Self::begin_rows).
    ///
    /// # Errors
    /// Where the output can't be written, or a block can't be compressed.
    pub fn append_bytes(&mut self, section: &mut BytesSection, bytes: &[u8]) -> Result<()> {
        if section.starts.is_none() {
            section.raw_length += bytes.len() as u64;
            return self.store_bytes(section, bytes);
        }
        if let Some(encoder) = &mut section.rows {
            if bytes.len() > layout::ROW_LENGTH as usize {
                let problem = format!(
                    "has {} bytes, at most {} can be compressed as one; compress blocks instead",
                    bytes.len(),
                    layout::ROW_LENGTH
                );
                return Err(Error::argument(&section.name, format!("a row {problem}")));
            }
            let stored = encoder.encode(bytes)?;
            return self.store_frame(section, bytes.len(), &stored);
        }
        section.buffer.extend_from_slice(bytes);
        let mut done = 0;
        while section.buffer.len() - done >= BLOCK {
            let block = section.buffer[done..done + BLOCK].to_vec();
            self.compress_block(section, &block)?;
            done += BLOCK;
        }
        section.buffer.drain(..done);
        Ok(())
    }

    fn compress_block(&mut self, section: &mut BytesSection, block: &[u8]) -> Result<()> {
        let frame = codec::compress(block).ok_or_else(|| Error::internal("a block can't be compressed"))?;
        self.store_frame(section, block.len(), &frame)
    }

    fn store_frame(&mut self, section: &mut BytesSection, raw_length: usize, frame: &[u8]) -> Result<()> {
        if let Some(starts) = &mut section.starts {
            starts.push(starts.last().copied().unwrap_or(0) + frame.len() as u64);
        }
        section.raw_length += raw_length as u64;
        self.store_bytes(section, frame)
    }

    fn store_bytes(&mut self, section: &mut BytesSection, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = rest_of_piece(self.position);
            let (now, later) = rest.split_at(rest.len().min(piece - section.stored.len()));
            section.stored.extend_from_slice(now);
            if section.stored.len() == piece {
                self.flush_bytes(section, piece)?;
            }
            rest = later;
        }
        Ok(())
    }

    fn flush_bytes(&mut self, section: &mut BytesSection, length: usize) -> Result<()> {
        section.checksum.update(&section.stored[..length]);
        self.write_at(self.position, &section.stored[..length])?;
        self.position += length as u64;
        section.stored.drain(..length);
        Ok(())
    }

    /// Ends the bytes of a ragged column and writes the section of kind `Blocks` that finds compressed blocks or rows.
    ///
    /// # Errors
    /// Where the output can't be written.
    pub fn end_bytes(&mut self, mut section: BytesSection) -> Result<()> {
        if !section.buffer.is_empty() {
            let block = std::mem::take(&mut section.buffer);
            self.compress_block(&mut section, &block)?;
        }
        let rest = section.stored.len();
        self.flush_bytes(&mut section, rest)?;
        let length = self.position - self.entries[section.entry].offset();
        self.open -= 1;
        self.endless = false;
        if section.raw_length == 0 {
            // An empty section is raw.
            self.entries[section.entry].set_codec(Codec::Raw, 0);
            section.starts = None;
        }
        self.end(section.entry, length, section.raw_length, section.checksum.digest());
        match section.starts {
            Some(starts) => self.raw(&section.name, Kind::Blocks, ElementType::U64, 0, bytemuck::cast_slice(&starts)),
            None => Ok(()),
        }
    }

    fn begin(&mut self, name: &str, kind: Kind, element: ElementType, codec: Codec, parameter: u32) -> Result<usize> {
        if name.is_empty() || name.len() > layout::NAME_LENGTH || name.contains('\0') {
            return Err(Error::argument(
                "section name",
                format!("{name:?} must have 1 to {} bytes, none of them zero", layout::NAME_LENGTH),
            ));
        }
        if self.entries.iter().any(|e| e.is(name, kind)) {
            return Err(Error::argument(
                "section name",
                format!("{name:?} is used twice for the same kind of section"),
            ));
        }
        if self.endless {
            let problem = "can't begin before the bytes of the last ragged column end";
            return Err(Error::argument("section", format!("{name:?} {problem}")));
        }
        if self.entries.len() == self.capacity {
            return Err(Error::argument(
                "section table",
                format!("has room for {} sections; ask for more", self.capacity),
            ));
        }
        let offset = self.position.next_multiple_of(layout::SECTION_ALIGNMENT);
        let padding = [0; layout::SECTION_ALIGNMENT as usize];
        self.write_at(self.position, &padding[..(offset - self.position) as usize])?;
        self.position = offset;
        self.entries.push(SectionEntry::new(name, kind, element, codec, parameter, offset));
        Ok(self.entries.len() - 1)
    }

    fn end(&mut self, entry: usize, length: u64, count: u64, sum: u64) {
        self.entries[entry].close(length, count, sum);
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.at != offset {
            self.out.seek(SeekFrom::Start(offset)).map_err(failed)?;
        }
        self.out.write_all(bytes).map_err(failed)?;
        self.at = offset + bytes.len() as u64;
        Ok(())
    }

    /// Writes table and header and gives the output back.
    ///
    /// # Errors
    /// Where a section was begun and not ended, the schema's name is empty or longer than 16 bytes, or the output can't
    /// be written.
    pub fn finish(mut self, schema: &str) -> Result<W> {
        if self.open > 0 {
            return Err(Error::argument("container", "has sections that were begun and not ended"));
        }
        if schema.is_empty() || schema.len() > layout::SCHEMA_LENGTH || schema.contains('\0') {
            let problem = format!("{schema:?} must have 1 to {} bytes, none of them zero", layout::SCHEMA_LENGTH);
            return Err(Error::argument("schema", problem));
        }
        let start = encode_start(schema, self.position, &self.entries);
        self.out.seek(SeekFrom::Start(0)).map_err(failed)?;
        self.out.write_all(&start).map_err(failed)?;
        self.out.flush().map_err(failed)?;
        Ok(self.out)
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::Io { path: "the new store".into(), action: "write", source: error }
}
