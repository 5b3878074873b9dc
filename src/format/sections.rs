//! Opening: the section table, checked once, and typed views of sections.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use zerocopy::{FromBytes, IntoBytes};

use super::header::REBUILD;
use super::{Codec, ElementType, Header, Kind, SectionEntry, checksum, layout};
use crate::error::{Error, Result};

/// What to do where a section is not there, or another one than was asked for.
const ANOTHER: &str = "ask for another one, or build the file again from its sources";

/// The checked table of a file. Holds no data, only where it lies.
#[derive(Debug, Clone)]
pub struct Sections {
    header: Header,
    entries: Vec<SectionEntry>,
    origin: Origin,
}

/// Where the bytes of a file came from, so that every error about them can say it: all that is found by a table of sections keeps
/// the table's. Nothing for bytes in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin(Option<Arc<Path>>);

impl Origin {
    /// The file.
    #[must_use]
    pub(crate) fn path(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    /// An error with the path of the file.
    #[must_use]
    pub(crate) fn name(&self, error: Error) -> Error {
        match self.path() {
            Some(path) => error.with_path(path),
            None => error,
        }
    }
}

impl Sections {
    /// Reads and checks header and table of a whole file. Touches nothing but the first page or two; section
    /// checksums wait for `verify`.
    ///
    /// After this, every section of a known type lies inside the file, aligned, and its stored length fits its count.
    ///
    /// # Errors
    /// Where the bytes are no store, of a newer major version, cut off, altered or contradictory.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if cfg!(target_endian = "big") {
            return Err(Error::limit("hypso stores can only be mapped on little-endian machines"));
        }
        let header = Header::parse(bytes)?;
        let bad = |problem: String| Error::invalid("section table", problem, REBUILD);
        let end = layout::TABLE_OFFSET + header.section_count() * layout::ENTRY_LENGTH;
        let table = bytes.get(layout::TABLE_OFFSET..end).ok_or_else(|| bad("lies outside the file".into()))?;
        let computed = checksum::checksum(table);
        if computed != header.table_checksum() {
            let found = header.table_checksum();
            return Err(bad(format!("checksum is {computed:016x}, the header says {found:016x}: it was altered")));
        }
        let entries = <[SectionEntry]>::ref_from_bytes(table).map_err(|_| bad("can't be read".into()))?.to_vec();
        let mut previous_end = end as u64;
        for entry in &entries {
            check_entry(entry, previous_end, bytes.len() as u64)?;
            previous_end = entry.offset() + entry.length();
        }
        let mut names: Vec<_> = entries.iter().map(|e| (e.name(), e.kind_number())).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(bad(format!("lists {:?} twice", pair[0].0)));
        }
        Ok(Self { header, entries, origin: Origin::default() })
    }

    /// The same table as that of a file: errors about its sections, and about all that is found by them, name the file.
    #[must_use]
    pub(crate) fn of_file(mut self, path: &Path) -> Self {
        self.origin = Origin(Some(Arc::from(path)));
        self
    }

    /// The file that the sections lie in.
    #[must_use]
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// All entries in file order.
    #[must_use]
    pub fn entries(&self) -> &[SectionEntry] {
        &self.entries
    }

    /// The entry with this name and kind.
    #[must_use]
    pub fn find(&self, name: &str, kind: Kind) -> Option<&SectionEntry> {
        self.entries.iter().find(|e| e.is(name, kind))
    }

    /// The entry with this name and kind, with the type and the codec that the caller expects.
    ///
    /// # Errors
    /// Where there is none, or it has another type or codec.
    pub fn expect(&self, name: &str, kind: Kind, element: ElementType, codec: Codec) -> Result<&SectionEntry> {
        let bad = |problem: &str| self.origin.name(Error::invalid(format!("section {name:?}"), problem, ANOTHER));
        let entry = self.find(name, kind).ok_or_else(|| bad(&format!("is missing; {}", self.names(kind))))?;
        if entry.element() != Some(element) {
            let found = entry.element().map_or("another type", |found| found.name());
            return Err(bad(&format!("holds {found}, not {}", element.name())));
        }
        if entry.codec() != Some(codec) {
            return Err(bad("is stored with another codec than version 1 says"));
        }
        Ok(entry)
    }

    /// The sections of a kind, in words.
    fn names(&self, kind: Kind) -> String {
        const MOST: usize = 64;
        let names: Vec<_> = self.entries.iter().filter(|e| e.kind_number() == kind as u8).map(|e| e.name()).collect();
        match names.len() {
            0 => "there are none of this kind".into(),
            n if n > MOST => format!("there are {} and {} more", names[..MOST].join(", "), n - MOST),
            _ => format!("there are {}", names.join(", ")),
        }
    }

    /// Header and table of the same file with other bytes in its last section, and where these start.
    ///
    /// # Errors
    /// Where the last section has another name or kind.
    #[cfg(feature = "engine")]
    pub(crate) fn with_last(&self, name: &str, kind: Kind, bytes: &[u8]) -> Result<(Vec<u8>, u64)> {
        let mut entries = self.entries.clone();
        let Some(last) = entries.last_mut().filter(|last| last.is(name, kind)) else {
            let problem = "is not the last one, where it could be exchanged";
            return Err(self.origin.name(Error::invalid(format!("section {name:?}"), problem, REBUILD)));
        };
        last.close(bytes.len() as u64, bytes.len() as u64, checksum::checksum(bytes));
        let offset = last.offset();
        Ok((encode_start(&self.header.schema(), offset + bytes.len() as u64, &entries), offset))
    }

    /// Where a raw section with this type and exactly `count` elements lies (any number where `None`).
    ///
    /// # Errors
    /// As [`expect`](Self::expect), and where the number of elements is another.
    pub fn raw(&self, name: &str, kind: Kind, element: ElementType, count: Option<u64>) -> Result<Range<usize>> {
        let entry = self.expect(name, kind, element, Codec::Raw)?;
        if let Some(count) = count.filter(|&c| c != entry.count()) {
            let problem = format!("has {} elements, {count} expected", entry.count());
            return Err(self.origin.name(Error::invalid(format!("section {name:?}"), problem, REBUILD)));
        }
        Ok(byte_range(entry))
    }
}

