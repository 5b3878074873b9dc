//! PMTiles behind a URL: what is read together, and what was asked of the server.
//!
//! A request costs a way to the server and back, tens of milliseconds, in which a megabyte could have come. So directories are asked for
//! some at a time, and tiles that lie near each other together.

#[cfg(feature = "remote")]
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "remote")]
use bytes::Bytes;
#[cfg(feature = "remote")]
use quick_cache::sync::Cache;

use super::directory::Entry;
use super::reader::PmtilesReader;
#[cfg(feature = "remote")]
use super::reader::TILE_CAP;
use crate::archive::Located;
#[cfg(feature = "remote")]
use crate::archive::reach::SPAN;
use crate::archive::reach::{Gaps, Traffic};
use crate::archive::read_at::Reach;
#[cfg(feature = "remote")]
use crate::archive::read_at::ReadAt;
use crate::archive::select::Filter;
use crate::error::{Error, Result};
#[cfg(feature = "remote")]
use crate::remote::{Object, Place, join};

/// What a reader knows about a remote archive besides its directories.
#[derive(Debug)]
pub(super) struct Far {
    /// How far apart tiles are read together.
    reach: Mutex<Reach>,
    /// Bytes of tiles that were asked for and came, each answer's once.
    #[cfg(feature = "remote")]
    kept: AtomicU64,
    /// Contents that came by a request of their own because an earlier tile has them too, as tiles of the sea do.
    #[cfg(feature = "remote")]
    repeated: Cache<u64, Bytes>,
    /// Pieces of [`SPAN`] bytes, where all is read in order.
    #[cfg(feature = "remote")]
    pieces: Cache<u64, Bytes>,
}

/// Contents that are kept because they repeat: up to [`KEPT_SIZE`] bytes each, 16 MB in all.
#[cfg(feature = "remote")]
const REPEATED: usize = 256;
#[cfg(feature = "remote")]
const KEPT_SIZE: usize = 64 << 10;
/// Pieces that are kept: 32 MB.
#[cfg(feature = "remote")]
const PIECES: usize = 8;

impl Default for Far {
    fn default() -> Self {
        Self {
            reach: Mutex::new(Reach::UNPLANNED),
            #[cfg(feature = "remote")]
            kept: AtomicU64::new(0),
            #[cfg(feature = "remote")]
            repeated: Cache::new(REPEATED),
            #[cfg(feature = "remote")]
            pieces: Cache::new(PIECES),
        }
    }
}

impl PmtilesReader {
    /// How tiles of a remote archive are read together; `None` for a file.
    pub(in crate::archive) fn reach(&self) -> Option<Reach> {
        #[cfg(feature = "remote")]
        if self.file.object().is_some() {
            return Some(*self.far.reach.lock().unwrap_or_else(PoisonError::into_inner));
        }
        None
    }

    /// Looks at the tiles that a filter takes, and chooses how far apart they are read together, so that little is read that nobody
    /// wants. Nothing for a file.
    ///
    /// # Errors
    /// Where directories can't be read.
    pub(in crate::archive) fn plan(&self, filter: &Filter<'_>) -> Result<()> {
        if self.reach().is_some() {
            let mut gaps = Gaps::default();
            for tile in filter.chosen(self)? {
                gaps.see(&tile?);
            }
            *self.far.reach.lock().unwrap_or_else(PoisonError::into_inner) = gaps.reach();
        }
        Ok(())
    }

    /// Says that the tiles that were read so far were only looked at.
    pub(super) fn nothing_kept(&self) {
        #[cfg(feature = "remote")]
        self.far.kept.store(0, Ordering::Relaxed);
    }

    /// What was asked of the server so far; `None` for a file.
    pub(crate) fn traffic(&self) -> Option<Traffic> {
        #[cfg(feature = "remote")]
        return self.file.object().map(|object| {
            let (requests, bytes) = object.traffic();
            Traffic { requests, bytes, kept: self.far.kept.load(Ordering::Relaxed) }
        });
        #[cfg(not(feature = "remote"))]
        None
    }
}

#[cfg(feature = "remote")]
impl PmtilesReader {
    /// Opens an archive behind a URL: one request for header, root directory and mostly the metadata, and up to three for the rest and
    /// the directories of the first and the last tiles.
    ///
    /// # Errors
    /// Where there is no such object, the server refuses it or sends whole files only, or it is not a whole PMTiles archive of version 3.
    pub(in crate::archive) fn open_remote(place: Place) -> Result<Self> {
        let object = Object::open(place)?;
        refuse_others(&object)?;
        let file = ReadAt::of(object);
        let path = file.path().to_path_buf();
        Self::from_file(file, &path).map_err(|error| error.with_path(&path))
    }
}

