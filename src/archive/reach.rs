//! Which parts of a remote archive are asked for together, and what that costs.

use super::pmtiles::PmtilesReader;
use super::read_at::Reach;
use super::{Located, Selection, TileSource};
use crate::error::Result;

/// The share of bytes that nobody asked for, which may be read to save requests.
const OVERFETCH: u64 = 20;
/// What may be read beyond that share: of a small extract, bytes cost less than the way to the server and back.
const FREE: u64 = 256 << 10;
/// The largest gap that is ever read; on most lines a request of its own is cheaper.
const LARGEST_GAP: u64 = 1 << 20;
/// What is always read rather than left out: about the size of a request.
const SMALLEST_GAP: u64 = 4 << 10;
/// The most bytes of one request for several tiles. A few of them are under way and wait in memory.
pub(super) const SPAN: u64 = 4 << 20;
/// Tiles of one group at most; a content of the sea may have any number of them.
const TILES: usize = 1 << 16;

impl Reach {
    /// Where nothing is known about the tiles that will be read.
    pub(super) const UNPLANNED: Self = Self { gap: 64 << 10, most: SPAN };
}

/// Tiles that one request answers. Those whose content lies before the others, because an earlier tile has it too, come by a request of
/// their own and end no group.
#[derive(Debug, Default)]
pub(super) struct Group {
    start: u64,
    end: u64,
    tiles: usize,
    /// Bytes that lie before, at most.
    before: u64,
}

impl Group {
    /// Takes a tile; false where it begins another group, and has begun it.
    pub(super) fn takes(&mut self, tile: &Located, reach: Reach) -> bool {
        let (from, to) = (tile.place, tile.place.saturating_add(tile.bytes.into()));
        self.tiles += 1;
        let reached = from <= self.end.saturating_add(reach.gap) && to - self.start.min(from) <= reach.most;
        self.before += if from < self.start { to - from } else { 0 };
        let full = self.tiles > TILES || self.before > reach.most;
        if self.tiles == 1 || full || (to > self.end && from >= self.start && !reached) {
            *self = Self { start: from, end: to, tiles: 1, before: 0 };
            return false;
        }
        self.end = self.end.max(to);
        true
    }
}

/// The gaps between tiles that will be read, by size: eight classes for each power of two.
#[derive(Debug)]
pub(super) struct Gaps {
    bytes: Vec<u64>,
    end: Option<u64>,
    kept: u64,
}

impl Default for Gaps {
    fn default() -> Self {
        Self { bytes: vec![0; 8 * 64], end: None, kept: 0 }
    }
}

impl Gaps {
    /// Counts a tile; they come in the order in which they will be read.
    pub(super) fn see(&mut self, tile: &Located) {
        let behind = tile.place.saturating_add(tile.bytes.into());
        if let Some(gap) = self.end.map_or(Some(0), |end| tile.place.checked_sub(end)) {
            self.bytes[class(gap)] += gap;
            self.kept += u64::from(tile.bytes);
            self.end = Some(behind);
        }
    }

    /// The largest gap that is read: such that all of them together are a small share of what is wanted.
    pub(super) fn reach(&self) -> Reach {
        let most = (self.kept / OVERFETCH).max(FREE);
        let (mut sum, mut gap) = (0u64, SMALLEST_GAP);
        for (n, bytes) in self.bytes.iter().enumerate() {
            sum = sum.saturating_add(*bytes);
            if sum > most {
                break;
            }
            gap = gap.max(largest_of(n)).min(LARGEST_GAP);
        }
        Reach { gap, most: SPAN }
    }
}

/// The class of a gap.
fn class(gap: u64) -> usize {
    match gap {
        0..8 => gap as usize,
        _ => {
            let power = gap.ilog2();
            (power as usize - 2) * 8 + ((gap >> (power - 3)) & 7) as usize
        }
    }
}

/// The largest gap of a class.
fn largest_of(class: usize) -> u64 {
    match class {
        0..8 => class as u64,
        _ => (((9 + class as u128 % 8) << (class / 8 - 1)) - 1) as u64,
    }
}

/// What reading chosen tiles will cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[doc(hidden)]
pub struct Forecast {
    /// Tiles.
    pub tiles: u64,
    /// The bytes of their contents, each once.
    pub kept: u64,
    /// The bytes that are read for them.
    pub bytes: u64,
    /// Requests.
    pub requests: u64,
}

