//! Where a plan is cut.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::Shard;
use super::contents::{Contents, ShardRaster};
use crate::error::Result;
use crate::plan::{Estimate, Step, Unit};
use crate::tile::{Bounds, TileCoord, TileId};
use crate::worker::aggregate::Job;

/// The heaviest block may have this share of what a shard is to have, so that shards come out alike.
const LARGEST_BLOCK: f64 = 0.15;

/// Cuts a plan into about `count` shards of like work, and the one that is made of them.
pub(super) fn shards(job: &Job<'_>, count: u32) -> Result<Vec<Shard>> {
    let steps: Vec<&Step> = job.plan.groups.iter().flat_map(|group| &group.steps).collect();
    let roots = roots(&steps, count.max(1));
    let keys: Vec<u64> = steps[roots.step].units.iter().map(|unit| key(unit.block)).collect();
    let shard_of = dealt(&roots.weights, count.max(1));
    let top = count.max(1) as usize;
    let mut parts: Vec<Vec<Vec<Unit>>> = vec![vec![Vec::new(); steps.len()]; top + 1];
    for (at, step) in steps.iter().enumerate() {
        for unit in &step.units {
            let below = || shard_of[root_of(&keys, unit.block, steps[roots.step].block_zoom)] as usize;
            let part = if at <= roots.step { below() } else { top };
            parts[part][at].push(*unit);
        }
    }
    // No number is left out.
    parts.retain(|part| part.iter().any(|units| !units.is_empty()));
    let last = parts.len() - 1;
    let has_top = roots.step + 1 < steps.len();
    let mut contents = Contents::default();
    let described = parts.into_iter().enumerate().map(|(n, units)| {
        let needs = if has_top && n == last { (0..last as u32).collect() } else { Vec::new() };
        described(job, n as u32, needs, &units, &mut contents)
    });
    described.collect()
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
    // Tiles are whole numbers.
    let mut least: BinaryHeap<Reverse<(u64, u32)>> = (0..count).map(|shard| Reverse((0, shard))).collect();
    for block in heaviest {
        let Some(Reverse((has, shard))) = least.pop() else { break };
        shard_of[block] = shard;
        least.push(Reverse((has + weights[block] as u64, shard)));
    }
    shard_of
}

/// True where the heaviest block is small beside what each of so many shards is to have.
fn are_small(weights: &[f64], count: u32) -> bool {
    let largest = weights.iter().copied().fold(0.0, f64::max);
    largest <= weights.iter().sum::<f64>() / f64::from(count) * LARGEST_BLOCK
}

struct Roots {
    /// The step whose blocks are dealt out, with all that is below them.
    step: usize,
    /// The tiles below each of its blocks.
    weights: Vec<f64>,
}

/// The coarsest step whose blocks are small enough; else the finest.
fn roots(steps: &[&Step], count: u32) -> Roots {
    for step in (0..steps.len()).rev() {
        let keys: Vec<u64> = steps[step].units.iter().map(|unit| key(unit.block)).collect();
        let mut weights = vec![0.0; keys.len()];
        for unit in steps[..=step].iter().flat_map(|step| &step.units) {
            weights[root_of(&keys, unit.block, steps[step].block_zoom)] += unit.tiles as f64;
        }
        if step == 0 || are_small(&weights, count) {
            return Roots { step, weights };
        }
    }
    Roots { step: 0, weights: Vec::new() }
}

fn key(block: TileCoord) -> u64 {
    TileId::from(block).0
}

/// Which of the blocks with these keys, all of one zoom, lies above a block.
fn root_of(keys: &[u64], block: TileCoord, zoom: u8) -> usize {
    let above = block.ancestor(zoom).map_or(0, key);
    keys.partition_point(|&key| key <= above).saturating_sub(1)
}

fn described(
    job: &Job<'_>,
    number: u32,
    needs: Vec<u32>,
    steps: &[Vec<Unit>],
    contents: &mut Contents,
) -> Result<Shard> {
    let tiles = steps.iter().flatten().map(|unit| unit.tiles).sum();
    let guess = Estimate::of_tiles(tiles, job.store.tile_size());
    Ok(Shard {
        number,
        units: steps.iter().map(|units| units.len() as u64).sum(),
        tiles,
        cpu_seconds: guess.cpu_seconds,
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
