//! Reading PMTiles: header, directories, tiles.

use std::collections::VecDeque;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::directory::{self, DirectoryRef, Entry};
use super::far::Far;
use super::header::Header;
use super::parts::{self, Bytes, MAX_DEPTH};
use crate::archive::read_at::ReadAt;
use crate::archive::select::Filter;
use crate::archive::{ArchiveKind, ArchiveMetadata, Located, LocatedTiles, TileRun, TileSource};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::tile::{TileCoord, TileId};

/// The largest tile that is read, bytes.
pub(super) const TILE_CAP: u64 = 256 << 20;
/// How many entries of leaf directories are kept decoded: 24 MB.
const CACHED_ENTRIES: usize = 1 << 20;

/// A PMTiles archive, open for reading.
#[derive(Debug)]
pub struct PmtilesReader {
    pub(super) file: ReadAt,
    path: std::path::PathBuf,
    pub(super) header: Header,
    metadata: ArchiveMetadata,
    root: Arc<Vec<Entry>>,
    leaves: Mutex<VecDeque<(DirectoryRef, Arc<Vec<Entry>>)>>,
    warnings: Vec<String>,
    pub(super) far: Far,
}

impl PmtilesReader {
    /// Opens an archive: reads header, metadata and root directory. No tile is read.
    ///
    /// # Errors
    /// Where the file can't be read or is not a whole PMTiles archive of version 3.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let file = ReadAt::new(file, path)?;
        Self::from_file(file, path).map_err(|error| error.with_path(path))
    }

    pub(super) fn from_file(file: ReadAt, path: &Path) -> Result<Self> {
        let (header, metadata, root) = parts::open(&file)?;
        let (path, leaves, warnings) = (path.to_path_buf(), Mutex::default(), Vec::new());
        let mut reader =
            Self { file, path, header, metadata, root: Arc::new(root), leaves, warnings, far: Far::default() };
        reader.check_header();
        Ok(reader)
    }

    /// Says where the header is not believed.
    fn check_header(&mut self) {
        let said = (self.header.min_zoom, self.header.max_zoom);
        if let (Some(coarsest), Some(finest)) = (self.metadata.minzoom, self.metadata.maxzoom)
            && said != (coarsest, finest)
        {
            let said = format!("{} to {}", said.0, said.1);
            self.warnings.push(format!(
                "its header says zooms {said}, its tiles say {coarsest} to {finest}; taken from the tiles"
            ));
        }
        let [west, south, east, north] = self.header.bounds;
        if self.metadata.bounds.is_none() && self.header.bounds != [0.0; 4] {
            let said = format!("{west},{south},{east},{north}");
            self.warnings.push(format!("its header says the bounds {said}, which are none; taken from the tiles"));
        }
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The metadata as they are stored.
    pub(super) fn json(&self) -> Result<Map<String, Value>> {
        let object = parts::json(&self.file, &self.header).and_then(|json| super::metadata::object(&json));
        object.map_err(|error| error.with_path(&self.path))
    }

    /// The size of the file, bytes.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        self.file.len()
    }

    /// The entries of all directories in order, leaves followed.
    pub(in crate::archive) fn entries(&self) -> Entries<'_> {
        Entries { reader: self, keep: None, stack: vec![Frame { entries: self.root.clone(), at: 0, end: u64::MAX }] }
    }

    /// The tiles of those directories that can hold what a filter takes, in order.
    pub(in crate::archive) fn tiles_within<'a>(&'a self, filter: &'a Filter<'_>) -> LocatedTiles<'a> {
        let keep: Keep<'a> = Box::new(|ids| filter.may_take(ids));
        Box::new(located(Entries { keep: Some(keep), ..self.entries() }))
    }

    /// The content of an entry.
    pub(in crate::archive) fn content(&self, entry: Entry) -> Result<Vec<u8>> {
        let part = TileId(entry.id).coord().map_or_else(|| "tile".to_owned(), |tile| format!("tile {tile}"));
        self.file.read(self.start_of(entry)?, u64::from(entry.len), TILE_CAP, &part)
    }

    /// Where the content of an entry begins in the file.
    pub(super) fn start_of(&self, entry: Entry) -> Result<u64> {
        self.header.content_start(entry.id, entry.offset, entry.len).map_err(|error| error.with_path(&self.path))
    }

    fn find(&self, id: TileId) -> Result<Option<Entry>> {
        let (mut entries, mut end) = (self.root.clone(), u64::MAX);
        for _ in 0..MAX_DEPTH {
            let Some((entry, next)) = directory::find(&entries, id.0) else { return Ok(None) };
            if entry.run > 0 {
                return Ok(Some(entry));
            }
            end = next.unwrap_or(end);
            entries = self.leaf(DirectoryRef::of(entry, end))?;
        }
        Err(self.too_deep())
    }

    fn too_deep(&self) -> Error {
        parts::too_deep().with_path(&self.path)
    }

    /// A leaf directory that was read before and is still held.
    fn held(&self, place: DirectoryRef) -> Option<Arc<Vec<Entry>>> {
        let leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        leaves.iter().find(|(held, _)| *held == place).map(|(_, leaf)| leaf.clone())
    }

    /// True where a leaf directory costs a request.
    fn must_ask(&self, place: DirectoryRef) -> bool {
        let start = self.header.leaf_offset.saturating_add(place.offset);
        !self.file.holds(start, place.len.into()) && self.held(place).is_none()
    }

    /// A leaf directory, from the cache or the file.
    fn leaf(&self, place: DirectoryRef) -> Result<Arc<Vec<Entry>>> {
        let lock = || self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaf) = self.held(place) {
            return Ok(leaf);
        }
        // Decoded outside of the lock; two threads may both do it.
        let leaf = Arc::new(parts::leaf(&self.file, &self.header, place).map_err(|error| error.with_path(&self.path))?);
        let mut cache = lock();
        let mut held: usize = cache.iter().map(|(_, leaf)| leaf.len()).sum();
        while held + leaf.len() > CACHED_ENTRIES
            && let Some((_, old)) = cache.pop_front()
        {
            held -= old.len();
        }
        cache.push_back((place, leaf.clone()));
        Ok(leaf)
    }
}

