//! Packs: the finished tiles of one unit in one file.
//!
//! Little-endian: a head (magic, mark of run and unit, number of tiles, where the index begins, length of the report, checksum
//! of index and report); the tiles as they are made; then the index (32 bytes a tile, in the order of zoom, Hilbert id and
//! layer, with a checksum of each tile) and the report (JSON). Packs live for the length of a run and are read by the
//! program that wrote them alone; they are no exchange format.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::atomic::{AtomicFile, is_at};
use crate::error::{Error, Result};
use crate::format::checksum::{Checksum, checksum};
use crate::local;
use crate::plan::{Unit, ZoomRange};
use crate::render::{FinerTiles, Layer, Made, UnitReport};
use crate::tile::{TileCoord, TileId};

const MAGIC: [u8; 8] = *b"HYPSOPK4";
const AGAIN: &str = "run the same command again; this unit is made anew";

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Head {
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
    checksum: U64,
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
}

/// A pack in the making; it appears under its name when it is whole.
#[derive(Debug)]
pub struct PackWriter {
    file: AtomicFile,
    path: PathBuf,
    run: u64,
    entries: Vec<Entry>,
    end: u64,
}

impl PackWriter {
    /// Begins a pack.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn create(path: &Path, run: u64) -> Result<Self> {
        make_folders(path)?;
        let mut file = AtomicFile::create(path)?;
        let end = size_of::<Head>() as u64;
        file.file().seek(SeekFrom::Start(end)).map_err(Error::io("write", path))?;
        Ok(Self { file, path: path.to_path_buf(), run, entries: Vec::new(), end })
    }

    /// Adds a tile.
    ///
    /// # Errors
    /// Where the file can't be written, or the tile has 4 GB.
    pub fn put(&mut self, made: &Made) -> Result<()> {
        let length = u32::try_from(made.bytes.len())
            .map_err(|_| Error::limit(format!("tile {} has {} bytes, 4 GB at most", made.tile, made.bytes.len())))?;
        self.file.file().write_all(&made.bytes).map_err(Error::io("write", &self.path))?;
        self.entries.push(Entry {
            id: TileId::from(made.tile).0.into(),
            layer: made.layer as u8,
            wanted: u8::from(made.wanted),
            reserved: [0; 2],
            length: length.into(),
            offset: self.end.into(),
            checksum: checksum(&made.bytes).into(),
        });
        self.end += u64::from(length);
        Ok(())
    }

    /// Writes index and report, and gives the pack its name. `writing` is what writing took so far; the report gets it.
    ///
    /// Where another process made the same unit from the same rasters meanwhile, its pack stays, and the report is the one in it.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn finish(mut self, report: &mut UnitReport, writing: Duration) -> Result<()> {
        report.writing += writing.as_secs_f64();
        let mine = &*report;
        let report_bytes = serde_json::to_vec(mine).map_err(|e| Error::internal(format!("unit report: {e}")))?;
        self.entries.sort_unstable_by_key(Entry::key);
        let end = [self.entries.as_bytes(), &report_bytes].concat();
        let head = Head {
            magic: MAGIC,
            mark: mark(self.run, &self.path).into(),
            tiles: (self.entries.len() as u32).into(),
            report_length: (report_bytes.len() as u32).into(),
            index_at: self.end.into(),
            end_checksum: checksum(&end).into(),
        };
        let file = self.file.file();
        file.write_all(&end)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(head.as_bytes()))
            .map_err(Error::io("write", &self.path))?;
        let mut theirs = None;
        self.file.commit_unless(|path| {
            theirs = Pack::open(path, self.run).ok().map(|pack| pack.report).filter(|theirs| theirs.read == mine.read);
            theirs.is_some()
        })?;
        if let Some(theirs) = theirs {
            *report = theirs;
        }
        Ok(())
    }
}

/// Makes the three folders above a pack, but not the work folder: where that is gone, the run is over, and a worker that
/// outlived it must not begin another one.
fn make_folders(path: &Path) -> Result<()> {
    let mut folders: Vec<&Path> = path.ancestors().skip(1).take(3).collect();
    folders.reverse();
    for folder in folders {
        match std::fs::create_dir(folder) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(Error::io("make", folder)(e)),
            _ => {}
        }
    }
    Ok(())
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