impl Forecast {
    /// Counts tiles in the order in which they will be read. Contents that came long before count again.
    pub(super) fn of(tiles: impl Iterator<Item = Located>, reach: Reach) -> Self {
        let (mut group, mut total) = (Group::default(), Self::default());
        let mut last = None;
        for tile in tiles {
            total.tiles += 1;
            let before = group.end;
            if last == Some((tile.place, tile.bytes)) {
                continue;
            }
            last = Some((tile.place, tile.bytes));
            total.kept += u64::from(tile.bytes);
            if !group.takes(&tile, reach) || tile.place < group.start {
                (total.requests, total.bytes) = (total.requests + 1, total.bytes + u64::from(tile.bytes));
            } else {
                total.bytes += group.end - before;
            }
        }
        total
    }
}

/// What was asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[doc(hidden)]
pub struct Traffic {
    /// Requests; one that was repeated because it failed counts once.
    pub requests: u64,
    /// Bytes that came.
    pub bytes: u64,
    /// The bytes among them that are contents of tiles that were wanted, as far as these were read together.
    pub kept: u64,
}

/// What was asked of the server of a remote archive so far; `None` for files and folders.
#[doc(hidden)]
#[must_use]
pub fn traffic(source: &dyn TileSource) -> Option<Traffic> {
    source.as_pmtiles().and_then(PmtilesReader::traffic)
}

/// What a copy of chosen tiles will hold, and what it will cost where the archive is remote. Reads directories or addresses, no tile;
/// MBTiles and folders don't know the sizes of their tiles before.
///
/// # Errors
/// Where the archive can't be read, or the selection is impossible.
#[doc(hidden)]
pub fn forecast(source: &dyn TileSource, selection: &Selection) -> Result<Forecast> {
    let filter = selection.filter()?;
    let reach = match source.as_pmtiles() {
        Some(archive) => {
            archive.plan(&filter)?;
            archive.reach()
        }
        None => None,
    };
    let mut failed = None;
    let tiles = filter.chosen(source)?.map_while(|tile| tile.map_err(|error| failed = Some(error)).ok());
    let found = Forecast::of(tiles, reach.unwrap_or(Reach::UNPLANNED));
    failed.map_or(Ok(found), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::TileId;

    fn tiles(places: &[(u64, u32)]) -> Vec<Located> {
        places.iter().enumerate().map(|(n, &(place, bytes))| Located { id: TileId(n as u64), place, bytes }).collect()
    }

    #[test]
    fn every_gap_lies_in_its_class() {
        let gaps = (0..3000).chain((0..64).flat_map(|n| [1u64 << n, (1 << n) + 1, (1 << n) / 2 * 3, u64::MAX >> n]));
        for gap in gaps {
            let n = class(gap);
            assert!(gap <= largest_of(n), "{gap}");
            assert!(n == 0 || gap > largest_of(n - 1), "{gap}: {n}");
        }
    }

    #[test]
    fn gaps_are_read_as_long_as_they_are_a_small_share() {
        let mut gaps = Gaps::default();
        // 100 tiles of 1 MB, 5 KB apart; then one 100 MB further on.
        tiles(&(0..100).map(|n| (n * 1_005_000, 1_000_000)).collect::<Vec<_>>()).iter().for_each(|t| gaps.see(t));
        gaps.see(&tiles(&[(200_000_000, 10)])[0]);
        let reach = gaps.reach();
        assert!((5000..=LARGEST_GAP).contains(&reach.gap), "{reach:?}");
        // 1000 tiles of 1 kB, 100 kB apart: each for itself.
        let mut gaps = Gaps::default();
        tiles(&(0..1000).map(|n| (n * 100_000, 1000)).collect::<Vec<_>>()).iter().for_each(|t| gaps.see(t));
        assert!((SMALLEST_GAP..99_000).contains(&gaps.reach().gap));
    }

    #[test]
    fn a_forecast_counts_groups_gaps_and_what_lies_before() {
        let reach = Reach { gap: 10, most: 100 };
        // One group with a gap of 5; its second content again; another group, for it is too far; one more, for the first is full.
        let chosen = tiles(&[(0, 20), (25, 20), (25, 20), (0, 20), (60, 50), (110, 50), (160, 30)]);
        let found = Forecast::of(chosen.into_iter(), reach);
        assert_eq!(found, Forecast { tiles: 7, kept: 190, bytes: 45 + 100 + 30, requests: 3 });
        let chosen = tiles(&[(50, 20), (0, 20), (70, 5)]);
        assert_eq!(Forecast::of(chosen.into_iter(), reach), Forecast { tiles: 3, kept: 45, bytes: 45, requests: 2 });
    }
}
