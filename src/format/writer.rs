//! Writing a container: sections one after another, header and table last.

use std::io::{Seek, SeekFrom, Write};

use super::checksum::{Checksum, checksum};
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
    position: u64,
    capacity: usize,
    entries: Vec<SectionEntry>,
}

impl<W: Write + Seek> ContainerWriter<W> {
    /// Starts a container with room for `capacity` sections in its table.
    ///
    /// # Errors
    /// Where the output can't be written.
    pub fn new(mut out: W, capacity: usize) -> Result<Self> {
        let table_end = (layout::TABLE_OFFSET + capacity * layout::ENTRY_LENGTH) as u64;
        let start = table_end.next_multiple_of(layout::PAGE);
        out.seek(SeekFrom::Start(0)).map_err(failed)?;
        out.write_all(&vec![0; start as usize]).map_err(failed)?;
        Ok(Self { out, position: start, capacity, entries: Vec::new() })
    }

    /// Writes one raw section from its little-endian bytes.
    ///
    /// # Errors
    /// Where the name is longer than 24 bytes, the table is full, or the output can't be written.
    pub fn raw(&mut self, name: &str, kind: Kind, element: ElementType, parameter: u32, bytes: &[u8]) -> Result<()> {
        let offset = self.begin(name)?;
        self.out.write_all(bytes).map_err(failed)?;
        self.position += bytes.len() as u64;
        let count = bytes.len() as u64 / element.size();
        let sum = checksum(bytes);
        self.entries.push(SectionEntry::new(
            name,
            kind,
            element,
            Codec::Raw,
            parameter,
            offset,
            bytes.len() as u64,
            count,
            sum,
        ));
        Ok(())
    }

    /// Writes the bytes of a ragged column in compressed blocks, and the section of kind `Blocks` that finds them.
    /// A build that can't compress writes them raw.
    ///
    /// # Errors
    /// As [`raw`](Self::raw).
    pub fn compressed(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut starts = vec![0u64];
        let mut sum = Checksum::default();
        let mut frames = Vec::new();
        for block in bytes.chunks(layout::BLOCK_LENGTH as usize) {
            let Some(frame) = codec::compress(block) else {
                return self.raw(name, Kind::Bytes, ElementType::U8, 0, bytes);
            };
            sum.update(&frame);
            frames.extend_from_slice(&frame);
            starts.push(frames.len() as u64);
        }
        let offset = self.begin(name)?;
        self.out.write_all(&frames).map_err(failed)?;
        self.position += frames.len() as u64;
        self.entries.push(SectionEntry::new(
            name,
            Kind::Bytes,
            ElementType::U8,
            Codec::ZstdBlocks,
            layout::BLOCK_LENGTH,
            offset,
            frames.len() as u64,
            bytes.len() as u64,
            sum.digest(),
        ));
        self.raw(name, Kind::Blocks, ElementType::U64, 0, bytemuck::cast_slice(&starts))
    }

    fn begin(&mut self, name: &str) -> Result<u64> {
        if name.is_empty() || name.len() > layout::NAME_LENGTH {
            return Err(Error::argument(
                "section name",
                format!("{name:?} must have 1 to {} bytes", layout::NAME_LENGTH),
            ));
        }
        if self.entries.len() == self.capacity {
            return Err(Error::argument(
                "section table",
                format!("has room for {} sections; ask for more", self.capacity),
            ));
        }
        let offset = self.position.next_multiple_of(layout::SECTION_ALIGNMENT);
        let padding = [0; layout::SECTION_ALIGNMENT as usize];
        self.out.write_all(&padding[..(offset - self.position) as usize]).map_err(failed)?;
        self.position = offset;
        Ok(offset)
    }

    /// Writes table and header and gives the output back.
    ///
    /// # Errors
    /// Where the output can't be written.
    pub fn finish(mut self, schema: &str) -> Result<W> {
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