/// Leaf directories of a remote archive that are asked for at once: how many, and their bytes.
const LEAVES_AHEAD: (usize, u64) = (512, 2 << 20);

impl Frame {
    /// The leaves from the entry before `at` on that will be walked: where they lie in the section of leaves.
    fn leaves_ahead(&self, reader: &PmtilesReader, keep: Option<&Keep<'_>>) -> Vec<(u64, u64)> {
        let mut bytes = 0;
        let leaves = (self.at.saturating_sub(1)..self.entries.len()).map(|n| {
            let end = self.entries.get(n + 1).map_or(self.end, |next| next.id);
            DirectoryRef::of(self.entries[n], end)
        });
        let wanted = leaves
            .zip(self.entries.iter().skip(self.at.saturating_sub(1)))
            .take_while(|(_, entry)| entry.run == 0)
            .map(|(leaf, _)| leaf)
            .filter(|leaf| keep.is_none_or(|keep| keep(&(leaf.first..leaf.end))) && reader.held(*leaf).is_none());
        wanted
            .take(LEAVES_AHEAD.0)
            .take_while(|leaf| {
                bytes += u64::from(leaf.len);
                bytes <= LEAVES_AHEAD.1
            })
            .filter_map(|leaf| Some((reader.header.leaf_offset.checked_add(leaf.offset)?, u64::from(leaf.len))))
            .collect()
    }
}

impl Bytes for ReadAt {
    fn len(&self) -> u64 {
        self.len()
    }

    fn read(&self, offset: u64, len: u64, cap: u64, part: &str) -> Result<Vec<u8>> {
        self.read(offset, len, cap, part)
    }

    fn soon(&self, parts: Vec<(u64, u64)>) -> Result<()> {
        self.prefetch(parts)
    }
}

/// The tiles of entries, run by run.
fn located(entries: Entries<'_>) -> impl Iterator<Item = Result<Located>> {
    entries.flat_map(|entry| {
        let (entry, error) = match entry {
            Ok(entry) => (entry, None),
            Err(error) => (Entry::default(), Some(Err(error))),
        };
        let Entry { offset: place, len: bytes, .. } = entry;
        let ids = entry.id..entry.end();
        error.into_iter().chain(ids.map(move |id| Ok(Located { id: TileId(id), place, bytes })))
    })
}

impl TileSource for PmtilesReader {
    fn path(&self) -> &Path {
        &self.path
    }

    fn kind(&self) -> ArchiveKind {
        ArchiveKind::Pmtiles
    }

    fn metadata(&self) -> &ArchiveMetadata {
        &self.metadata
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn tile(&self, tile: TileCoord) -> Result<Option<Vec<u8>>> {
        match self.find(tile.into())? {
            Some(entry) => self.content(entry).map(Some),
            None => Ok(None),
        }
    }

    fn tiles(&self) -> Result<LocatedTiles<'_>> {
        Ok(Box::new(located(self.entries())))
    }

