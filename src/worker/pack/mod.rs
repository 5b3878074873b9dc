//! Packs: the finished tiles of one unit in one file.
//!
//! Little-endian: the tiles; then the index (40 bytes a tile, in the order of zoom, Hilbert id and layer, with a hash of each tile),
//! the report (JSON), and a foot (magic, mark of run and unit, number of tiles, where the index begins, length of the report, checksum of
//! index and report). So one read of the end says all about it. Packs live for the length of a run and are read by the program that
//! wrote them alone; they are no exchange format.
//!
//! A pack is a file, or an object in a bucket. In files tiles lie as they are made; in objects by zoom, the finest first, so that the
//! tiles of a zoom come with one request, and the coarsest ones, of which the next step is made, with the end.

#[cfg(feature = "remote")]
mod bucket;
mod finer;
mod place;
mod spread;
mod turn;
mod writer;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::archive::ContentHash;
use crate::atomic::is_at;
use crate::error::{Error, Result};
use crate::format::checksum::{Checksum, checksum};
use crate::local;
use crate::plan::{Unit, ZoomRange};
use crate::render::{Layer, UnitReport};
use crate::tile::{TileCoord, TileId};
#[cfg(feature = "remote")]
use crate::url;

pub use finer::FinerPacks;
pub(super) use place::{check_output, create, discard, discard_all, read_all, volume};
pub(super) use spread::{PlacedTiles, place_each};
pub(super) use turn::{each, each_tile};
pub use writer::PackWriter;

const MAGIC: [u8; 8] = *b"HYPSOPK6";
const AGAIN: &str = "run the same command again; this unit is made anew";

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Foot {
    magic: [u8; 8],
    mark: U64,
    tiles: U32,
    report_length: U32,
    index_at: U64,
    end_checksum: U64,
}

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Entry {
    id: U64,
    layer: u8,
    wanted: u8,
    reserved: [u8; 2],
    length: U32,
    offset: U64,
    /// What tells the tile from all others: an archive finds equal ones by it, without their bytes.
    hash_low: U64,
    hash_high: U32,
    rest: [u8; 4],
}

/// What identifies the pack of a unit: the fingerprint of the run, and the place of the pack in the work folder, which names the unit.
fn mark(run: u64, path: &Path) -> u64 {
    let mut sum = Checksum::default();
    sum.update(&run.to_le_bytes());
    let parts: Vec<_> = path.iter().rev().take(3).collect();
    for part in parts {
        sum.update(part.as_encoded_bytes());
        sum.update(b"/");
    }
    sum.digest()
}

impl Entry {
    fn key(&self) -> (u64, u8) {
        (self.id.get(), self.layer)
    }

    fn content(&self) -> ContentHash {
        ContentHash { low: self.hash_low.get(), high: self.hash_high.get() }
    }
}

/// True for what packs are made of, by its path below their folder: folders of steps and columns, and files.
pub(super) fn owns(path: &Path, is_folder: bool) -> bool {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let step = |name: &str| {
        name.strip_prefix('z').and_then(|zooms| zooms.split_once('-')).is_some_and(|(a, b)| digits(a) && digits(b))
    };
    match (parts.as_slice(), is_folder) {
        ([z], true) => step(z),
        ([z, x], true) => step(z) && digits(x),
        ([z, x, name], false) => {
            let block = name.strip_suffix(".pack").map(|block| block.split('_').collect::<Vec<_>>());
            step(z) && digits(x) && block.is_some_and(|b| b.len() == 3 && b.iter().all(|part| digits(part)))
        }
        _ => false,
    }
}

/// How much of a pack's end is read at first, bytes: index and report of nearly all.
const END: u64 = 64 << 10;
/// The same where the coarsest tiles will be read, too.
const END_WITH_TILES: u64 = 256 << 10;

/// Where the bytes of a pack are.
#[derive(Debug)]
enum Bytes {
    File(File),
    #[cfg(feature = "remote")]
    Object(crate::remote::Object),
}

/// An open pack.
#[derive(Debug)]
pub struct Pack {
    path: PathBuf,
    bytes: Bytes,
    entries: Vec<Entry>,
    /// What making it took.
    pub report: UnitReport,
}

impl Pack {
    /// Where the pack of a block in a step lies below a work folder.
    #[must_use]
    pub fn path(work: &Path, zooms: ZoomRange, block: TileCoord) -> PathBuf {
        let folder = work.join("packs").join(format!("z{zooms}"));
        folder.join(block.x().to_string()).join(format!("{}_{}_{}.pack", block.z(), block.x(), block.y()))
    }

