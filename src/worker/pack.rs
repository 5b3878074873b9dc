//! Packs: the finished tiles of one unit in one file.
//!
//! Little-endian: magic, run fingerprint, number of tiles, length of the report, checksum of report and index, checksum
//! of the data; then the report (JSON), the index (24 bytes a tile), the data. Packs live for the length of a run and
//! are read by the program that wrote them alone; they are no exchange format.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::atomic::AtomicFile;
use crate::error::{Error, Result};
use crate::format::checksum::checksum;
use crate::plan::{Step, Unit, ZoomRange};
use crate::render::{FinerTiles, Layer, Made, UnitReport};
use crate::tile::TileCoord;

const MAGIC: [u8; 8] = *b"HYPSOPK1";
const AGAIN: &str = "run the same command again; this unit is made anew";

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Head {
    magic: [u8; 8],
    run: U64,
    tiles: U32,
    report_length: U32,
    index_checksum: U64,
    data_checksum: U64,
}

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Entry {
    z: u8,
    layer: u8,
    wanted: u8,
    reserved: u8,
    x: U32,
    y: U32,
    length: U32,
    offset: U64,
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

    /// Writes a pack; it appears whole or not at all.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn write(path: &Path, run: u64, report: &UnitReport, tiles: &[Made]) -> Result<()> {
        let report = serde_json::to_vec(report).map_err(|e| Error::Other(format!("unit report: {e}")))?;
        let mut data = Vec::new();
        let mut index = Vec::new();
        for made in tiles {
            let entry = Entry {
                z: made.tile.z(),
                layer: made.layer as u8,
                wanted: u8::from(made.wanted),
                reserved: 0,
                x: made.tile.x().into(),
                y: made.tile.y().into(),
                length: (made.bytes.len() as u32).into(),
                offset: (data.len() as u64).into(),
            };
            index.extend_from_slice(entry.as_bytes());
            data.extend_from_slice(&made.bytes);
        }
        let front = [report.as_slice(), &index].concat();
        let head = Head {
            magic: MAGIC,
            run: run.into(),
            tiles: (tiles.len() as u32).into(),
            report_length: (report.len() as u32).into(),
            index_checksum: checksum(&front).into(),
            data_checksum: checksum(&data).into(),
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
        }
        let mut file = AtomicFile::create(path)?;
        for part in [head.as_bytes(), &front, &data] {
            file.file().write_all(part).map_err(Error::io("write", path))?;
        }
        file.commit()
    }

    /// Opens a pack of this run; checks header and index.
    ///
    /// # Errors
    /// Where it is missing, damaged, or of another run.
    pub fn open(path: &Path, run: u64) -> Result<Self> {
        let bad = |problem: &str| Error::invalid("pack", problem, AGAIN).with_path(path);
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("look at", path))?.len();
        let mut head = [0; size_of::<Head>()];
        file.read_exact(&mut head).map_err(Error::io("read", path))?;
        let head = Head::read_from_bytes(&head).map_err(|_| bad("has no header"))?;
        if head.magic != MAGIC || head.run.get() != run {
            return Err(bad("belongs to another run"));
        }
        let index_length = u64::from(head.tiles.get()) * size_of::<Entry>() as u64;
        let front_length = u64::from(head.report_length.get()) + index_length;
        let data_start = size_of::<Head>() as u64 + front_length;
        if data_start > length {
            return Err(bad("is cut off"));
        }
        let mut front = vec![0; front_length as usize];
        file.read_exact(&mut front).map_err(Error::io("read", path))?;
        if checksum(&front) != head.index_checksum.get() {
            return Err(bad("is damaged"));
        }
        let (report, index) = front.split_at(head.report_length.get() as usize);
        let report = serde_json::from_slice(report).map_err(|_| bad("has a damaged report"))?;
        let mut entries = <[Entry]>::ref_from_bytes(index).map_err(|_| bad("has a damaged index"))?.to_vec();
        for entry in &mut entries {
            let start = data_start.checked_add(entry.offset.get()).ok_or_else(|| bad("has a damaged index"))?;
            if start.checked_add(u64::from(entry.length.get())).is_none_or(|end| end > length) {
                return Err(bad("is cut off"));
            }
            entry.offset = start.into();
        }
        Ok(Self { path: path.to_path_buf(), file, entries, report })
    }

    /// True where the pack is of this run and every byte of it is what was written.
    #[must_use]
    pub fn is_whole(path: &Path, run: u64) -> Option<UnitReport> {
        let pack = Self::open(path, run).ok()?;
        let bytes = std::fs::read(path).ok()?;
        let head = Head::read_from_bytes(bytes.get(..size_of::<Head>())?).ok()?;
        let front = head.report_length.get() as usize + head.tiles.get() as usize * size_of::<Entry>();
        let data = bytes.get(size_of::<Head>() + front..)?;
        (checksum(data) == head.data_checksum.get()).then_some(pack.report)
    }

    /// The tiles of the pack: address, layer, whether they belong to the output.
    pub fn tiles(&self) -> impl Iterator<Item = (TileCoord, Layer, bool)> {
        self.entries.iter().filter_map(|e| {
            Some((TileCoord::new(e.z, e.x.get(), e.y.get())?, Layer::from_number(e.layer)?, e.wanted == 1))
        })
    }

    /// The encoded tile, if it is in the pack.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn read(&self, tile: TileCoord, layer: Layer) -> Result<Option<Vec<u8>>> {
        let wanted = |e: &&Entry| (e.z, e.x.get(), e.y.get(), e.layer) == (tile.z(), tile.x(), tile.y(), layer as u8);
        let Some(entry) = self.entries.iter().find(wanted) else { return Ok(None) };
        let mut bytes = vec![0; entry.length.get() as usize];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(entry.offset.get()))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(Error::io("read", &self.path))?;
        Ok(Some(bytes))
    }
}

/// The packs of a finished step as the finer tiles of the next one. Keeps a few packs open.
#[derive(Debug)]
pub struct FinerPacks {
    work: PathBuf,
    run: u64,
    zooms: ZoomRange,
    open: RefCell<VecDeque<(TileCoord, Pack)>>,
}

/// A unit reads from at most this many packs again and again.
const OPEN_PACKS: usize = 8;

impl FinerPacks {
    /// The packs of the step over these zooms.
    #[must_use]
    pub fn new(work: &Path, run: u64, zooms: ZoomRange) -> Self {
        Self { work: work.to_path_buf(), run, zooms, open: RefCell::default() }
    }
}

impl FinerTiles for FinerPacks {
    fn tile(&self, tile: TileCoord, layer: Layer) -> Result<Option<Vec<u8>>> {
        let Some(block) = tile.ancestor(Step::block_zoom(self.zooms)) else { return Ok(None) };
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
