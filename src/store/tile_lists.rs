//! Finds the tiles that exist and the rows of each, for the tile index.

use std::io::{Seek, Write};
use std::ops::Range;

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::names;
use crate::column::{Element, write_column};
use crate::error::Result;
use crate::format::{ContainerWriter, Kind};
use crate::index::sorted;
use crate::tile::{Bounds, MAX_NATIVE_ZOOM, TileCoord, TileId, web_mercator};

/// What the walk knows of each row.
pub(super) struct Rows<'a> {
    pub(super) bounds: &'a [Bounds],
    pub(super) native_zoom: &'a [u8],
    pub(super) rank: &'a [u32],
}

/// The tile index as it is written. Memory: 24 bytes a run, 16 a distinct list, 4 a row of a list.
pub(super) struct TileLists {
    /// The runs of each zoom, with the lists in order of discovery.
    levels: Vec<Vec<(Range<u64>, u32)>>,
    lists: Lists,
    /// Lists in the order in which runs name them first, and the place of each in that order.
    order: Vec<u32>,
    place: Vec<u32>,
}

/// Distinct lists, one after another.
#[derive(Default)]
struct Lists {
    rows: Vec<u32>,
    ends: Vec<u64>,
    known: HashTable<u32>,
}

impl Lists {
    fn get(&self, list: u32) -> &[u32] {
        cut(&self.rows, &self.ends, list)
    }

    /// The number of a list that equals `rows`; a new one where there is none.
    fn number(&mut self, rows: impl Iterator<Item = u32>) -> u32 {
        // Appended first, and removed again where an equal list is known.
        let start = self.rows.len();
        self.rows.extend(rows);
        let Self { rows, ends, known } = self;
        let hash = |list: &[u32]| xxh3_64(bytemuck::cast_slice(list));
        let list = &rows[start..];
        if let Some(&same) = known.find(hash(list), |&other| cut(rows, ends, other) == list) {
            rows.truncate(start);
            return same;
        }
        let number = ends.len() as u32;
        let hash_of = hash(list);
        ends.push(rows.len() as u64);
        known.insert_unique(hash_of, number, |&other| hash(cut(rows, ends, other)));
        number
    }
}

fn cut<'a>(rows: &'a [u32], ends: &[u64], list: u32) -> &'a [u32] {
    let list = list as usize;
    let start = list.checked_sub(1).map_or(0, |before| ends[before]);
    &rows[start as usize..ends[list] as usize]
}

/// Tiles along the edge of a record at most. The walk looks at each of them; the whole Earth in pixels of 30 cm has as many.
pub(super) const MOST_EDGE: u64 = 1 << 20;

/// Tiles along the edges of large records at most, of all together; they take some gigabytes.
pub(super) const MOST_EDGES: u64 = 1 << 25;

/// Records with so many tiles along their edges are large ones.
const LARGE: u64 = 1 << 14;

/// How many tiles the edge of a record crosses, about, at its native zoom.
pub(super) fn edge(bounds: &Bounds, native_zoom: u8) -> u64 {
    let tile = web_mercator::WORLD / f64::from(1u32 << native_zoom.min(MAX_NATIVE_ZOOM));
    let across = |length: f64| (length.min(web_mercator::WORLD) / tile).ceil() as u64;
    2 * (across(bounds.width()) + across(bounds.height()))
}

/// Counts the edges of records, and says which one has too many tiles along them.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Edges(u64);

impl Edges {
    /// Takes a record; false where it has, or all of them have, too many tiles along the edge.
    pub(super) fn add(&mut self, bounds: &Bounds, native_zoom: u8) -> bool {
        let edge = edge(bounds, native_zoom);
        self.0 += if edge > LARGE { edge } else { 0 };
        edge <= MOST_EDGE && self.0 <= MOST_EDGES
    }
}

/// Walks the quadtree from the world down, in Hilbert order, taking along the rows that overlap each tile. Below a tile
/// that lies inside all of its rows nothing can change any more, and the walk ends there. So a record costs as
/// many steps as it has tiles along its edges, and memory grows with the runs of the index.
pub(super) fn build(rows: &Rows<'_>) -> TileLists {
    let mut by_rank: Vec<u32> = (0..rows.bounds.len() as u32).collect();
    by_rank.sort_unstable_by_key(|&r| rows.rank.get(r as usize));
    let levels = vec![Vec::new(); usize::from(MAX_NATIVE_ZOOM) + 1];
    let mut walk = Walk { rows, levels, lists: Lists::default(), stack: Vec::new() };
    if let Some(world) = TileCoord::new(0, 0, 0) {
        let inside = |&r: &u32| rows.bounds[r as usize].overlaps(&world.bounds());
        walk.stack = by_rank;
        walk.stack.retain(inside);
        walk.tile(world, 0);
    }
    let Walk { levels, mut lists, .. } = walk;
    lists.known = HashTable::new();
    let mut place = vec![u32::MAX; lists.ends.len()];
    let mut order = Vec::with_capacity(place.len());
    for (_, list) in levels.iter().flatten() {
        if place[*list as usize] == u32::MAX {
            place[*list as usize] = order.len() as u32;
            order.push(*list);
        }
    }
    TileLists { levels, lists, order, place }
}

