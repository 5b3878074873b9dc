//! Tiles of a mapped PMTiles file, without copying and without locks.

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::directory::{DirectoryRef, Entry};
use super::header::Header;
use super::parts::{self, Bytes, MAX_DEPTH};
use crate::archive::ArchiveMetadata;
use crate::error::{Error, Result};
use crate::mmap::Mapped;
use crate::tile::{TileCoord, TileId};

/// Entries of leaf directories that are kept decoded: 224 to 256 MB.
const KEPT_ENTRIES: usize = 8 << 20;

/// A PMTiles archive in memory that all processes share, for services that answer single tiles.
///
/// Opening reads header, metadata and root directory. A leaf directory is decoded at the first look into it and then kept, up
/// to eight million entries (256 MB) in all; beyond that, further leaves are decoded again for each tile. Readers take no lock: a
/// leaf that is there is found by one atomic load, and only threads that want the same new leaf wait for each other.
///
/// ```no_run
/// use hypso::archive::pmtiles::TileReader;
/// use hypso::tile::TileCoord;
/// let reader = TileReader::open("japan.pmtiles")?;
/// let tile = TileCoord::new(12, 3626, 1615).expect("a tile of zoom 12");
/// if let Some(bytes) = reader.tile(tile)? {
///     println!("{} bytes of {}", bytes.len(), reader.metadata().format.name());
/// }
/// # Ok::<(), hypso::Error>(())
/// ```
#[derive(Debug)]
pub struct TileReader {
    map: Mapped,
    path: PathBuf,
    header: Header,
    metadata: ArchiveMetadata,
    root: Node,
    kept: AtomicUsize,
}

/// A decoded directory, and the leaves below it as far as it was read.
///
/// The cost of a look-up is the number of cache lines. So entries are found by a table over their identifiers, cut into as many equal pieces as there
/// are entries or more: one line of the table and one or two of the entries, where a binary search reads one for each step.
#[derive(Debug)]
struct Node {
    /// The first identifier.
    first: u64,
    /// The size of a piece, as a power of two.
    shift: u32,
    /// How many entries come before each piece, and at the end, how many there are.
    before: Vec<u32>,
    entries: Vec<Entry>,
    /// One for each entry where some entry is a leaf, else none.
    leaves: Vec<OnceLock<Box<Node>>>,
}

impl Node {
    fn new(entries: Vec<Entry>) -> Self {
        let count = if entries.iter().any(|entry| entry.run == 0) { entries.len() } else { 0 };
        let leaves = (0..count).map(|_| OnceLock::new()).collect();
        let (first, last) = (entries.first().map_or(0, |e| e.id), entries.last().map_or(0, |e| e.id));
        // Up to twice as many pieces as entries.
        let most = entries.len().next_power_of_two() as u64;
        let mut shift = 0;
        while (last - first) >> shift >= most {
            shift += 1;
        }
        let pieces = ((last - first) >> shift) as usize + 1;
        let mut before = Vec::with_capacity(pieces + 1);
        for (at, entry) in entries.iter().enumerate() {
            before.resize(((entry.id - first) >> shift) as usize + 1, at as u32);
        }
        before.resize(pieces + 1, entries.len() as u32);
        Self { first, shift, before, entries, leaves }
    }

    /// The number of the entry that may hold an identifier.
    #[inline]
    fn position(&self, id: u64) -> Option<usize> {
        let piece = (id.checked_sub(self.first)? >> self.shift).min(self.before.len() as u64 - 2) as usize;
        let (from, to) = (self.before[piece] as usize, self.before[piece + 1] as usize);
        (from + self.entries[from..to].partition_point(|entry| entry.id <= id)).checked_sub(1)
    }
}

