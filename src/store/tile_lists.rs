//! Finds the tiles that exist and the rows of each, for the tile index.

use std::collections::HashMap;
use std::ops::Range;

use crate::index::tiles::{Builder, TileArrays};
use crate::tile::{Bounds, MAX_ZOOM, TileCoord, TileId};

/// What the walk knows of each row.
pub(super) struct Rows<'a> {
    pub(super) bounds: &'a [Bounds],
    pub(super) native_zoom: &'a [u8],
    pub(super) rank: &'a [u32],
}

/// Walks the quadtree from the world down, in Hilbert order, taking along the rows that overlap each tile. Below a tile
/// that lies inside all of its rows nothing can change any more, and the walk ends there; so a record costs the
/// tiles along its edges, and memory goes with the runs of the index.
pub(super) fn build(rows: &Rows<'_>) -> TileArrays {
    let mut by_rank: Vec<u32> = (0..rows.bounds.len() as u32).collect();
    by_rank.sort_unstable_by_key(|&r| rows.rank.get(r as usize));
    let mut walk = Walk { rows, levels: vec![Vec::new(); usize::from(MAX_ZOOM) + 1], lists: HashMap::new() };
    if let Some(world) = TileCoord::new(0, 0, 0) {
        let inside: Vec<u32> =
            by_rank.into_iter().filter(|&r| rows.bounds[r as usize].overlaps(&world.bounds())).collect();
        walk.tile(world, &inside);
    }
    let mut lists: Vec<&[u32]> = vec![&[]; walk.lists.len()];
    for (rows, &list) in &walk.lists {
        lists[list as usize] = rows;
    }
    let mut builder = Builder::new();
    for level in walk.levels {
        builder.zoom();
        for (ids, list) in level {
            builder.tiles(ids, lists[list as usize]);
        }
    }
    builder.zoom();
    builder.finish()
}

struct Walk<'a> {
    rows: &'a Rows<'a>,
    /// The runs of each zoom with the numbers of their lists.
    levels: Vec<Vec<(Range<u64>, u32)>>,
    lists: HashMap<Vec<u32>, u32>,
}

impl Walk<'_> {
    fn tile(&mut self, tile: TileCoord, inside: &[u32]) {
        let native = |r: u32| self.rows.native_zoom[r as usize];
        let Some(deepest) = inside.iter().map(|&r| native(r)).max().filter(|&deepest| deepest >= tile.z()) else {
            return;
        };
        let bounds = tile.bounds();
        let last = if inside.iter().all(|&r| self.rows.bounds[r as usize].contains(&bounds)) {
            deepest.min(MAX_ZOOM)
        } else {
            tile.z()
        };
        for z in tile.z()..=last {
            let own: Vec<u32> = inside.iter().copied().filter(|&r| self.rows.native_zoom[r as usize] <= z).collect();
            self.add(TileId::subtree(tile, z), z, own);
        }
        if last > tile.z() || tile.z() == MAX_ZOOM {
            return;
        }
        let mut children = tile.children();
        children.sort_unstable_by_key(|&c| TileId::from(c));
        for child in children {
            let bounds = child.bounds();
            let below: Vec<u32> =
                inside.iter().copied().filter(|&r| self.rows.bounds[r as usize].overlaps(&bounds)).collect();
            self.tile(child, &below);
        }
    }

    fn add(&mut self, ids: Range<u64>, z: u8, rows: Vec<u32>) {
        let next = self.lists.len() as u32;
        let list = *self.lists.entry(rows).or_insert(next);
        let level = &mut self.levels[usize::from(z)];
        match level.last_mut() {
            Some((run, same)) if run.end == ids.start && *same == list => run.end = ids.end,
            _ => level.push((ids, list)),
        }
    }
}
