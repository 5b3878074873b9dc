//! Writing PMTiles: tiles stream into the file; directories follow at the end.
//!
//! ```text
//! 0        127                16384
//! | header | root directory | tile data ... | metadata | leaf directories |
//! ```
//!
//! The first 16,384 bytes stay free until the end, so that tile data are written once and never moved. The
//! specification lets sections stand in any order.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::compression::Compression;
use super::directory::{self, Entry};
use super::header::{self, HEADER_BYTES, Header, ROOT_LIMIT};
use super::metadata;
use super::spill::EntrySpill;
use crate::archive::contents::{ContentHash, Contents};
use crate::archive::coverage::Coverage;
use crate::archive::output::{EarlySync, PendingFile};
use crate::archive::packing::{Packing, gzip};
use crate::archive::{ArchiveMetadata, ArchiveSummary, TileFormat, TileSink};
use crate::atomic::{AtOffsets, ScratchFile};
use crate::error::{Error, Result};
use crate::tile::{TileCoord, TileId};

/// The smallest number of entries of a leaf directory, as in the reference implementation.
const LEAF_ENTRIES: u64 = 4096;

/// Writes a clustered PMTiles archive.
///
/// Memory is bounded: up to 90 MB for finding equal contents, a few MB for the rest. Beyond 3.6 million contents only
/// those that came twice are remembered; an equal tile that comes later may then be stored again.
#[derive(Debug)]
pub struct PmtilesWriter {
    out: BufWriter<File>,
    early: EarlySync,
    pending: PendingFile,
    metadata: ArchiveMetadata,
    data_length: u64,
    /// Where `out` stands among the tiles' bytes.
    out_at: u64,
    seen: Contents,
    entries: EntrySpill,
    last: Option<Entry>,
    coverage: Coverage,
    summary: ArchiveSummary,
}

impl PmtilesWriter {
    /// Begins an archive that will stand at `path`.
    ///
    /// # Errors
    /// Where `path` exists and `overwrite` is false, or its folder is missing or not writable.
    pub fn create(path: &Path, metadata: &ArchiveMetadata, overwrite: bool) -> Result<Self> {
        let mut pending = PendingFile::create(path, overwrite)?;
        let mut file = pending.handle()?;
        file.seek(SeekFrom::Start(ROOT_LIMIT)).map_err(Error::io("write", path))?;
        Ok(Self {
            early: EarlySync::new(pending.handle()?),
            out: BufWriter::with_capacity(1 << 20, file),
            pending,
            metadata: metadata.clone(),
            data_length: 0,
            out_at: 0,
            seen: Contents::default(),
            entries: EntrySpill::new(path),
            last: None,
            coverage: Coverage::new(),
            summary: ArchiveSummary::default(),
        })
    }

    fn refuse(&self, tile: TileCoord, problem: &str, remedy: &'static str) -> Error {
        Error::invalid(format!("tile {tile}"), problem, remedy).with_path(self.pending.target())
    }

    /// Where threads write what [`place`](Self::place) gave places to.
    pub(crate) fn places(&mut self) -> Result<Places> {
        Ok(Places { file: AtOffsets::new(self.pending.handle()?), target: self.pending.target().to_path_buf() })
    }

    /// Takes a tile without its bytes, as [`TileSink::put`] does with them. Gives the place where they must be written before the archive
    /// is finished; `None` where equal ones have a place. The metadata say the format and the compression.
    ///
    /// # Errors
    /// As [`TileSink::put`].
    pub(crate) fn place(&mut self, tile: TileCoord, content: ContentHash, len: u32) -> Result<Option<u64>> {
        let id = TileId::from(tile);
        if self.last.is_some_and(|last| id.0 < last.end()) {
            return Err(self.refuse(
                tile,
                "comes after a tile that stands behind it",
                "PMTiles are written in the order of tile ids, each tile once: sort the tiles first",
            ));
        }
        if len == 0 {
            return Err(self.refuse(tile, "has no bytes, or 4 GB and more", "leave empty tiles out"));
        }
        let known = self.seen.find(content);
        let offset = known.unwrap_or(self.data_length);
        if known.is_none() {
            self.data_length += u64::from(len);
            self.early.wrote(u64::from(len));
            self.seen.insert(content, offset);
            self.summary.contents += 1;
        }
        match &mut self.last {
            Some(last) if last.end() == id.0 && (last.offset, last.len) == (offset, len) && last.run < u32::MAX => {
                last.run += 1;
            }
            last => {
                let done = last.replace(Entry { id: id.0, offset, len, run: 1 });
                if let Some(entry) = done {
                    self.entries.push(entry)?;
                }
            }
        }
        self.coverage.push(id, 1);
        self.summary.tiles += 1;
        self.summary.bytes += u64::from(len);
        Ok(known.is_none().then_some(offset))
    }

    /// Has `out` stand at a place among the tiles' bytes.
    fn go_to(&mut self, offset: u64) -> std::io::Result<()> {
        if self.out_at != offset {
            self.out.seek(SeekFrom::Start(ROOT_LIMIT + offset))?;
            self.out_at = offset;
        }
        Ok(())
    }