impl TileReader {
    /// Maps an archive. As long as it is open, no process may write into the file or cut it; replacing it by a rename is fine,
    /// and leaves this reader with the old file.
    ///
    /// # Errors
    /// Where the file can't be read or is not a whole PMTiles archive of version 3.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (map, _) = Mapped::open(path, |facts| {
            let problem = if facts.is_dir() { "is a folder" } else { "is empty (0 bytes)" };
            if facts.is_dir() || facts.len() == 0 {
                return Err(Error::invalid("archive", problem, "give a PMTiles file").with_path(path));
            }
            Ok(())
        })?;
        Self::from_map(map, path).map_err(|error| error.with_path(path))
    }

    fn from_map(map: Mapped, path: &Path) -> Result<Self> {
        let (header, metadata, root) = parts::open(&map)?;
        Ok(Self { map, path: path.to_path_buf(), header, metadata, root: Node::new(root), kept: AtomicUsize::new(0) })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What the archive says about itself.
    #[must_use]
    pub fn metadata(&self) -> &ArchiveMetadata {
        &self.metadata
    }

    /// The bytes of a tile, as they lie in the file; `None` where the archive doesn't hold it.
    ///
    /// Costs a search in the root directory and one in a leaf; nothing is copied or allocated once the leaf was decoded.
    ///
    /// # Errors
    /// Where a directory is damaged or points outside of the file.
    pub fn tile(&self, tile: TileCoord) -> Result<Option<&[u8]>> {
        self.find(TileId::from(tile).0).map_err(|error| error.with_path(&self.path))
    }

    /// Where the bytes of a tile lie in [`bytes`](Self::bytes); `None` where the archive doesn't hold it. Costs what
    /// [`tile`](Self::tile) does.
    ///
    /// # Errors
    /// As [`tile`](Self::tile).
    pub fn locate(&self, tile: TileCoord) -> Result<Option<Range<usize>>> {
        let start = self.map.as_ref().as_ptr() as usize;
        Ok(self.tile(tile)?.map(|bytes| {
            let from = bytes.as_ptr() as usize - start;
            from..from + bytes.len()
        }))
    }

    /// The whole file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.map.as_ref()
    }

    /// Reads the file into memory where it has no more than so many bytes, or else the directories below the root where they have. Gives
    /// how many bytes were read.
    #[cfg(feature = "serve")]
    pub(crate) fn preload(&self, most: u64) -> u64 {
        let length = self.bytes().len();
        let leaves = self.header.leaf_offset..self.header.leaf_offset.saturating_add(self.header.leaf_length);
        let range = if length as u64 <= most {
            0..length
        } else if self.header.leaf_length <= most && leaves.end <= length as u64 {
            leaves.start as usize..leaves.end as usize
        } else {
            0..0
        };
        self.map.preload_beside(range.clone());
        range.len() as u64
    }

    /// The first tile of the archive; `None` where it holds none.
    ///
    /// # Errors
    /// As [`tile`](Self::tile).
    pub fn first_tile(&self) -> Result<Option<(TileCoord, &[u8])>> {
        let mut entry = self.root.entries.first().copied();
        for _ in 0..MAX_DEPTH {
            let Some(found) = entry else { return Ok(None) };
            if found.run > 0 {
                let bytes = self.content(found).map_err(|error| error.with_path(&self.path))?;
                return Ok(TileId(found.id).coord().map(|tile| (tile, bytes)));
            }
            entry = self.leaf(found, u64::MAX).map_err(|error| error.with_path(&self.path))?.first().copied();
        }
        Err(parts::too_deep().with_path(&self.path))
    }

    /// True where a range of tile identifiers holds a tile. Decodes up to one leaf directory a level.
    ///
    /// # Errors
    /// As [`tile`](Self::tile).
    pub fn holds_any(&self, ids: Range<u64>) -> Result<bool> {
        if ids.is_empty() {
            return Ok(false);
        }
        let (mut entries, mut end) = (Cow::Borrowed(&self.root.entries[..]), u64::MAX);
        for _ in 0..MAX_DEPTH {
            let behind = entries.partition_point(|entry| entry.id <= ids.start);
            let next = entries.get(behind).map(|entry| entry.id);
            // A leaf is never empty, and begins with the identifier that leads to it.
            if next.is_some_and(|next| next < ids.end) {
                return Ok(true);
            }
            let Some(&entry) = behind.checked_sub(1).and_then(|at| entries.get(at)) else { return Ok(false) };
            if entry.run > 0 {
                return Ok(ids.start < entry.end());
            }
            end = next.unwrap_or(end);
            entries = Cow::Owned(self.leaf(entry, end).map_err(|error| error.with_path(&self.path))?);
        }
        Err(parts::too_deep().with_path(&self.path))
    }

    fn find(&self, id: u64) -> Result<Option<&[u8]>> {
        let (mut node, mut end) = (&self.root, u64::MAX);
        for _ in 0..MAX_DEPTH {
            let Some(at) = node.position(id) else { return Ok(None) };
            let entry = node.entries[at];
            if entry.run > 0 {
                return if id < entry.end() { self.content(entry).map(Some) } else { Ok(None) };
            }
            end = node.entries.get(at + 1).map_or(end, |next| next.id);
            node = match node.leaves[at].get() {
                Some(leaf) => leaf,
                None => {
                    let entries = self.leaf(entry, end)?;
                    if self.kept.fetch_add(entries.len(), Ordering::Relaxed) + entries.len() > KEPT_ENTRIES {
                        self.kept.fetch_sub(entries.len(), Ordering::Relaxed);
                        return self.find_below(Node::new(entries), id, end);
                    }
                    // Another thread may have been faster; then this leaf is dropped.
                    node.leaves[at].get_or_init(|| Box::new(Node::new(entries)))
                }
            };
        }
        Err(parts::too_deep())
    }

    /// As [`find`](Self::find), through directories that are not kept.
    fn find_below(&self, mut node: Node, id: u64, mut end: u64) -> Result<Option<&[u8]>> {
        for _ in 0..MAX_DEPTH {
            let Some(at) = node.position(id) else { return Ok(None) };
            let entry = node.entries[at];
            if entry.run > 0 {
                return if id < entry.end() { self.content(entry).map(Some) } else { Ok(None) };
            }
            end = node.entries.get(at + 1).map_or(end, |next| next.id);
            node = Node::new(self.leaf(entry, end)?);
        }
        Err(parts::too_deep())
    }

    fn leaf(&self, entry: Entry, end: u64) -> Result<Vec<Entry>> {
        parts::leaf(&self.map, &self.header, DirectoryRef::of(entry, end))
    }

    fn content(&self, entry: Entry) -> Result<&[u8]> {
        let start = self.header.content_start(entry.id, entry.offset, entry.len)?;
        section(self.map.as_ref(), start, u64::from(entry.len), "tile")
    }
}

