//! Where a plan is cut.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::contents::{Contents, ShardRaster};
use super::{Shard, trial};
use crate::error::Result;
use crate::plan::{Estimate, Plan, Step, Unit};
use crate::progress::Progress;
use crate::render::RasterOpener;
use crate::tile::{Bounds, TileCoord, TileId};
use crate::worker::aggregate::Job;

/// The heaviest block may have this share of what a shard is to have, so that shards come out alike.
const LARGEST_BLOCK: f64 = 0.15;

/// Cuts a plan into about `count` shards of like work, and the one that is made of them. Gives the plan with the steps that fit them.
pub(super) fn shards(
    job: &Job<'_>,
    count: u32,
    opener: &dyn RasterOpener,
    progress: &dyn Progress,
) -> Result<(Plan, Vec<Shard>)> {
    let count = count.max(1);
    let root = root_zoom(job.plan, count);
    let plan = job.plan.cut_above(job.store, root)?;
    let steps: Vec<&Step> = plan.groups.iter().flat_map(|group| &group.steps).collect();
    let (keys, tiles): (Vec<u64>, Vec<f64>) = weights(&steps, root).into_iter().unzip();
    let costs = trial::costs(job, &steps, &keys, root, opener, progress)?;
    let weights: Vec<f64> = tiles.iter().zip(&costs).map(|(tiles, cost)| tiles * cost).collect();
    let shard_of = dealt(&weights, count);
    let block_of = |unit: &Unit| keys.binary_search(&key(unit.block, root)).ok().filter(|_| unit.block.z() >= root);
    let top = count as usize;
    let mut parts: Vec<Vec<Vec<Unit>>> = vec![vec![Vec::new(); steps.len()]; top + 1];
    for (at, step) in steps.iter().enumerate() {
        for unit in &step.units {
            let part = block_of(unit).map_or(top, |block| shard_of[block] as usize);
            parts[part][at].push(*unit);
        }
    }
    // No number is left out.
    parts.retain(|part| part.iter().any(|units| !units.is_empty()));
    let last = parts.len() - 1;
    let mut contents = Contents::default();
    let mean = weights.iter().sum::<f64>() / tiles.iter().sum::<f64>().max(1.0);
    let described = parts.into_iter().enumerate().map(|(n, units)| {
        let is_top = root > 0 && n == last && units.iter().flatten().any(|unit| unit.block.z() < root);
        let needs = if is_top { (0..last as u32).collect() } else { Vec::new() };
        let cost = |unit: &Unit| block_of(unit).map_or(mean, |block| costs[block]);
        let seconds = units.iter().flatten().map(|unit| unit.tiles as f64 * cost(unit)).sum();
        described(job, n as u32, needs, &units, seconds, &mut contents)
    });
    let described = described.collect::<Result<_>>()?;
    Ok((plan, described))
}

/// The shard of each block. Small blocks follow one another, so that a shard is one piece of the map. Where they are large beside what a
/// shard is to have, the heaviest goes first, and each to the shard that has least.
fn dealt(weights: &[f64], count: u32) -> Vec<u32> {
    let mut shard_of = vec![0; weights.len()];
    if are_small(weights, count) {
        let (mut before, all) = (0.0, weights.iter().sum::<f64>());
        for (shard, weight) in shard_of.iter_mut().zip(weights) {
            *shard = (((before + weight / 2.0) / all * f64::from(count)) as u32).min(count - 1);
            before += weight;
        }
        return shard_of;
    }
    let mut heaviest: Vec<usize> = (0..weights.len()).collect();
    heaviest.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]).then(a.cmp(&b)));
    // Microseconds are whole numbers.
    let mut least: BinaryHeap<Reverse<(u64, u32)>> = (0..count).map(|shard| Reverse((0, shard))).collect();
    for block in heaviest {
        let Some(Reverse((has, shard))) = least.pop() else { break };
        shard_of[block] = shard;
        least.push(Reverse((has + (weights[block] * 1e6) as u64, shard)));
    }
    shard_of
}

/// True where the heaviest block is small beside what each of so many shards is to have.
fn are_small(weights: &[f64], count: u32) -> bool {
    let largest = weights.iter().copied().fold(0.0, f64::max);
    largest <= weights.iter().sum::<f64>() / f64::from(count) * LARGEST_BLOCK
}

/// The coarsest zoom whose tiles have little enough below them; else that of the blocks of the step with most tiles.
fn root_zoom(plan: &Plan, count: u32) -> u8 {
    let steps = plan.groups.iter().flat_map(|group| &group.steps);
    let Some(main) = steps.max_by_key(|step| step.tiles()) else { return 0 };
    let fits = |zoom: &u8| {
        let weights: Vec<f64> = weights(&[main], *zoom).into_values().collect();
        are_small(&weights, count)
    };
    (0..main.block_zoom).find(fits).unwrap_or(main.block_zoom)
}

/// The tiles below each tile of a zoom, by its key.
fn weights(steps: &[&Step], zoom: u8) -> BTreeMap<u64, f64> {
    let mut weights = BTreeMap::new();
    for unit in steps.iter().flat_map(|step| &step.units).filter(|unit| unit.block.z() >= zoom) {
        *weights.entry(key(unit.block, zoom)).or_default() += unit.tiles as f64;
    }
    weights
}

/// The place along the curve of the tile of a zoom above a block.
pub(super) fn key(block: TileCoord, zoom: u8) -> u64 {
    block.ancestor(zoom).map_or(0, |above| TileId::from(above).0)
}

fn described(
    job: &Job<'_>,
    number: u32,
    needs: Vec<u32>,
    steps: &[Vec<Unit>],
    cpu_seconds: f64,
    contents: &mut Contents,
) -> Result<Shard> {
    let tiles = steps.iter().flatten().map(|unit| unit.tiles).sum();
    let guess = Estimate::of_tiles(tiles, job.store.tile_size());
    Ok(Shard {
        number,
        units: steps.iter().map(|units| units.len() as u64).sum(),
        tiles,
        cpu_seconds,
        memory_bytes: job.budget.with_workers(1),
        bytes_out: guess.output_bytes,
        needs,
        rasters: rasters(job, steps, contents)?,
        steps: steps
            .iter()
            .map(|units| units.iter().map(|unit| (unit.block.to_string(), unit.tiles)).collect())
            .collect(),
    })
}

/// The rasters whose cells the units may need: those that lie over the blocks or a tile beside them, and are not finer than what is
/// sampled there. Finer ones come from finer tiles.
fn rasters(job: &Job<'_>, steps: &[Vec<Unit>], contents: &mut Contents) -> Result<Vec<ShardRaster>> {
    let mut rows = BTreeSet::new();
    let finest = steps.iter().flatten().map(|unit| unit.zooms.max).max().unwrap_or(0);
    let whole = finest >= job.plan.extent.zooms.max;
    for unit in steps.iter().flatten() {
        let margin = unit.block.bounds().width() / f64::from(1u32 << (unit.zooms.max - unit.block.z()));
        let margin = margin + job.options.blend;
        let around = unit.block.bounds();
        let around =
            Bounds::new(around.min_x - margin, around.min_y - margin, around.max_x + margin, around.max_y + margin);
        let found = job.store.overlapping(around);
        rows.extend(found.filter(|record| whole || record.native_zoom() <= finest).map(|record| record.row()));
    }
    rows.into_iter().filter_map(|row| job.store.record(row)).map(|record| contents.raster(&record)).collect()
}