    fn tiles_of(&self, zoom: u8) -> Result<LocatedTiles<'_>> {
        let ids = TileId::zoom_range(zoom);
        let mut entries = self.entries();
        // The directory in which the zoom begins, and what lies before it there is passed over.
        entries.stack[0].at = self.root.partition_point(|entry| entry.id <= ids.start).saturating_sub(1);
        let before = move |tile: &Result<Located>| tile.as_ref().is_ok_and(|tile| tile.id.0 < ids.start);
        let inside = move |tile: &Result<Located>| tile.as_ref().map_or(true, |tile| tile.id.0 < ids.end);
        Ok(Box::new(located(entries).skip_while(before).take_while(inside)))
    }

    fn read(&self, tile: Located, into: &mut Vec<u8>) -> Result<()> {
        let entry = Entry::of(&tile);
        let start = self.start_of(entry)?;
        self.file.append(start, u64::from(entry.len), TILE_CAP, "tile", into)
    }

    fn read_many(&self, tiles: &[Located], into: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<()> {
        if let Some(reach) = self.reach() {
            return self.read_together(tiles, reach, into, ends);
        }
        for tile in tiles {
            self.read(*tile, into)?;
            ends.push(into.len());
        }
        Ok(())
    }

    fn some(&self, count: usize) -> Vec<Vec<u8>> {
        let tiles: Vec<Located> = located(self.entries()).take(count).map_while(Result::ok).collect();
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        if self.reach().is_some() && self.read_many(&tiles, &mut bytes, &mut ends).is_ok() {
            self.nothing_kept();
            let starts = std::iter::once(0).chain(ends.iter().copied());
            return starts.zip(&ends).map(|(from, &to)| bytes[from..to].to_vec()).collect();
        }
        tiles.iter().filter_map(|tile| self.content(Entry::of(tile)).ok()).collect()
    }

    fn as_pmtiles(&self) -> Option<&PmtilesReader> {
        Some(self)
    }

    fn tile_count(&self) -> Result<u64> {
        match self.header.addressed_tiles {
            0 => self.entries().map(|entry| entry.map(|e| u64::from(e.run))).sum(),
            known => Ok(known),
        }
    }

    fn runs(&self, visit: &mut dyn FnMut(TileRun) -> Result<()>) -> Result<()> {
        for entry in self.entries() {
            let Entry { id, offset, len, run } = entry?;
            visit(TileRun { first: TileId(id), count: run.into(), bytes: len.into(), content: offset })?;
        }
        Ok(())
    }

    fn facts(&self) -> Result<Json> {
        let h = &self.header;
        let mut facts = Map::new();
        let mut set = |key: &str, value: Value| drop(facts.insert(key.to_owned(), value));
        set("spec_version", 3.into());
        set("file_bytes", self.file.len().into());
        for (name, offset, length) in h.sections() {
            set(&name.replace(' ', "_"), json!({ "offset": offset, "bytes": length }));
        }
        set("addressed_tiles", h.addressed_tiles.into());
        set("tile_entries", h.tile_entries.into());
        set("tile_contents", h.tile_contents.into());
        set("clustered", h.clustered.into());
        set("internal_compression", h.internal_compression.name().into());
        set("tile_compression", h.tile_compression.name().into());
        set("tile_type", h.tile_type.into());
        set("min_zoom", h.min_zoom.into());
        set("max_zoom", h.max_zoom.into());
        set("bounds", json!(h.bounds));
        set("center", json!([h.center[0], h.center[1], h.center_zoom]));
        Ok(Json::of(Value::Object(facts)))
    }
}

/// Says whether a leaf with these identifiers is walked.
type Keep<'a> = Box<dyn Fn(&Range<u64>) -> bool + Send + 'a>;

struct Frame {
    entries: Arc<Vec<Entry>>,
    at: usize,
    end: u64,
}

/// Walks all directories in order. Ends after the first error.
///
/// Every leaf must keep to the identifiers between its own entry and the next, so that no file makes the walk loop.
pub(in crate::archive) struct Entries<'a> {
    reader: &'a PmtilesReader,
    /// Which leaves are walked, by the identifiers that they may hold; all where it is `None`.
    keep: Option<Keep<'a>>,
    stack: Vec<Frame>,
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let depth = self.stack.len();
            let frame = self.stack.last_mut()?;
            let Some(&entry) = frame.entries.get(frame.at) else {
                self.stack.pop();
                continue;
            };
            frame.at += 1;
            if entry.run > 0 {
                return Some(Ok(entry));
            }
            let end = frame.entries.get(frame.at).map_or(frame.end, |next| next.id);
            if self.keep.as_ref().is_some_and(|keep| !keep(&(entry.id..end))) {
                continue;
            }
            let place = DirectoryRef::of(entry, end);
            let leaf = if depth == MAX_DEPTH {
                Err(self.reader.too_deep())
            } else if self.reader.must_ask(place) {
                let ahead = frame.leaves_ahead(self.reader, self.keep.as_ref());
                self.reader.file.prefetch(ahead).and_then(|()| self.reader.leaf(place))
            } else {
                self.reader.leaf(place)
            };
            match leaf {
                Ok(entries) => self.stack.push(Frame { entries, at: 0, end }),
                Err(error) => {
                    self.stack.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}
