//! Whether coarser tiles are the means of the finer ones.

use crate::archive::pipeline::{batches, in_order, threads};
use crate::archive::{Located, TileSource};
use crate::error::Result;
use crate::progress::Progress;
use crate::terrain::{self, ElevationTile, NO_SOURCE, TileCodec};
use crate::tile::TileCoord;

use super::coding::{Coding, Steps};
use super::overzoom::overzoomed;

/// Parents in one piece of work.
const BATCH: usize = 4;

/// A tile that is not what its children say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParentCheck {
    /// The parent.
    pub tile: TileCoord,
    /// Pixels that differ from the mean (of lineage: from the majority) of the children, or are valid where that isn't.
    pub pixels: u64,
    /// The largest difference, metres; 0 for lineage.
    pub largest: f64,
}

/// Told of a tile of heights that was decoded: which, its bytes, and its pixels.
pub type Decoded<'a> = dyn Fn(TileCoord, &[u8], &ElevationTile) + Sync + 'a;

/// Compares tiles with the means of their children by the contract of ARCHITECTURE.md: the mean of the valid pixels of each
/// 2x2 block as encoded, rounded to the step of the parent's zoom; where the heights went through coarser steps afterwards, as far
/// off as these allow. Quadrants without a child are not compared, nor tiles above a zoom of which some were made out of coarser ones. Looks at
/// about `limit` parents, spread evenly, or all; gives how many it compared, and those that differ. Shows `decoded` each tile of heights that it
/// decodes, from several threads.
///
/// Costs five decoded tiles a parent, on all processors.
///
/// # Errors
/// Where the archive holds no heights or lineage, can't be read, or the user interrupts. Tiles that can't be decoded are left
/// out here.
pub fn check_parents(
    source: &dyn TileSource,
    limit: Option<u64>,
    decoded: &Decoded<'_>,
    progress: &dyn Progress,
) -> Result<(u64, Vec<ParentCheck>)> {
    let coding = Coding::of(source)?;
    let Some(max) = source.metadata().maxzoom else { return Ok((0, Vec::new())) };
    let made = overzoomed(source.metadata());
    let parents = || -> Result<_> {
        let made = &made;
        Ok(source.tiles()?.filter_map(move |tile| match tile {
            Ok(tile) => {
                tile.id.coord().filter(|t| t.z() < max && !made.contains(&(t.z() + 1))).map(|coord| Ok((coord, tile)))
            }
            Err(error) => Some(Err(error)),
        }))
    };
    let step = match limit {
        Some(limit) => {
            let total = parents()?.try_fold(0u64, |n, tile| tile.map(|_| n + 1))?;
            total.div_ceil(limit.max(1)).max(1)
        }
        None => 1,
    };
    progress.begin("comparing tiles with their children", None, "tiles");
    let chosen = parents()?.enumerate().filter(|(n, tile)| tile.is_err() || (*n as u64).is_multiple_of(step));
    let work = |batch: Vec<(TileCoord, Located)>| -> Result<Vec<Option<ParentCheck>>> {
        let mut out = Vec::with_capacity(batch.len());
        for (tile, located) in batch {
            out.push(compare(source, coding, tile, located, decoded)?);
        }
        Ok(out)
    };
    let (mut compared, mut found) = (0, Vec::new());
    in_order(threads(), batches(chosen.map(|(_, tile)| tile), BATCH, progress), work, |checked| {
        progress.advance(checked.len() as u64);
        for check in checked.into_iter().flatten() {
            compared += 1;
            if check.pixels > 0 {
                found.push(check);
            }
        }
        Ok(())
    })?;
    progress.end();
    Ok((compared, found))
}

/// `None` where there is no child, or something can't be decoded.
fn compare(
    source: &dyn TileSource,
    coding: Coding,
    tile: TileCoord,
    at: Located,
    decoded: &Decoded<'_>,
) -> Result<Option<ParentCheck>> {
    let mut children = Vec::new();
    for (quadrant, child) in tile.children().into_iter().flatten().enumerate() {
        children.extend(source.tile(child)?.map(|bytes| (quadrant, child, bytes)));
    }
    if children.is_empty() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    source.read(at, &mut bytes)?;
    let check = match coding {
        Coding::Elevation(codec) => {
            let decode = |tile: TileCoord, bytes: &[u8]| -> Result<ElevationTile> {
                let pixels = codec.decode(bytes)?;
                decoded(tile, bytes, &pixels);
                Ok(pixels)
            };
            heights(&codec, Steps::of(source.metadata()), tile, &bytes, &children, &decode)
        }
        Coding::Lineage(_) => lineage(tile, &bytes, &children),
    };
    Ok(check.ok().flatten())
}

fn heights(
    codec: &TileCodec,
    steps: Steps,
    tile: TileCoord,
    bytes: &[u8],
    children: &[(usize, TileCoord, Vec<u8>)],
    decode: &dyn Fn(TileCoord, &[u8]) -> Result<ElevationTile>,
) -> Result<Option<ParentCheck>> {
    let parent = decode(tile, bytes)?;
    let mut expected = ElevationTile::empty(parent.size);
    let half = parent.size / 2;
    let mut covered = [false; 4];
    for (quadrant, child, bytes) in children {
        let child = decode(*child, bytes)?;
        if child.size != parent.size || !child.size.is_multiple_of(2) {
            return Ok(None);
        }
        terrain::downsample_into(&mut expected, *quadrant, &child);
        covered[*quadrant] = true;
    }
    steps.round(codec, tile.z(), &mut expected);
    let slack = steps.slack(tile.z());
    let mut out = ParentCheck { tile, pixels: 0, largest: 0.0 };
    for at in 0..expected.values.len() {
        if !covered[quadrant_of(at, parent.size, half)] || expected.valid[at] == 0 {
            continue;
        }
        if parent.valid[at] == 0 {
            out.pixels += 1;
        } else if parent.values[at] != expected.values[at] {
            let difference = (f64::from(parent.values[at]) - f64::from(expected.values[at])).abs();
            if difference > slack {
                out.pixels += 1;
                out.largest = out.largest.max(difference);
            }
        }
    }
    Ok(Some(out))
}

fn lineage(tile: TileCoord, bytes: &[u8], children: &[(usize, TileCoord, Vec<u8>)]) -> Result<Option<ParentCheck>> {
    let (size, parent) = terrain::decode_lineage(bytes)?;
    let mut expected = vec![NO_SOURCE; parent.len()];
    for (quadrant, _, bytes) in children {
        let (side, child) = terrain::decode_lineage(bytes)?;
        if side != size || !size.is_multiple_of(2) {
            return Ok(None);
        }
        terrain::downsample_lineage_into(&mut expected, size, *quadrant, &child);
    }
    let pixels = expected.iter().zip(&parent).filter(|(e, p)| **e != NO_SOURCE && e != p).count() as u64;
    Ok(Some(ParentCheck { tile, pixels, largest: 0.0 }))
}

fn quadrant_of(at: usize, size: u32, half: u32) -> usize {
    let (x, y) = (at as u32 % size, at as u32 / size);
    usize::from(x >= half) | usize::from(y >= half) << 1
}
