//! Finds the tiles that exist and the rows of each, for the tile index.

use crate::index::tiles::{Builder, TileArrays};
use crate::tile::{Bounds, MAX_ZOOM, TileCoord, TileId};

/// What the walk knows of each row.
pub(super) struct Rows<'a> {
    pub(super) bounds: &'a [Bounds],
    pub(super) native_zoom: &'a [u8],
    pub(super) rank: &'a [u32],
}

/// Walks the quadtree from the world down, in Hilbert order, taking along the rows that overlap each tile. O(rows
/// times zooms) for small records; memory for a few row numbers a record.
pub(super) fn build(rows: &Rows<'_>) -> TileArrays {
    let mut by_rank: Vec<u32> = (0..rows.bounds.len() as u32).collect();
    by_rank.sort_unstable_by_key(|&r| rows.rank[r as usize]);
    // Tiles of each zoom, with where their lists lie in `lists`.
    let mut levels: Vec<Vec<(u64, u32)>> = vec![Vec::new(); usize::from(MAX_ZOOM) + 1];
    let mut lists: Vec<Vec<u32>> = Vec::new();
    if let Some(world) = TileCoord::new(0, 0, 0) {
        let inside: Vec<u32> =
            by_rank.into_iter().filter(|&r| rows.bounds[r as usize].overlaps(&world.bounds())).collect();
        let mut known = std::collections::HashMap::new();
        walk(rows, world, &inside, &mut levels, &mut lists, &mut known);
    }
    let mut builder = Builder::new();
    for level in levels {
        builder.zoom();
        for (id, list) in level {
            builder.tile(TileId(id), &lists[list as usize]);
        }
    }
    builder.zoom();
    builder.finish()
}

fn walk(
    rows: &Rows<'_>,
    tile: TileCoord,
    inside: &[u32],
    levels: &mut [Vec<(u64, u32)>],
    lists: &mut Vec<Vec<u32>>,
    known: &mut std::collections::HashMap<Vec<u32>, u32>,
) {
    let z = tile.z();
    if !inside.iter().any(|&r| rows.native_zoom[r as usize] >= z) {
        return;
    }
    let own: Vec<u32> = inside.iter().copied().filter(|&r| rows.native_zoom[r as usize] <= z).collect();
    let list = *known.entry(own).or_insert_with_key(|own| {
        lists.push(own.clone());
        lists.len() as u32 - 1
    });
    levels[usize::from(z)].push((TileId::from(tile).0, list));
    if z == MAX_ZOOM {
        return;
    }
    let mut children = tile.children();
    children.sort_unstable_by_key(|&c| TileId::from(c));
    for child in children {
        let bounds = child.bounds();
        let below: Vec<u32> = inside.iter().copied().filter(|&r| rows.bounds[r as usize].overlaps(&bounds)).collect();
        walk(rows, child, &below, levels, lists, known);
    }
}