    /// Where the pack of a unit lies.
    #[must_use]
    pub fn path_of(work: &Path, unit: &Unit) -> PathBuf {
        Self::path(work, unit.zooms, unit.block)
    }

    /// Opens a pack of this run, a file or an object; checks foot, index and length. The tiles themselves are checked as they are read.
    ///
    /// # Errors
    /// Where it is missing, damaged, or of another run; where the server fails.
    pub fn open(path: &Path, run: u64) -> Result<Self> {
        Self::open_end(path, run, END)
    }

    /// As [`open`](Self::open); of an object so much is read at once.
    fn open_end(path: &Path, run: u64, end: u64) -> Result<Self> {
        let (bytes, length) = Bytes::open(path, end)?;
        let bad = |problem: &str| Error::invalid("pack", problem, AGAIN).with_path(path);
        let foot_at = length.checked_sub(size_of::<Foot>() as u64).ok_or_else(|| bad("is cut off"))?;
        let foot =
            Foot::read_from_bytes(&bytes.read(path, foot_at, size_of::<Foot>())?).map_err(|_| bad("has no foot"))?;
        if foot.magic != MAGIC || foot.mark.get() != mark(run, path) {
            return Err(bad("is cut off, or belongs to another run or unit"));
        }
        let index_length = u64::from(foot.tiles.get()) * size_of::<Entry>() as u64;
        let end_length = index_length + u64::from(foot.report_length.get());
        if foot.index_at.get().checked_add(end_length) != Some(foot_at) {
            return Err(bad("is cut off"));
        }
        let end = bytes.read(path, foot.index_at.get(), end_length as usize)?;
        if checksum(&end) != foot.end_checksum.get() {
            return Err(bad("is damaged"));
        }
        let (index, report) = end.split_at(index_length as usize);
        let report = serde_json::from_slice(report).map_err(|_| bad("has a damaged report"))?;
        let entries = <[Entry]>::ref_from_bytes(index).map_err(|_| bad("has a damaged index"))?.to_vec();
        let fits = |e: &Entry| {
            e.offset.get().checked_add(u64::from(e.length.get())).is_some_and(|end| end <= foot.index_at.get())
        };
        if !entries.iter().all(fits) || !entries.is_sorted_by_key(Entry::key) {
            return Err(bad("has a damaged index"));
        }
        Ok(Self { path: path.to_path_buf(), bytes, entries, report })
    }

    /// The tiles of the pack in the order of ids, then layers: address, layer, whether they belong to the output.
    pub fn tiles(&self) -> impl Iterator<Item = (TileCoord, Layer, bool)> {
        self.entries
            .iter()
            .filter_map(|e| Some((TileId(e.id.get()).coord()?, Layer::from_number(e.layer)?, e.wanted == 1)))
    }

    /// The encoded tile, if it is in the pack.
    ///
    /// # Errors
    /// Where the file can't be read, or the bytes are not those that were written; the pack is then removed, so that the
    /// next start makes it again.
    pub fn read(&self, tile: TileCoord, layer: Layer) -> Result<Option<Vec<u8>>> {
        let key = (TileId::from(tile).0, layer as u8);
        let Ok(at) = self.entries.binary_search_by_key(&key, Entry::key) else { return Ok(None) };
        let mut bytes = Vec::new();
        self.append(&self.entries[at], &mut bytes)?;
        Ok(Some(bytes))
    }

    /// Puts the bytes of a tile behind what `into` holds.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn append(&self, entry: &Entry, into: &mut Vec<u8>) -> Result<()> {
        let start = into.len();
        self.bytes.append(&self.path, entry.offset.get(), entry.length.get() as usize, into)?;
        if ContentHash::of(&into[start..]) != entry.content() {
            if self.bytes.is_at(&self.path) {
                let _ = discard(&self.path);
            }
            let tile = TileId(entry.id.get()).coord().map_or_else(String::new, |tile| format!(" {tile}"));
            return Err(Error::invalid(format!("tile{tile}"), "is damaged in its pack", AGAIN).with_path(&self.path));
        }
        Ok(())
    }

    /// The tiles of a layer and a zoom that belong to the output, by the order of ids.
    fn wanted(&self, layer: Layer, z: u8) -> impl Iterator<Item = (TileCoord, &Entry)> {
        let of = self.entries.iter().filter(move |e| e.wanted == 1 && e.layer == layer as u8);
        of.filter_map(|e| Some((TileId(e.id.get()).coord()?, e))).filter(move |(tile, _)| tile.z() == z)
    }
}