/// Refuses what is no PMTiles, with what to do about it.
#[cfg(feature = "remote")]
fn refuse_others(object: &Object) -> Result<()> {
    let start = object.read(0..object.len().min(64))?;
    let what = if start.starts_with(b"SQLite format 3\0") {
        "MBTiles"
    } else if crate::heights::is_heights(&start) {
        "a file of heights"
    } else {
        return Ok(());
    };
    let problem =
        format!("is {what}, which is read at too many places for a server: download it first, or make PMTiles of it");
    Err(Error::argument(object.name(), problem))
}

impl PmtilesReader {
    /// Contents of an archive in the order of `tiles`, as [`read_many`](crate::archive::TileSource::read_many): what lies near
    /// together by one request, several at a time.
    #[cfg(feature = "remote")]
    pub(super) fn read_together(
        &self,
        tiles: &[Located],
        reach: Reach,
        into: &mut Vec<u8>,
        ends: &mut Vec<usize>,
    ) -> Result<()> {
        let Some(object) = self.file.object() else { return Err(Error::internal("a file has no requests")) };
        let mut parts = Vec::with_capacity(tiles.len());
        let mut furthest = 0;
        for tile in tiles {
            let start = self.start_of(Entry::of(tile))?;
            let range = self.file.inside(start, tile.bytes.into(), TILE_CAP, "tile")?;
            let before = start < furthest;
            furthest = furthest.max(range.end);
            let known = before.then(|| self.far.repeated.get(&start)).flatten();
            parts.push((range, before, known.filter(|known| known.len() as u64 == u64::from(tile.bytes))));
        }
        let mut wanted: Vec<_> =
            parts.iter().filter(|(.., known)| known.is_none()).map(|(range, ..)| range.clone()).collect();
        wanted.sort_by_key(|range| (range.start, range.end));
        wanted.dedup();
        let kept = wanted.iter().map(|range| range.end - range.start).sum();
        let spans = join(wanted, reach.gap);
        let fetched = object.fetch(spans.clone())?;
        self.far.kept.fetch_add(kept, Ordering::Relaxed);
        for (range, before, known) in parts {
            let content = match known {
                Some(known) => known,
                None => {
                    let n = spans.partition_point(|span| span.start <= range.start).saturating_sub(1);
                    let from = (range.start - spans[n].start) as usize;
                    fetched[n].slice(from..from + (range.end - range.start) as usize)
                }
            };
            into.extend_from_slice(&content);
            ends.push(into.len());
            if before && content.len() <= KEPT_SIZE {
                // A copy, for a slice would keep all of its answer.
                self.far.repeated.insert(range.start, Bytes::copy_from_slice(&content));
            }
        }
        Ok(())
    }

    /// As there; files have no reach.
    #[cfg(not(feature = "remote"))]
    pub(super) fn read_together(&self, _: &[Located], _: Reach, _: &mut Vec<u8>, _: &mut Vec<usize>) -> Result<()> {
        Err(Error::internal("a file has no requests"))
    }

    /// The content of an entry, where the contents of all entries are read in order.
    ///
    /// # Errors
    /// As [`content`](Self::content).
    pub(in crate::archive) fn content_in_order(&self, entry: Entry) -> Result<Vec<u8>> {
        #[cfg(feature = "remote")]
        if let Some(object) = self.file.object() {
            let start = self.start_of(entry)?;
            let range = self.file.inside(start, entry.len.into(), TILE_CAP, "tile")?;
            let mut content = Vec::with_capacity(entry.len as usize);
            for piece in range.start / SPAN..range.end.div_ceil(SPAN) {
                let place = piece * SPAN..((piece + 1) * SPAN).min(self.file.len());
                // Threads that want the same piece wait for one request.
                let bytes = self.far.pieces.get_or_insert_with(&piece, || object.read(place.clone()))?;
                let inside = |at: u64| (at.clamp(place.start, place.end) - place.start) as usize;
                content.extend_from_slice(&bytes[inside(range.start)..inside(range.end)]);
            }
            return Ok(content);
        }
        self.content(entry)
    }
}