/// An open pack.
#[derive(Debug)]
pub struct Pack {
    path: PathBuf,
    file: File,
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

    /// Opens a pack of this run; checks head, index and length. The tiles themselves are checked as they are read.
    ///
    /// # Errors
    /// Where it is missing, damaged, or of another run.
    pub fn open(path: &Path, run: u64) -> Result<Self> {
        let bad = |problem: &str| Error::invalid("pack", problem, AGAIN).with_path(path);
        let length = local::input(path)?.len();
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let mut head = [0; size_of::<Head>()];
        file.read_exact(&mut head).map_err(Error::io("read", path))?;
        let head = Head::read_from_bytes(&head).map_err(|_| bad("has no head"))?;
        if head.magic != MAGIC || head.mark.get() != mark(run, path) {
            return Err(bad("belongs to another run or unit"));
        }
        let index_length = u64::from(head.tiles.get()) * size_of::<Entry>() as u64;
        let end_length = index_length + u64::from(head.report_length.get());
        if head.index_at.get().checked_add(end_length) != Some(length) {
            return Err(bad("is cut off"));
        }
        let mut end = vec![0; end_length as usize];
        file.seek(SeekFrom::Start(head.index_at.get()))
            .and_then(|_| file.read_exact(&mut end))
            .map_err(Error::io("read", path))?;
        if checksum(&end) != head.end_checksum.get() {
            return Err(bad("is damaged"));
        }
        let (index, report) = end.split_at(index_length as usize);
        let report = serde_json::from_slice(report).map_err(|_| bad("has a damaged report"))?;
        let entries = <[Entry]>::ref_from_bytes(index).map_err(|_| bad("has a damaged index"))?.to_vec();
        let fits = |e: &Entry| {
            e.offset.get().checked_add(u64::from(e.length.get())).is_some_and(|end| end <= head.index_at.get())
        };
        if !entries.iter().all(fits) || !entries.is_sorted_by_key(Entry::key) {
            return Err(bad("has a damaged index"));
        }
        Ok(Self { path: path.to_path_buf(), file, entries, report })
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
        let entry = &self.entries[at];
        let mut bytes = vec![0; entry.length.get() as usize];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(entry.offset.get()))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(Error::io("read", &self.path))?;
        if checksum(&bytes) != entry.checksum.get() {
            if is_at(&self.file, &self.path) {
                let _ = std::fs::remove_file(&self.path);
            }
            return Err(Error::invalid(format!("tile {tile}"), "is damaged in its pack", AGAIN).with_path(&self.path));
        }
        Ok(Some(bytes))
    }
}

/// The packs of a finished step as the finer tiles of the next one. Keeps a few packs open.
#[derive(Debug)]
pub struct FinerPacks {
    work: PathBuf,
    run: u64,
    zooms: ZoomRange,
    block_zoom: u8,
    open: RefCell<VecDeque<(TileCoord, Pack)>>,
}

/// A unit reads from at most this many packs again and again.
const OPEN_PACKS: usize = 8;

impl FinerPacks {
    /// The packs over these zooms whose blocks are tiles of `block_zoom`.
    #[must_use]
    pub fn new(work: &Path, run: u64, zooms: ZoomRange, block_zoom: u8) -> Self {
        Self { work: work.to_path_buf(), run, zooms, block_zoom, open: RefCell::default() }
    }
}

impl FinerTiles for FinerPacks {
    fn tile(&self, tile: TileCoord, layer: Layer) -> Result<Option<Vec<u8>>> {
        let Some(block) = tile.ancestor(self.block_zoom) else { return Ok(None) };
        let mut open = self.open.borrow_mut();
        if !open.iter().any(|(b, _)| *b == block) {
            let path = Pack::path(&self.work, self.zooms, block);
            // A unit whose tiles are all empty still has a pack; a missing one is an error.
            let pack = Pack::open(&path, self.run)?;
            if open.len() >= OPEN_PACKS {
                open.pop_front();
            }
            open.push_back((block, pack));
        }
        match open.iter().find(|(b, _)| *b == block) {
            Some((_, pack)) => pack.read(tile, layer),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::altered::altered;

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