fn section<'a>(bytes: &'a [u8], offset: u64, len: u64, part: &str) -> Result<&'a [u8]> {
    let range = usize::try_from(offset).ok().zip(offset.checked_add(len).and_then(|end| usize::try_from(end).ok()));
    range.and_then(|(start, end)| bytes.get(start..end)).ok_or_else(|| {
        let problem = format!("lies at byte {offset} with {len} bytes, but the file has {} bytes", bytes.len());
        Error::invalid(part, problem, "the file is truncated or damaged: copy or make it again")
    })
}

impl Bytes for Mapped {
    fn len(&self) -> u64 {
        self.as_ref().len() as u64
    }

    fn read(&self, offset: u64, len: u64, _: u64, part: &str) -> Result<Vec<u8>> {
        section(self.as_ref(), offset, len, part).map(<[u8]>::to_vec)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_node_finds_what_a_search_finds(
            gaps in prop::collection::vec(prop_oneof![1u64..4, 1u64..1 << 45], 0..200),
            start in 0u64..1000,
            looks in prop::collection::vec(any::<u64>(), 50),
        ) {
            let ids: Vec<u64> = gaps.iter().scan(start, |id, gap| { *id += gap; Some(*id) }).collect();
            let entries = ids.iter().map(|&id| Entry { id, offset: 0, len: 1, run: 1 }).collect();
            let node = Node::new(entries);
            prop_assert!(node.before.len() <= 2 * ids.len().max(1) + 2);
            let near = ids.iter().flat_map(|&id| [id - 1, id, id + 1]);
            let far = looks.iter().map(|&look| look % (2 * ids.last().unwrap_or(&9)));
            for id in near.chain(far).chain(looks.iter().copied()) {
                prop_assert_eq!(node.position(id), ids.partition_point(|&first| first <= id).checked_sub(1));
            }
        }
    }
}