impl TileLists {
    pub(super) fn zoom_runs(&self) -> impl Iterator<Item = u32> + '_ {
        let mut runs = 0;
        self.levels.iter().map(|l| l.len() as u32).chain([0]).map(move |length| {
            let before = runs;
            runs += length;
            before
        })
    }

    /// The directory over the starts of all runs.
    pub(super) fn directory(&self) -> Vec<u64> {
        sorted::build(self.run_start().collect::<Vec<_>>().into_iter())
    }

    pub(super) fn run_start(&self) -> impl Iterator<Item = u64> + '_ {
        self.levels.iter().flatten().map(|(ids, _)| ids.start)
    }

    pub(super) fn run_rank(&self) -> impl Iterator<Item = u64> + '_ {
        let mut tiles = 0;
        self.levels.iter().flatten().map(|(ids, _)| ids.end - ids.start).chain([0]).map(move |length| {
            let before = tiles;
            tiles += length;
            before
        })
    }

    pub(super) fn run_list(&self) -> impl Iterator<Item = u32> + '_ {
        self.levels.iter().flatten().map(|(_, list)| self.place[*list as usize])
    }

    pub(super) fn list_offsets(&self) -> impl Iterator<Item = u64> + '_ {
        let mut rows = 0;
        let lengths = self.order.iter().map(|&list| self.lists.get(list).len() as u64);
        lengths.chain([0]).map(move |length| {
            let before = rows;
            rows += length;
            before
        })
    }

    pub(super) fn list_rows(&self) -> impl Iterator<Item = u32> + '_ {
        self.order.iter().flat_map(|&list| self.lists.get(list)).copied()
    }

    /// Writes the sections.
    pub(super) fn write<W: Write + Seek>(&self, o: &mut ContainerWriter<W>) -> Result<()> {
        let runs = self.levels.iter().map(Vec::len).sum::<usize>() as u64;
        put(o, names::ZOOM_RUNS, Kind::Column, self.levels.len() as u64 + 1, self.zoom_runs())?;
        write_column(o, names::TILE_DIRECTORY, &self.directory())?;
        put(o, names::RUN_START, Kind::Column, runs, self.run_start())?;
        put(o, names::RUN_RANK, Kind::Column, runs + 1, self.run_rank())?;
        put(o, names::RUN_LIST, Kind::Column, runs, self.run_list())?;
        put(o, names::LIST, Kind::Offsets, self.order.len() as u64 + 1, self.list_offsets())?;
        put(o, names::LIST, Kind::Column, self.lists.rows.len() as u64, self.list_rows())
    }
}

fn put<T: Element, W: Write + Seek>(
    o: &mut ContainerWriter<W>,
    name: &str,
    kind: Kind,
    count: u64,
    mut values: impl Iterator<Item = T>,
) -> Result<()> {
    let mut section = o.begin_raw(name, kind, T::TYPE, 0, count)?;
    values.try_for_each(|value| o.append(&mut section, bytemuck::bytes_of(&value)))?;
    o.end_raw(section)
}

struct Walk<'a> {
    rows: &'a Rows<'a>,
    /// The runs of each zoom with the numbers of their lists.
    levels: Vec<Vec<(Range<u64>, u32)>>,
    lists: Lists,
    /// The rows of the tiles from the world down to the one that is looked at, in candidate order.
    stack: Vec<u32>,
}

impl Walk<'_> {
    /// Looks at a tile whose rows lie on the stack from `first` on.
    fn tile(&mut self, tile: TileCoord, first: usize) {
        let rows = self.rows;
        let inside = &self.stack[first..];
        let native = |r: u32| rows.native_zoom[r as usize];
        let Some(deepest) = inside.iter().map(|&r| native(r)).max().filter(|&deepest| deepest >= tile.z()) else {
            return;
        };
        let bounds = tile.bounds();
        let all_over = inside.iter().all(|&r| rows.bounds[r as usize].contains(&bounds));
        let last = if all_over { deepest.min(MAX_NATIVE_ZOOM) } else { tile.z() };
        for z in tile.z()..=last {
            let own = self.stack[first..].iter().copied().filter(|&r| rows.native_zoom[r as usize] <= z);
            let list = self.lists.number(own);
            add(&mut self.levels[usize::from(z)], TileId::subtree(tile, z), list);
        }
        if last > tile.z() || tile.z() == MAX_NATIVE_ZOOM {
            return;
        }
        let end = self.stack.len();
        for child in tile.children_by_id().into_iter().flatten() {
            let bounds = child.bounds();
            for i in first..end {
                let row = self.stack[i];
                if rows.bounds[row as usize].overlaps(&bounds) {
                    self.stack.push(row);
                }
            }
            self.tile(child, end);
            self.stack.truncate(end);
        }
    }
}

fn add(level: &mut Vec<(Range<u64>, u32)>, ids: Range<u64>, list: u32) {
    match level.last_mut() {
        Some((run, same)) if run.end == ids.start && *same == list => run.end = ids.end,
        _ => level.push((ids, list)),
    }
}
