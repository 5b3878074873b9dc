//! What every reader does with the parts of a file before its tiles, whether it reads or maps them.

use super::directory::{self, DirectoryRef, Entry};
use super::header::{HEADER_BYTES, Header};
use super::metadata;
use crate::archive::ArchiveMetadata;
use crate::error::{Error, Result};

/// The largest directory that is read, bytes: compressed and decompressed.
const DIRECTORY_CAP: u64 = 32 << 20;
/// The largest metadata that is read, bytes.
pub(super) const METADATA_CAP: u64 = 64 << 20;
/// How deep directories may be nested: root and three levels of leaves.
pub(super) const MAX_DEPTH: usize = 4;

const DAMAGED: &str = "the directory is damaged: make the archive again";

/// A file whose bytes are read by their place.
pub(super) trait Bytes {
    /// How many there are.
    fn len(&self) -> u64;

    /// `len` bytes from `offset` on; `part` names them in messages. Refused where they are more than `cap`.
    fn read(&self, offset: u64, len: u64, cap: u64, part: &str) -> Result<Vec<u8>>;

    /// Says that parts (offset and length) will be read next. They may lie outside of the file.
    fn soon(&self, _parts: Vec<(u64, u64)>) -> Result<()> {
        Ok(())
    }
}

/// Reads header, metadata and root directory. Zooms in the metadata are those of the tiles, whatever the header says: one leaf
/// directory is read for that.
pub(super) fn open(file: &impl Bytes) -> Result<(Header, ArchiveMetadata, Vec<Entry>)> {
    let header = Header::from_bytes(&file.read(0, file.len().min(HEADER_BYTES as u64), u64::MAX, "header")?)?;
    header.check_sections(file.len())?;
    let unpack = |offset, len, cap, part| -> Result<Vec<u8>> {
        header.internal_compression.unpack(file.read(offset, len, cap, part)?, cap, part)
    };
    let root = unpack(header.root_offset, header.root_length, DIRECTORY_CAP, "root directory")?;
    let root = directory::decode(&root, 0, u64::MAX, "root directory")?;
    let leaf_of = |entry: Option<&Entry>| {
        let entry = entry.filter(|entry| entry.run == 0)?;
        Some((header.leaf_offset.checked_add(entry.offset)?, u64::from(entry.len)))
    };
    let metadata = Some((header.metadata_offset, header.metadata_length));
    file.soon([metadata, leaf_of(root.first()), leaf_of(root.last())].into_iter().flatten().collect())?;
    let json = json(file, &header)?;
    let mut metadata = metadata::parse(&json, &header)?;
    let last_of = |entry| leaf(file, &header, DirectoryRef::of(entry, u64::MAX)).ok()?.last().copied();
    // A damaged directory is for the walk and for `verify` to find.
    if let Some((coarsest, finest)) = directory::zooms(&root, last_of) {
        (metadata.minzoom, metadata.maxzoom) = (Some(coarsest), Some(finest));
    }
    Ok((header, metadata, root))
}

/// Reads the metadata.
pub(super) fn json(file: &impl Bytes, header: &Header) -> Result<Vec<u8>> {
    if header.metadata_length == 0 {
        return Ok(Vec::new());
    }
    let bytes = file.read(header.metadata_offset, header.metadata_length, METADATA_CAP, "metadata")?;
    header.internal_compression.unpack(bytes, METADATA_CAP, "metadata")
}

/// Reads a leaf directory.
pub(super) fn leaf(file: &impl Bytes, header: &Header, place: DirectoryRef) -> Result<Vec<Entry>> {
    let part = format!("leaf directory at byte {}", place.offset);
    let inside = place.offset.checked_add(u64::from(place.len)).is_some_and(|end| end <= header.leaf_length);
    let start = header.leaf_offset.checked_add(place.offset).filter(|_| inside).ok_or_else(|| {
        let problem = format!("has {} bytes, but the leaf directories have {}", place.len, header.leaf_length);
        Error::invalid(&part, problem, DAMAGED)
    })?;
    let bytes = file.read(start, u64::from(place.len), DIRECTORY_CAP, &part)?;
    let bytes = header.internal_compression.unpack(bytes, DIRECTORY_CAP, &part)?;
    let entries = directory::decode(&bytes, place.first, place.end, &part)?;
    if entries.is_empty() {
        return Err(Error::invalid(&part, "is empty", DAMAGED));
    }
    Ok(entries)
}

/// What is wrong with leaves that lead to leaves without an end.
pub(super) fn too_deep() -> Error {
    Error::invalid(
        "leaf directories",
        format!("are nested deeper than {MAX_DEPTH} levels"),
        "the archive is damaged or made by a faulty program: make it again",
    )
}
