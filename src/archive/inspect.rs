//! What an archive holds, from its directories and addresses; no tile is read.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use super::TileSource;
use crate::error::Result;
use crate::tile::TileCoord;

/// The tiles of one zoom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ZoomStatistics {
    /// Zoom.
    pub zoom: u8,
    /// Tiles (addresses).
    pub tiles: u64,
    /// The bytes of all tiles, each counted as often as it is addressed.
    pub bytes: u64,
    /// The largest tile, bytes.
    pub largest: u64,
}

/// A tile and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LargeTile {
    /// The tile; the first of its run where neighbours share it.
    pub tile: TileCoord,
    /// Its size, bytes.
    pub bytes: u64,
}

/// What [`summary`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ArchiveOverview {
    /// The zooms that have tiles.
    pub zooms: Vec<ZoomStatistics>,
    /// The largest tiles, the largest first.
    pub largest: Vec<LargeTile>,
    /// Tiles (addresses).
    pub tiles: u64,
    /// Contents that are stored; equal to `tiles` in MBTiles. `None` beyond eight million.
    pub contents: Option<u64>,
    /// The bytes of all tiles, each counted as often as it is addressed.
    pub bytes: u64,
}

/// How many contents are distinguished: about 150 MB.
const CONTENTS_CAP: usize = 8_000_000;

/// Counts tiles and bytes by zoom and finds the `largest` tiles.
///
/// Costs one walk over the directories or addresses.
///
/// # Errors
/// Where the archive can't be read or is damaged.
pub fn summary(source: &dyn TileSource, largest: usize) -> Result<ArchiveOverview> {
    let mut zooms: Vec<ZoomStatistics> = Vec::new();
    let mut top: BinaryHeap<Reverse<(u64, Reverse<u64>)>> = BinaryHeap::new();
    let mut contents: Option<HashSet<u64>> = Some(HashSet::new());
    source.runs(&mut |run| {
        let mut from = run.first.0;
        let end = from.saturating_add(run.count);
        while let Some(zoom) = crate::tile::TileId(from).zoom().filter(|_| from < end) {
            // A run may go on into the next zoom.
            let zoom_end = crate::tile::TileId::first(zoom).0 + (1u64 << (2 * u32::from(zoom)));
            let count = end.min(zoom_end) - from;
            while zooms.len() <= usize::from(zoom) {
                zooms.push(ZoomStatistics { zoom: zooms.len() as u8, ..ZoomStatistics::default() });
            }
            let entry = &mut zooms[usize::from(zoom)];
            entry.tiles += count;
            entry.bytes = entry.bytes.saturating_add(count.saturating_mul(run.bytes));
            entry.largest = entry.largest.max(run.bytes);
            from += count;
        }
        top.push(Reverse((run.bytes, Reverse(run.first.0))));
        if top.len() > largest {
            top.pop();
        }
        if let Some(set) = &mut contents {
            set.insert(run.content);
        }
        if contents.as_ref().is_some_and(|set| set.len() > CONTENTS_CAP) {
            contents = None;
        }
        Ok(())
    })?;
    zooms.retain(|zoom| zoom.tiles > 0);
    let largest = top
        .into_sorted_vec()
        .into_iter()
        .filter_map(|Reverse((bytes, Reverse(id)))| Some(LargeTile { tile: crate::tile::TileId(id).coord()?, bytes }));
    Ok(ArchiveOverview {
        largest: largest.collect(),
        tiles: zooms.iter().map(|z| z.tiles).sum(),
        bytes: zooms.iter().fold(0, |sum, z| sum.saturating_add(z.bytes)),
        contents: contents.map(|set| set.len() as u64),
        zooms,
    })
}