/// The stored bytes of a checked entry as a range of the file.
pub(crate) fn byte_range(entry: &SectionEntry) -> Range<usize> {
    // `check_entry` held both ends against the file's length, which is a `usize`.
    entry.offset() as usize..(entry.offset() + entry.length()) as usize
}

fn check_entry(entry: &SectionEntry, previous_end: u64, file_length: u64) -> Result<()> {
    let name = entry.name();
    let bad = |problem: String| Err(Error::invalid(format!("section {name:?}"), problem, REBUILD));
    if name.is_empty() {
        return bad("has no name".into());
    }
    let Some(end) = entry.offset().checked_add(entry.length()).filter(|&end| end <= file_length) else {
        let (offset, length) = (entry.offset(), entry.length());
        return bad(format!("lies outside the file: {length} bytes at {offset}, the file has {file_length}"));
    };
    if !entry.offset().is_multiple_of(layout::SECTION_ALIGNMENT) {
        return bad(format!("starts at {}, which is no multiple of {}", entry.offset(), layout::SECTION_ALIGNMENT));
    }
    if entry.offset() < previous_end {
        return bad(format!("starts at {}, inside what lies before it (until {previous_end})", entry.offset()));
    }
    debug_assert!(end >= entry.offset());
    let (Some(element), Some(codec)) = (entry.element(), entry.codec()) else { return Ok(()) };
    match (codec, entry.count().checked_mul(element.size())) {
        (Codec::Raw, Some(raw)) if raw == entry.length() => Ok(()),
        (Codec::ZstdRows, Some(_)) if entry.parameter() == 0 => Ok(()),
        (Codec::ZstdRows, Some(_)) => bad(format!("has the parameter {}, 0 expected", entry.parameter())),
        (Codec::ZstdBlocks, Some(_)) if entry.parameter() == layout::BLOCK_LENGTH => Ok(()),
        (Codec::ZstdBlocks, Some(_)) => {
            bad(format!("has blocks of {} bytes, {} expected", entry.parameter(), layout::BLOCK_LENGTH))
        }
        _ => bad(format!(
            "has {} elements of {} bytes, but {} bytes are stored",
            entry.count(),
            element.size(),
            entry.length()
        )),
    }
}

/// Header and table as the writer puts them at the start of the file.
pub(super) fn encode_start(schema: &str, file_length: u64, entries: &[SectionEntry]) -> Vec<u8> {
    let table = entries.as_bytes();
    let header = Header::new(schema, file_length, entries.len() as u32, checksum::checksum(table));
    let mut out = header.as_bytes().to_vec();
    out.extend_from_slice(table);
    out
}
