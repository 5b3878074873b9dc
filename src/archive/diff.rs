//! What differs between two archives: which tiles, and by how much.

use std::cmp::Ordering;

use serde_json::Value;

use super::TileSource;
use super::convert::tell;
use super::join::{Holders, Join};
use super::pipeline::{batches, in_order, threads};
use crate::error::Result;
use crate::json::Json;
use crate::progress::Progress;
use crate::tile::TileCoord;

/// Tiles that are compared in one piece of work.
const BATCH: usize = 32;

/// How one tile differs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// Only the first archive holds it.
    Removed,
    /// Only the second archive holds it.
    Added,
    /// Other bytes, the same pixels.
    Recoded,
    /// Other pixels; `None` where they could not be decoded.
    Changed(Option<PixelDifference>),
}

/// How the pixels of two tiles differ.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PixelDifference {
    /// Pixels that are valid in one tile only.
    pub validity: u64,
    /// Pixels that are valid in both and hold another value.
    pub values: u64,
    /// The largest difference of two values, metres; 0 where they are no heights.
    pub largest: f64,
}

impl PixelDifference {
    /// True where no pixel differs.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.validity + self.values == 0
    }
}

/// Compares the pixels of a tile in both archives, from any thread; `None` where they can't be decoded.
pub type PixelCompare<'a> = &'a (dyn Fn(TileCoord, &[u8], &[u8]) -> Result<Option<PixelDifference>> + Sync);

/// What differs at one zoom.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ZoomDifference {
    /// Zoom.
    pub zoom: u8,
    /// Tiles that are equal byte by byte.
    pub equal: u64,
    /// Tiles that only the first archive holds, and their bytes.
    pub removed: (u64, u64),
    /// Tiles that only the second archive holds, and their bytes.
    pub added: (u64, u64),
    /// Tiles of other bytes and the same pixels.
    pub recoded: u64,
    /// Tiles of other pixels.
    pub changed: u64,
    /// The bytes of all tiles that both hold and that are not equal, in the first and in the second archive.
    pub bytes: (u64, u64),
    /// The largest difference of a height, metres.
    pub largest: f64,
}

/// A tile, how it differs, and its bytes in both archives.
type Compared = (TileCoord, Option<Change>, (u64, u64));

impl ZoomDifference {
    fn add(&mut self, change: Change, bytes: (u64, u64)) {
        match change {
            Change::Removed => self.removed = (self.removed.0 + 1, self.removed.1 + bytes.0),
            Change::Added => self.added = (self.added.0 + 1, self.added.1 + bytes.1),
            Change::Recoded => self.recoded += 1,
            Change::Changed(pixels) => {
                self.changed += 1;
                self.largest = self.largest.max(pixels.map_or(0.0, |p| p.largest));
            }
        }
        if matches!(change, Change::Recoded | Change::Changed(_)) {
            self.bytes = (self.bytes.0 + bytes.0, self.bytes.1 + bytes.1);
        }
    }
}

/// What differs between two archives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Differences {
    /// The zooms that either of them has.
    pub zooms: Vec<ZoomDifference>,
    /// The first tiles that differ, in the order of their identifiers.
    pub first: Vec<(TileCoord, Change)>,
    /// Keys of the metadata whose values differ, with both values.
    pub metadata: Vec<(String, Json, Json)>,
}

impl Differences {
    /// True where every tile is equal, byte by byte or, with `pixels`, at least pixel by pixel.
    #[must_use]
    pub fn same_tiles(&self, pixels: bool) -> bool {
        self.zooms.iter().all(|z| z.removed.0 + z.added.0 + z.changed == 0 && (pixels || z.recoded == 0))
    }

    fn zoom(&mut self, zoom: u8) -> &mut ZoomDifference {
        // Tiles come zoom by zoom.
        if self.zooms.last().is_none_or(|last| last.zoom != zoom) {
            self.zooms.push(ZoomDifference { zoom, ..ZoomDifference::default() });
        }
        let last = self.zooms.len() - 1;
        &mut self.zooms[last]
    }
}

/// Compares all tiles of two archives and keeps the `first` that differ. Tiles of other bytes are compared by their pixels.
///
/// Streams on all processors: memory does not grow with the archives.
///
/// # Errors
/// Where an archive can't be read or the user interrupts.
pub fn diff(
    a: &dyn TileSource,
    b: &dyn TileSource,
    first: usize,
    compare: PixelCompare<'_>,
    progress: &dyn Progress,
) -> Result<Differences> {
    let mut out = Differences { metadata: metadata(a, b), ..Differences::default() };
    progress.begin("comparing tiles", Some(a.tile_count()?.max(b.tile_count()?)), "tiles");
    let inputs = [a, b];
    let work = |batch: Vec<Holders>| -> Result<Vec<Compared>> {
        let mut bytes = [Vec::new(), Vec::new()];
        let mut found = Vec::with_capacity(batch.len());
        for holders in batch {
            let Some(tile) = holders.id.coord() else { continue };
            bytes.iter_mut().for_each(Vec::clear);
            for (n, located) in holders.iter() {
                inputs[n].read(located, &mut bytes[n])?;
            }
            let [old, new] = &bytes;
            let change = match (holders.of(0).is_some(), holders.of(1).is_some()) {
                (true, false) => Some(Change::Removed),
                (false, _) => Some(Change::Added),
                _ if old == new => None,
                _ => Some(match compare(tile, old, new)? {
                    Some(pixels) if pixels.is_none() => Change::Recoded,
                    pixels => Change::Changed(pixels),
                }),
            };
            found.push((tile, change, (old.len() as u64, new.len() as u64)));
        }
        Ok(found)
    };
    in_order(threads(), batches(Join::new(&inputs)?, BATCH, progress), work, |found: Vec<Compared>| {
        progress.advance(found.len() as u64);
        for (tile, change, bytes) in found {
            match change {
                None => out.zoom(tile.z()).equal += 1,
                Some(change) => {
                    out.zoom(tile.z()).add(change, bytes);
                    if out.first.len() < first {
                        out.first.push((tile, change));
                    }
                }
            }
        }
        Ok(())
    })?;
    progress.end();
    tell(&inputs, progress);
    Ok(out)
}

/// The keys whose values differ. Degrees that differ only by a header's rounding count as equal.
fn metadata(a: &dyn TileSource, b: &dyn TileSource) -> Vec<(String, Json, Json)> {
    let (a, b) = (a.metadata().to_map(), b.metadata().to_map());
    let mut keys: Vec<&String> = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))).collect();
    keys.sort();
    let of = |map: &serde_json::Map<String, Value>, key: &str| map.get(key).cloned().unwrap_or(Value::Null);
    let pairs = keys.into_iter().map(|key| (key, of(&a, key), of(&b, key))).filter(|(_, a, b)| !same(a, b));
    pairs.map(|(key, a, b)| (key.clone(), Json::of(a), Json::of(b))).collect()
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => {
            let difference = x.as_f64().zip(y.as_f64()).map(|(x, y)| (x - y).abs().partial_cmp(&1e-6));
            matches!(difference, Some(Some(Ordering::Less)))
        }
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        // MBTiles keeps numbers as texts.
        (Value::Number(x), Value::String(y)) | (Value::String(y), Value::Number(x)) => x.to_string() == *y,
        (a, b) => a == b,
    }
}