    /// Leaves and root: writes the leaves at the end of the file and gives the root directory and the leaves' length.
    fn write_directories(&mut self, leaves_at: u64) -> Result<(Vec<u8>, u64)> {
        let target = self.pending.target().to_path_buf();
        let failed = |error| Error::io("write", &target)(error);
        let room = ROOT_LIMIT as usize - HEADER_BYTES;
        let total = self.entries.len();
        // As in the reference implementation: with more entries than bytes it can't fit.
        if total <= ROOT_LIMIT {
            let mut root = packed(&[]);
            self.entries.chunks(total.max(1) as usize, |all| {
                root = packed(all);
                Ok(())
            })?;
            if root.len() <= room {
                return Ok((root, 0));
            }
        }
        let mut leaf_entries = LEAF_ENTRIES.max(total / 3500) as usize;
        loop {
            self.out.seek(SeekFrom::Start(leaves_at)).map_err(failed)?;
            let (mut pointers, mut length) = (Vec::new(), 0u64);
            let out = &mut self.out;
            self.entries.chunks(leaf_entries, |chunk| {
                let leaf = packed(chunk);
                let len = u32::try_from(leaf.len())
                    .map_err(|_| failed(std::io::Error::other("a leaf directory above 4 GB")))?;
                pointers.push(Entry { id: chunk.first().map_or(0, |e| e.id), offset: length, len, run: 0 });
                length += u64::from(len);
                out.write_all(&leaf).map_err(failed)
            })?;
            let root = packed(&pointers);
            if root.len() <= room {
                return Ok((root, length));
            }
            leaf_entries += leaf_entries / 5;
        }
    }

    fn complete(&mut self) -> Result<()> {
        if let Some(last) = self.last.take() {
            self.entries.push(last)?;
        }
        self.coverage.finish();
        let (min_zoom, max_zoom) = self.coverage.zooms().unwrap_or((0, 0));
        self.metadata.complete(&self.coverage);
        let json = gzip(&metadata::to_json(&self.metadata), 9);
        let target = self.pending.target().to_path_buf();
        let failed = |error| Error::io("write", &target)(error);
        self.go_to(self.data_length).and_then(|()| self.out.write_all(&json)).map_err(failed)?;
        let metadata_offset = ROOT_LIMIT + self.data_length;
        let leaf_offset = metadata_offset + json.len() as u64;
        let (root, leaf_length) = self.write_directories(leaf_offset)?;
        let metadata = &self.metadata;
        let header = Header {
            root_offset: HEADER_BYTES as u64,
            root_length: root.len() as u64,
            metadata_offset,
            metadata_length: json.len() as u64,
            leaf_offset,
            leaf_length,
            data_offset: ROOT_LIMIT,
            data_length: self.data_length,
            addressed_tiles: self.summary.tiles,
            tile_entries: self.entries.len(),
            tile_contents: self.summary.contents,
            clustered: true,
            internal_compression: Compression::Gzip,
            tile_compression: metadata.tile_compression.unwrap_or(Compression::None),
            tile_type: header::tile_type(&metadata.format),
            min_zoom,
            max_zoom,
            bounds: metadata.bounds.unwrap_or_default(),
            center_zoom: metadata.center.map_or(0, |c| c.zoom),
            center: metadata.center.map_or([0.0; 2], |c| [c.lon, c.lat]),
        };
        let start = [&header.to_bytes()[..], &root].concat();
        let written = self.out.seek(SeekFrom::Start(0)).and_then(|_| self.out.write_all(&start));
        written.and_then(|()| self.out.flush()).map_err(failed)?;
        // A second attempt at the leaves may have left a longer first one behind.
        self.out.get_ref().set_len(leaf_offset + leaf_length).map_err(failed)
    }
}

/// A directory as it is stored.
fn packed(entries: &[Entry]) -> Vec<u8> {
    gzip(&directory::encode(entries), 9)
}

/// Where the bytes of tiles go that have their places; shared by threads.
#[derive(Debug)]
pub(crate) struct Places {
    file: AtOffsets,
    target: PathBuf,
}

impl Places {
    /// Writes bytes at a place that [`PmtilesWriter::place`] gave, and at those behind it.
    ///
    /// # Errors
    /// Where the volume is full or can't be written.
    pub(crate) fn write(&self, bytes: &[u8], place: u64) -> Result<()> {
        self.file.write(bytes, ROOT_LIMIT + place).map_err(Error::io("write", &self.target))
    }
}

impl TileSink for PmtilesWriter {
    fn put(&mut self, tile: TileCoord, bytes: &[u8]) -> Result<()> {
        let len = u32::try_from(bytes.len()).unwrap_or(0);
        if self.summary.tiles == 0 {
            if self.metadata.format == TileFormat::Unknown {
                self.metadata.format = TileFormat::sniff(bytes).unwrap_or_default();
            }
            if self.metadata.tile_compression.is_none() {
                self.metadata.tile_compression = Some(match Packing::of(bytes) {
                    Some(Packing::Gzip) => Compression::Gzip,
                    Some(Packing::Zstd) => Compression::Zstd,
                    Some(Packing::Zlib | Packing::Brotli) | None => Compression::None,
                });
            }
        }
        if let Some(place) = self.place(tile, ContentHash::of(bytes), len)? {
            let written = self.go_to(place).and_then(|()| self.out.write_all(bytes));
            written.map_err(Error::io("write", self.pending.target()))?;
            self.out_at += u64::from(len);
        }
        Ok(())
    }

    /// Where threads can't write at offsets of one file, tiles come with their bytes.
    fn as_pmtiles(&mut self) -> Option<&mut PmtilesWriter> {
        cfg!(unix).then_some(self)
    }

    fn scratch(&self) -> Result<ScratchFile> {
        ScratchFile::beside(self.pending.target())
    }

    fn metadata_mut(&mut self) -> &mut ArchiveMetadata {
        &mut self.metadata
    }

    fn finish(mut self: Box<Self>) -> Result<ArchiveSummary> {
        self.complete()?;
        let Self { pending, out, early, mut summary, .. } = *self;
        drop(out);
        early.end().map_err(Error::io("sync", pending.target()))?;
        summary.file_size = pending.persist()?;
        Ok(summary)
    }
}
