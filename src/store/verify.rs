//! The full check of a store: every checksum and every invariant.

use super::{Store, names, tile_lists};
use crate::error::Result;
use crate::format::{byte_range, checksum};
use crate::index::grid;
use crate::tile::{Bounds, MAX_ZOOM, web_mercator};

/// Something that is wrong with a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The section.
    pub section: String,
    /// What was expected and what was found.
    pub problem: String,
}

/// Checks the checksum of every section; about 0.1 s a GiB.
#[must_use]
pub fn verify_checksums(store: &Store) -> Vec<Problem> {
    let mut problems = Vec::new();
    for entry in store.sections().entries() {
        let bytes = store.bytes().get(byte_range(entry)).unwrap_or(&[]);
        let computed = checksum::checksum(bytes);
        if computed != entry.checksum() {
            let problem =
                format!("checksum is {computed:016x}, the table says {:016x}: it was altered", entry.checksum());
            problems.push(Problem { section: entry.name(), problem });
        }
    }
    problems
}

/// Checks every checksum, and that every index says what the records say. Reads the whole file.
#[must_use]
pub fn verify(store: &Store) -> Vec<Problem> {
    let mut problems = verify_checksums(store);
    if !problems.is_empty() {
        return problems;
    }
    let mut say = |section: &str, problem: String| problems.push(Problem { section: section.into(), problem });
    let records = store.records();
    let rows = 0..store.len();
    if let Some(row) = rows.clone().find(|&r| !records.bounds(r).has_area()) {
        say(names::MIN_X, format!("row {row} has a footprint without area"));
    }
    if let Err(e) = store.tree().verify(rows.clone().map(|r| records.bounds(r)).collect::<Vec<Bounds>>().into_iter()) {
        say(names::TREE, e.to_string());
    }
    let curve: Vec<u64> = rows.clone().map(|r| grid::hilbert_of(&records.bounds(r))).collect();
    if let Some(row) = curve.windows(2).position(|w| w[0] > w[1]) {
        say(names::MIN_X, format!("rows {row} and {} are not in Hilbert order", row + 1));
    }
    if let Some(r) = records.iter().find(|r| store.ids().row(r.id()) != Some(r.row())) {
        say(names::ID_KEYS, format!("id {:016x} does not lead to its row {}", r.id(), r.row()));
    }
    if let Some(r) =
        records.iter().find(|r| web_mercator::native_zoom(r.pixel_size(), store.tile_size()) != r.native_zoom())
    {
        say(names::NATIVE_ZOOM, format!("row {} does not have the zoom of its pixel size", r.row()));
    }
    check_ranks(store, &mut say);
    if let Some(r) = records.iter().find(|r| r.source().is_none()) {
        say(names::SOURCE, format!("row {} has a source that does not exist", r.row()));
    }
    for row in rows {
        let texts = store.record(row).map(|r| {
            (|| -> Result<()> {
                r.path()?;
                r.crs()?;
                Ok(())
            })()
        });
        if let Some(Err(e)) = texts {
            say(names::PATH, e.to_string());
            break;
        }
    }
    check_tiles(store, &mut say);
    problems
}

fn check_ranks(store: &Store, say: &mut impl FnMut(&str, String)) {
    let records = store.records();
    let mut by_rank: Vec<u32> = vec![u32::MAX; records.len()];
    for (row, &rank) in records.rank.iter().enumerate() {
        match by_rank.get_mut(rank as usize) {
            Some(place) if *place == u32::MAX => *place = row as u32,
            _ => return say(names::RANK, format!("row {row} has rank {rank}, which is taken or too large")),
        }
    }
    let key = |row: u32| store.record(row).map(|r| (r.priority(), r.pixel_size()));
    if let Some(w) = by_rank.windows(2).find(|w| key(w[0]) > key(w[1])) {
        say(names::RANK, format!("rows {} and {} are not in the order of priority and pixel size", w[0], w[1]));
    }
}

fn check_tiles(store: &Store, say: &mut impl FnMut(&str, String)) {
    let records = store.records();
    let bounds: Vec<Bounds> = (0..store.len()).map(|r| records.bounds(r)).collect();
    let expected =
        tile_lists::build(&tile_lists::Rows { bounds: &bounds, native_zoom: records.native_zoom, rank: records.rank });
    let found = |name| store.column::<u64>(name).unwrap_or(&[]);
    let small = |name| store.column::<u32>(name).unwrap_or(&[]);
    if expected.run_start != found(names::RUN_START)
        || expected.run_rank != found(names::RUN_RANK)
        || expected.zoom_runs != small(names::ZOOM_RUNS)
        || expected.run_list != small(names::RUN_LIST)
        || expected.list_rows != small(names::LIST)
    {
        let zoom = (0..=MAX_ZOOM).map(|z| store.tiles().count(z)).sum::<u64>();
        say(names::RUN_START, format!("the tile index ({zoom} tiles) is not the one that the records give"));
    }
}
