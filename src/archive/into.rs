//! Tiles of archives into an MBTiles archive that exists, where it is.

use std::path::Path;

use super::join::{Holders, Join};
use super::mbtiles::InPlace;
use super::merge::{OnOverlap, merged_metadata, overlap};
use super::pipeline::{batches, in_order, threads};
use super::seen::Fence;
use super::{ArchiveKind, ArchiveMetadata, TileSource, open};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tile::{Bounds, TileCoord};

/// Tiles in one piece of work.
const BATCH: usize = 64;

/// What [`merge_into`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IntoSummary {
    /// Tiles that are new.
    pub added: u64,
    /// Tiles that took the place of others.
    pub replaced: u64,
    /// Tiles of the inputs that were left out, because the archive had one or another input won.
    pub left: u64,
    /// The size of the file, bytes.
    pub file_size: u64,
}

/// Puts the tiles of all inputs into the MBTiles archive at `path`, in one transaction: it has all of them afterwards, or is as it was. It
/// counts as the first of the archives that overlap. Its metadata are united with those of the inputs.
///
/// Costs a look-up and a write for each tile of the inputs; the tiles that are there are not read.
///
/// # Errors
/// Where it is no MBTiles archive with a table of tiles and an index, or can't be written; as [`merge`](super::merge).
pub fn merge_into(
    path: &Path,
    inputs: &[&dyn TileSource],
    on_overlap: OnOverlap,
    progress: &dyn Progress,
) -> Result<IntoSummary> {
    refuse_others(path)?;
    let target = InPlace::begin(path)?;
    let base = open(path)?;
    let all: Vec<&dyn TileSource> = std::iter::once(base.as_ref()).chain(inputs.iter().copied()).collect();
    let mut metadata = merged_metadata(&all)?;
    metadata.center = base.metadata().center.or(metadata.center);
    // A reader would keep the changes from being written.
    drop(base);
    let total = inputs.iter().try_fold(0u64, |sum, input| Ok::<_, Error>(sum.saturating_add(input.tile_count()?)))?;
    progress.begin("merging tiles", Some(total), "tiles");
    let work = |batch: Vec<Holders>| -> Result<Vec<(TileCoord, Holders, Vec<u8>)>> {
        let read = |holders: Holders| {
            if let (OnOverlap::Error, Some(&(n, _))) = (on_overlap, holders.others.first()) {
                return Err(overlap(holders.id, inputs[holders.first.0].path(), inputs[n].path()));
            }
            let (input, at) = if on_overlap == OnOverlap::Last { holders.last() } else { holders.first };
            let Some(tile) = holders.id.coord() else { return Ok(None) };
            let mut bytes = Vec::new();
            inputs[input].read(at, &mut bytes)?;
            Ok(Some((tile, holders, bytes)))
        };
        batch.into_iter().filter_map(|holders| read(holders).transpose()).collect()
    };
    let mut summary = IntoSummary::default();
    in_order(threads(), batches(Join::new(inputs)?, BATCH, progress), work, |tiles| {
        for (tile, holders, bytes) in tiles {
            let others = holders.others.len() as u64;
            progress.advance(1 + others);
            summary.left += others;
            match (target.holds(tile)?, on_overlap) {
                (true, OnOverlap::Error) => return Err(overlap(holders.id, path, inputs[holders.first.0].path())),
                (true, OnOverlap::First) => {
                    summary.left += 1;
                    continue;
                }
                (true, OnOverlap::Last) => summary.replaced += 1,
                (false, _) => summary.added += 1,
            }
            target.put(tile, &bytes)?;
        }
        Ok(())
    })?;
    progress.end();
    super::convert::tell(inputs, progress);
    summary.file_size = target.commit(&metadata)?;
    Ok(summary)
}

/// Tiles that an archive lacks, and what it says of itself with them.
pub(crate) struct Additions {
    pub(crate) metadata: ArchiveMetadata,
    pub(crate) count: u64,
    /// Read without the archive, in any order.
    pub(crate) tiles: Box<dyn Iterator<Item = Result<(TileCoord, Vec<u8>)>>>,
}

/// Puts tiles that are made from an MBTiles archive into it, in one transaction: it has all of them afterwards, or is as it was. No other
/// program can write while they are made. Where there are none, nothing is changed.
///
/// # Errors
/// As [`merge_into`]; those of `make`.
pub(crate) fn add_in_place(
    path: &Path,
    make: impl FnOnce(&dyn TileSource) -> Result<Additions>,
    progress: &dyn Progress,
) -> Result<IntoSummary> {
    refuse_others(path)?;
    let target = InPlace::begin(path)?;
    let base = open(path)?;
    let additions = make(base.as_ref())?;
    // A reader would keep the changes from being written.
    drop(base);
    let mut summary = IntoSummary { added: additions.count, ..IntoSummary::default() };
    if additions.count == 0 {
        summary.file_size = std::fs::metadata(path).map_err(Error::io("read the size of", path))?.len();
        return Ok(summary);
    }
    progress.begin("writing tiles", Some(additions.count), "tiles");
    let mut metadata = additions.metadata;
    let fence = metadata.bounds.map(Fence::of);
    let mut outside: Option<Bounds> = None;
    for tile in additions.tiles {
        let (tile, bytes) = tile?;
        target.put(tile, &bytes)?;
        if fence.as_ref().is_some_and(|fence| !fence.holds(tile)) {
            outside = Some(outside.map_or(tile.bounds(), |found| found.union(&tile.bounds())));
        }
        progress.advance(1);
        if progress.interrupted() {
            return Err(Error::Interrupted);
        }
    }
    progress.end();
    if let (Some(bounds), Some(outside)) = (&mut metadata.bounds, outside) {
        // Clients don't ask for what lies outside.
        let [west, south, east, north] = outside.to_lon_lat().map(|v| (v * 1e7).round() / 1e7);
        *bounds = [bounds[0].min(west), bounds[1].min(south), bounds[2].max(east), bounds[3].max(north)];
    }
    summary.file_size = target.commit(&metadata)?;
    Ok(summary)
}

/// Refuses what is not changed in place.
pub(super) fn refuse_others(path: &Path) -> Result<()> {
    match ArchiveKind::detect(path)? {
        ArchiveKind::Mbtiles => Ok(()),
        kind => {
            let problem = format!("is a {}; only MBTiles are changed in place", kind.name());
            Err(Error::other_kind(problem, "write a new archive, with an output").with_path(path))
        }
    }
}
