//! What tiles cost, by making some: terrain, sea and what is blown up from coarse rasters differ tenfold.

use super::cut::key;
use crate::error::{Error, Result};
use crate::plan::{Step, Unit, ZoomRange};
use crate::progress::Progress;
use crate::render::{NoFinerTiles, RasterOpener, Renderer};
use crate::tile::TileCoord;
use crate::worker::aggregate::Job;

/// Tiles that are made for it at most.
const MOST: usize = 2000;
/// And below each block.
const EACH: usize = 6;

/// Seconds of a tile below each block of the zoom `root`, given by their keys. Makes up to six of the finest tiles below each block, 2000
/// in all; a block without one takes the cost of the one before it along the curve.
pub(super) fn costs(
    job: &Job<'_>,
    steps: &[&Step],
    keys: &[u64],
    root: u8,
    opener: &dyn RasterOpener,
    progress: &dyn Progress,
) -> Result<Vec<f64>> {
    let finest = steps.iter().filter(|step| step.block_zoom >= root).max_by_key(|step| step.tiles());
    let Some(finest) = finest.filter(|_| !keys.is_empty()) else { return Ok(vec![1.0; keys.len()]) };
    let mut renderer = Renderer::new(job.store, job.options, opener)?;
    let each = (MOST / keys.len()).clamp(1, EACH);
    let stride = keys.len().div_ceil(MOST);
    let zoom = finest.zooms.max;
    let zooms = ZoomRange::new(zoom, zoom)?;
    let mut found: Vec<Option<f64>> = vec![None; keys.len()];
    progress.begin("trying tiles", Some(keys.len() as u64), "blocks");
    for (at, units) in by_block(finest, keys, root).enumerate().step_by(stride) {
        if progress.interrupted() {
            return Err(Error::Interrupted);
        }
        let tiles: Vec<TileCoord> =
            units.iter().flat_map(|unit| job.plan.extent.tiles(job.store, unit.block, zoom)).collect();
        let mut seconds = Vec::new();
        for n in 0..each.min(tiles.len()) {
            let tile = tiles[(2 * n + 1) * tiles.len() / (2 * each.min(tiles.len()))];
            // A raster may be opened for the first one: the second one counts. What fails is told by whoever makes the shard.
            let mut made = || renderer.unit(&Unit::new(tile, zooms, 1)?, &NoFinerTiles, &mut |_| Ok(()));
            if made().is_ok() {
                let before = processor_seconds();
                if made().is_ok() {
                    seconds.push(processor_seconds() - before);
                }
            }
        }
        if !seconds.is_empty() {
            found[at] = Some(seconds.iter().sum::<f64>() / seconds.len() as f64);
        }
        progress.advance(stride as u64);
    }
    progress.end();
    let known: Vec<f64> = found.iter().flatten().copied().collect();
    let mut last = known.first().copied().unwrap_or(1.0);
    Ok(found
        .into_iter()
        .map(|cost| {
            last = cost.unwrap_or(last);
            last
        })
        .collect())
}

/// The units of a step below each block.
fn by_block<'a>(step: &'a Step, keys: &'a [u64], root: u8) -> impl Iterator<Item = &'a [Unit]> {
    let mut rest = step.units.as_slice();
    keys.iter().map(move |&block| {
        let after = rest.partition_point(|unit| key(unit.block, root) <= block);
        let (these, others) = rest.split_at(after);
        rest = others;
        these
    })
}

/// The processor time of this thread, whatever else the machine does.
#[cfg(unix)]
fn processor_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// The time, where the system does not tell that of a thread.
#[cfg(not(unix))]
fn processor_seconds() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0.0, |since| since.as_secs_f64())
}
