//! What heights an archive holds.

use super::coding::Coding;
use crate::archive::pipeline::{batches, in_order, threads};
use crate::archive::{Located, TileSource};
use crate::error::Result;
use crate::progress::Progress;
use crate::terrain::ElevationTile;
use crate::tile::TileCoord;

/// Tiles in one piece of work.
const BATCH: usize = 8;
/// The lowest and the highest height that a histogram distinguishes, metres; the Earth lies between them.
const RANGE: (i32, i32) = (-12_000, 10_000);
/// The width of its finest class, metres.
const CLASS: i32 = 10;

/// Heights of many tiles.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// Tiles that were decoded.
    pub tiles: u64,
    /// Pixels with a height.
    pub pixels: u64,
    /// Pixels without.
    pub nodata: u64,
    /// The lowest and the highest height, metres; `None` without any.
    pub range: Option<(f32, f32)>,
    sum: f64,
    classes: Vec<u64>,
}

impl Default for Statistics {
    fn default() -> Self {
        let classes = vec![0; ((RANGE.1 - RANGE.0) / CLASS) as usize];
        Self { tiles: 0, pixels: 0, nodata: 0, range: None, sum: 0.0, classes }
    }
}

impl Statistics {
    /// Adds a tile.
    pub fn add(&mut self, tile: &ElevationTile) {
        self.tiles += 1;
        let (mut low, mut high, mut count) = (f32::INFINITY, f32::NEG_INFINITY, 0u64);
        for (&value, _) in tile.values.iter().zip(&tile.valid).filter(|(_, valid)| **valid == 1) {
            (low, high, count) = (low.min(value), high.max(value), count + 1);
            self.sum += f64::from(value);
            // A cast saturates, so values outside go into the first or the last class.
            let class = ((value - RANGE.0 as f32) / CLASS as f32).floor() as usize;
            let last = self.classes.len() - 1;
            self.classes[class.min(last)] += 1;
        }
        self.pixels += count;
        self.nodata += tile.values.len() as u64 - count;
        if count > 0 {
            self.range = Some(self.range.map_or((low, high), |(a, b)| (a.min(low), b.max(high))));
        }
    }

    fn join(&mut self, other: &Self) {
        self.tiles += other.tiles;
        self.pixels += other.pixels;
        self.nodata += other.nodata;
        self.sum += other.sum;
        self.classes.iter_mut().zip(&other.classes).for_each(|(a, b)| *a += b);
        self.range = match (self.range, other.range) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }

    /// The mean height, metres.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.pixels > 0).then(|| self.sum / self.pixels as f64)
    }

    /// About `rows` classes at most, of a round width from the lowest to the highest height: lower edge in metres, and pixels.
    #[must_use]
    pub fn histogram(&self, rows: usize) -> Vec<(i32, u64)> {
        let Some((low, high)) = self.range else { return Vec::new() };
        let clamp = |v: f32| v.clamp(RANGE.0 as f32, (RANGE.1 - CLASS) as f32);
        let (low, high) = (clamp(low).floor() as i32, clamp(high).floor() as i32);
        let widths = [1, 2, 5].map(|n| n * CLASS).into_iter().flat_map(|n| [n, n * 10, n * 100, n * 1000]);
        let mut widths: Vec<i32> = widths.collect();
        widths.sort_unstable();
        let count = |width: i32| (high.div_euclid(width) - low.div_euclid(width) + 1) as usize;
        let width = widths.iter().copied().find(|&w| count(w) <= rows.max(1)).unwrap_or(RANGE.1 - RANGE.0);
        let first = low.div_euclid(width) * width;
        let mut out: Vec<(i32, u64)> = (0..count(width) as i32).map(|n| (first + n * width, 0)).collect();
        for (class, pixels) in self.classes.iter().enumerate().filter(|(_, pixels)| **pixels > 0) {
            let lower = RANGE.0 + class as i32 * CLASS;
            let at = ((lower - first).div_euclid(width)).clamp(0, out.len() as i32 - 1);
            out[at as usize].1 += pixels;
        }
        out
    }
}

/// The heights of about `limit` tiles of the deepest zoom, spread evenly, or of all of them.
///
/// # Errors
/// Where the archive holds no heights, can't be read, or the user interrupts. Tiles that can't be decoded are left out.
pub fn sample(source: &dyn TileSource, limit: Option<u64>, progress: &dyn Progress) -> Result<Statistics> {
    let Coding::Elevation(codec) = Coding::of(source)? else { return Ok(Statistics::default()) };
    let max = source.metadata().maxzoom.unwrap_or(0);
    let deepest = || -> Result<_> {
        Ok(source.tiles_of(max)?.filter_map(move |tile| match tile {
            Ok(tile) => tile.id.coord().map(|coord| Ok((coord, tile))),
            Err(error) => Some(Err(error)),
        }))
    };
    let total = deepest()?.try_fold(0u64, |n, tile| tile.map(|_| n + 1))?;
    let step = limit.map_or(1, |limit| total.div_ceil(limit.max(1)).max(1));
    progress.begin("reading heights", Some(total.div_ceil(step)), "tiles");
    let chosen = deepest()?.enumerate().filter(|(n, tile)| tile.is_err() || (*n as u64).is_multiple_of(step));
    // Sums depend on their order; so parts are joined in the order of the tiles.
    let mut all = Statistics::default();
    let work = |batch: Vec<(TileCoord, Located)>| -> Result<Statistics> {
        let mut part = Statistics::default();
        for (_, located) in batch {
            let mut bytes = Vec::new();
            source.read(located, &mut bytes)?;
            if let Ok(tile) = codec.decode(&bytes) {
                part.add(&tile);
            }
        }
        Ok(part)
    };
    in_order(threads(), batches(chosen.map(|(_, tile)| tile), BATCH, progress), work, |part: Statistics| {
        progress.advance(part.tiles);
        all.join(&part);
        Ok(())
    })?;
    progress.end();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_round_and_hold_every_pixel() {
        let mut tile = ElevationTile::empty(16);
        for (at, value) in tile.values.iter_mut().enumerate() {
            (*value, tile.valid[at]) = (at as f32 * 10.0 - 55.0, u8::from(at % 4 != 0));
        }
        let mut statistics = Statistics::default();
        statistics.add(&tile);
        statistics.add(&tile);
        assert_eq!((statistics.tiles, statistics.pixels, statistics.nodata), (2, 384, 128));
        assert_eq!(statistics.range, Some((-45.0, 2495.0)));
        let histogram = statistics.histogram(20);
        assert_eq!(histogram.iter().map(|(edge, _)| *edge).collect::<Vec<_>>()[..3], [-200, 0, 200]);
        assert_eq!(histogram.iter().map(|(_, n)| n).sum::<u64>(), 384);
        assert_eq!(histogram[0].1, 8);
        assert!(statistics.histogram(2).len() == 2 && Statistics::default().histogram(5).is_empty());
    }
}