impl Bytes {
    /// Opens a file or an object; gives its length.
    #[cfg_attr(not(feature = "remote"), allow(unused_variables, reason = "of files nothing is read ahead"))]
    fn open(path: &Path, end: u64) -> Result<(Self, u64)> {
        #[cfg(feature = "remote")]
        if url::is_one(path) {
            let object = bucket::open(path, end)?;
            let length = object.len();
            return Ok((Self::Object(object), length));
        }
        let length = local::input(path)?.len();
        Ok((Self::File(File::open(path).map_err(Error::io("open", path))?), length))
    }

    fn read(&self, path: &Path, offset: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.append(path, offset, length, &mut bytes)?;
        Ok(bytes)
    }

    fn append(&self, path: &Path, offset: u64, length: usize, into: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::File(file) => {
                let (mut file, start) = (file, into.len());
                into.resize(start + length, 0);
                file.seek(SeekFrom::Start(offset))
                    .and_then(|_| file.read_exact(&mut into[start..]))
                    .map_err(Error::io("read", path))?;
            }
            #[cfg(feature = "remote")]
            Self::Object(object) => into.extend_from_slice(&object.read(offset..offset + length as u64)?),
        }
        Ok(())
    }

    /// True where the name still leads to these bytes, as far as it can be told.
    fn is_at(&self, path: &Path) -> bool {
        match self {
            Self::File(file) => is_at(file, path),
            #[cfg(feature = "remote")]
            Self::Object(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::altered::altered;
    use crate::render::Made;

    const RUN: u64 = 0x1234_5678_9abc_def0;

    fn zooms() -> ZoomRange {
        ZoomRange::new(3, 5).unwrap()
    }

    fn block(x: u32) -> TileCoord {
        TileCoord::new(3, x, 2).unwrap()
    }

    /// Writes the pack of a block with some tiles; gives its place and what is in it.
    fn written(work: &Path, x: u32) -> (PathBuf, Vec<Made>) {
        std::fs::create_dir_all(work.join("packs")).unwrap();
        let path = Pack::path(work, zooms(), block(x));
        let mut pack = PackWriter::create(&path, RUN).unwrap();
        let mut all = Vec::new();
        for (n, tile) in block(x).children().into_iter().flatten().enumerate() {
            let bytes = (0..40 + 30 * n).map(|i| (i * 7 + n) as u8).collect();
            let made = Made { tile, layer: Layer::Elevation, wanted: n != 2, bytes };
            pack.put(&made).unwrap();
            all.push(made);
        }
        pack.finish(&mut UnitReport { tiles: 4, used: vec![1, 2], ..UnitReport::default() }, Duration::ZERO).unwrap();
        (path, all)
    }

    #[test]
    fn altered_packs_are_refused_or_give_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let (path, made) = written(folder.path(), 4);
        let whole = std::fs::read(&path).unwrap();
        let (mut refused, mut opened) = (0, 0);
        for seed in 0..2000 {
            let bytes = altered(&whole, seed);
            std::fs::write(&path, &bytes).unwrap();
            let pack = match Pack::open(&path, RUN) {
                Ok(pack) => pack,
                Err(error) => {
                    crate::altered::check_message(&error, "3_4_2.pack");
                    refused += 1;
                    continue;
                }
            };
            opened += 1;
            assert_eq!((pack.report.tiles, pack.tiles().count()), (4, 4), "seed {seed}");
            for made in &made {
                match pack.read(made.tile, made.layer) {
                    Ok(found) => assert_eq!(found.as_ref(), Some(&made.bytes), "seed {seed}"),
                    Err(error) => crate::altered::check_message(&error, "3_4_2.pack"),
                }
            }
        }
        assert!(refused > 500 && opened > 20, "{refused} {opened}");
    }

    #[test]
    fn the_pack_of_another_unit_or_run_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let ((one, _), (other, _)) = (written(folder.path(), 4), written(folder.path(), 5));
        assert!(Pack::open(&one, RUN).is_ok());
        assert!(Pack::open(&one, RUN + 1).unwrap_err().to_string().contains("another run or unit"));
        std::fs::copy(&other, &one).unwrap();
        assert!(Pack::open(&one, RUN).unwrap_err().to_string().contains("another run or unit"));
        // A work folder may be moved.
        std::fs::rename(folder.path().join("packs"), folder.path().join("moved")).unwrap();
        assert!(Pack::open(&folder.path().join("moved/z3-5/5/3_5_2.pack"), RUN).is_ok());
    }
}
