//! The full check of a store: what holds of every file, and what `store-format.md` says of the schema `terrain-records`:
//! values, texts, the order of rows, and every index.

use std::collections::HashSet;
use std::fmt::Display;

use super::columns::{Column, Row};
use super::order::Classes;
use super::sources::TEXTS;
use super::{DataType, Store, names, record_id, tile_lists};
use crate::column::{Element, RaggedLayout};
use crate::container::{Container, Findings, Problem, Schema, SchemaChecks, verify_general};
use crate::error::{Error, Result};
use crate::format::{Kind, layout};
use crate::index::{grid, id};
use crate::progress::{Progress, Silent};
use crate::tile::{Bounds, web_mercator};

/// How [`verify_file`](crate::container::verify_file) checks stores.
pub const CHECKS: SchemaChecks = SchemaChecks { schema: names::SCHEMA, check };

/// Checks every checksum, every value that `store-format.md` limits, and that every index is exactly the one that the
/// records give. Reads the whole file; takes memory for the paths and the indices.
#[must_use]
pub fn verify(store: &Store) -> Vec<Problem> {
    let Ok(problems) = store.container().checksums(&Silent) else { return Vec::new() };
    if !problems.is_empty() {
        return problems;
    }
    let problems = verify_general(store.container());
    if problems.is_empty() { verify_records(store, &Silent).unwrap_or_default() } else { problems }
}

fn check(container: Container, progress: &dyn Progress, found: &mut Findings) -> Result<()> {
    match Store::from_container(container) {
        Ok(store) => {
            found.rows = Some(store.len());
            found.problems.extend(verify_records(&store, progress)?);
        }
        Err(error) => found.problems.push(Problem::of("sections", &error)),
    }
    Ok(())
}

/// Checks everything but the checksums, which must hold.
fn verify_records(store: &Store, progress: &dyn Progress) -> Result<Vec<Problem>> {
    let mut check = Check { store, problems: Vec::new() };
    let steps = [Check::values, Check::texts, Check::rows, Check::indices];
    progress.begin("checking records", Some(steps.len() as u64), "steps");
    // Each step relies on what the steps before it have checked.
    for step in steps {
        if progress.interrupted() {
            return Err(Error::Interrupted);
        }
        if check.problems.is_empty() {
            step(&mut check);
        }
        progress.advance(1);
    }
    progress.end();
    Ok(check.problems)
}

struct Check<'a> {
    store: &'a Store,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    fn say(&mut self, section: &str, problem: impl Into<String>) {
        self.problems.push(Problem::new(section, problem));
    }

    fn fault(&mut self, section: &str, error: &Error) {
        self.problems.push(Problem::of(section, error));
    }

    /// Names the first value of a column that is not legal.
    fn every<T: Element + Display>(&mut self, name: &str, expected: &str, legal: impl Fn(usize, T) -> bool) {
        match self.store.column::<T>(name) {
            Ok(values) => {
                if let Some(row) = values.iter().enumerate().position(|(row, &v)| !legal(row, v)) {
                    self.say(name, format!("row {row} holds {}; {expected} expected", values[row]));
                }
            }
            Err(e) => self.fault(name, &e),
        }
    }

    fn values(&mut self) {
        let store = self.store;
        let sources = store.sources().len();
        let crs = store.inner.layout.crs_name.over(store.bytes()).len();
        // A later minor version may allow more.
        if store.sections().header().version().1 <= layout::VERSION_MINOR {
            let mut rows = (0..store.len()).map(|row| (row, Row::read(store, row)));
            if let Some((row, read, line)) = rows.find_map(|(row, read)| Some((row, read, read.fault()?))) {
                self.say(line.name, format!("row {row} holds {}; {} expected", (line.show)(&read), line.expected));
            }
            self.every::<u8>(Column::data_type.name(), "0 to 10", |_, v| usize::from(v) < DataType::ALL.len());
        }
        self.every::<u16>(Column::source.name(), "the number of a source", |_, v| usize::from(v) < sources);
        let source = store.numbers::<u16>(Column::source);
        self.every::<u32>(Column::crs.name(), "a row of crs.name", |_, v| (v as usize) < crs);
        let mut counts = vec![0u64; sources];
        source.iter().for_each(|&s| counts.get_mut(usize::from(s)).into_iter().for_each(|count| *count += 1));
        self.every::<u64>(names::SOURCE_RECORDS, "the number of its records", |row, v| counts[row] == v);
        let zoom = |row: usize| {
            let record = store.record(row as u32)?;
            Some(web_mercator::native_zoom(record.pixel_size(), store.tile_size()))
        };
        self.every::<u8>(Column::native_zoom.name(), "the zoom of its pixel size", |row, v| zoom(row) == Some(v));
    }

    fn texts(&mut self) {
        let layout = &self.store.inner.layout;
        let mut known = HashSet::new();
        for (text, name) in layout.source_texts.iter().zip(TEXTS) {
            let distinct = name == "source.name";
            self.column(name, text, |text| !distinct || !text.is_empty() && known.insert(text.to_owned()));
        }
        self.column(names::CRS_NAME, &layout.crs_name, |_| true);
        self.column(names::PATH, &layout.path, |text| !text.is_empty());
    }

    fn column(&mut self, name: &str, layout: &'a RaggedLayout, mut legal: impl FnMut(&str) -> bool) {
        let column = layout.over(self.store.bytes());
        let checked = column.check_offsets().and_then(|()| {
            column.for_each(|row, bytes| {
                if std::str::from_utf8(bytes).is_ok_and(&mut legal) {
                    return Ok(());
                }
                let problem = "is not UTF-8, or empty or used twice where it must not be";
                Err(Error::invalid(format!("section \"{name}\", row {row}"), problem, "build the store again"))
            })
        });
        if let Err(e) = checked {
            self.fault(name, &e);
        }
    }

    /// Ids, the order of rows, and ranks; all of them depend on the paths.
    fn rows(&mut self) {
        let store = self.store;
        let mut paths = Paths::default();
        let mut source_names = Vec::new();
        let read: Result<()> = (|| {
            for source in store.sources().iter() {
                source_names.push(source.name()?.into_owned());
            }
            store.inner.layout.path.over(store.bytes()).for_each(|_, bytes| {
                paths.push(bytes);
                Ok(())
            })
        })();
        if let Err(e) = read {
            return self.fault(names::PATH, &e);
        }
        let name = |row: usize| {
            let source = store.record(row as u32)?.source_index();
            source_names.get(usize::from(source))
        };
        self.every::<u64>(Column::id.name(), "the hash of source and path", |row, v| {
            let path = std::str::from_utf8(paths.get(row as u32));
            name(row).zip(path.ok()).is_some_and(|(name, path)| record_id(name, path) == v)
        });
        let records = store.records();
        let place =
            |row: u32| store.record(row).map(|r| (grid::hilbert_of(&r.bounds()), r.source_index(), paths.get(row)));
        if let Some(row) = (1..store.len()).find(|&row| place(row - 1) >= place(row)) {
            self.say(Column::min_x.name(), format!("rows {} and {row} are not in Hilbert order", row - 1));
        }
        let mut by_rank: Vec<u32> = vec![u32::MAX; records.len()];
        for (row, &rank) in records.rank.iter().enumerate() {
            match by_rank.get_mut(rank as usize) {
                Some(place) if *place == u32::MAX => *place = row as u32,
                _ => {
                    return self
                        .say(Column::rank.name(), format!("row {row} has rank {rank}, which is taken or too large"));
                }
            }
        }
        if let Some((a, b)) = out_of_order(&by_rank, store, &paths) {
            let problem = format!("rows {a} and {b} are not in the order of priority, pixel size and path");
            self.say(Column::rank.name(), problem);
        }
    }

    fn indices(&mut self) {
        let store = self.store;
        let records = store.records();
        let bounds: Vec<Bounds> = (0..store.len()).map(|r| records.bounds(r)).collect();
        if let Err(e) = store.tree().verify(bounds.iter().copied()) {
            self.fault(names::TREE, &e);
        }
        match id::build(store.numbers(Column::id)) {
            Ok(table) => {
                self.same(names::ID_KEYS, Kind::Column, &table.keys);
                self.same(names::ID_ROWS, Kind::Column, &table.rows);
            }
            Err((a, b)) => self.say(Column::id.name(), format!("rows {a} and {b} have the same id")),
        }
        // A writer may choose another number of buckets; what counts is that every id is found.
        if let Some(r) = records.iter().find(|r| store.ids().row(r.id()) != Some(r.row())) {
            self.say(names::ID_DIRECTORY, format!("id {:016x} does not lead to its row {}", r.id(), r.row()));
        }
        let mut edges = tile_lists::Edges::default();
        let mut rows = bounds.iter().zip(records.native_zoom);
        if let Some(row) = rows.position(|(bounds, &zoom)| !edges.add(bounds, zoom)) {
            let problem = format!("record {row} has more tiles along its edge than an index can hold");
            return self.say(names::ZOOM_RUNS, problem);
        }
        let tiles = tile_lists::build(&tile_lists::Rows {
            bounds: &bounds,
            native_zoom: records.native_zoom,
            rank: records.rank,
        });
        self.same(names::ZOOM_RUNS, Kind::Column, &tiles.zoom_runs().collect::<Vec<_>>());
        if store.sections().find(names::TILE_DIRECTORY, Kind::Column).is_some() {
            self.same(names::TILE_DIRECTORY, Kind::Column, &tiles.directory());
        }
        self.same(names::RUN_START, Kind::Column, &tiles.run_start().collect::<Vec<_>>());
        self.same(names::RUN_RANK, Kind::Column, &tiles.run_rank().collect::<Vec<_>>());
        self.same(names::RUN_LIST, Kind::Column, &tiles.run_list().collect::<Vec<_>>());
        self.same(names::LIST, Kind::Offsets, &tiles.list_offsets().collect::<Vec<_>>());
        self.same(names::LIST, Kind::Column, &tiles.list_rows().collect::<Vec<_>>());
    }

    /// Says where a section differs from what the records give.
    fn same<T: Element + Display>(&mut self, name: &str, kind: Kind, expected: &[T]) {
        let range = self.store.sections().raw(name, kind, T::TYPE, None);
        let found: &[T] = range.as_ref().map_or(&[], |range| self.store.slice(range));
        if bytemuck::cast_slice::<T, u8>(found) == bytemuck::cast_slice::<T, u8>(expected) {
            return;
        }
        let differs = |(a, b): (&T, &T)| bytemuck::bytes_of::<T>(a) != bytemuck::bytes_of::<T>(b);
        let problem = match found.iter().zip(expected).position(differs) {
            Some(at) => format!("number {at} is {}, but the records give {}", found[at], expected[at]),
            None => format!("has {} numbers, but the records give {}", found.len(), expected.len()),
        };
        self.say(name, problem);
    }
}

/// Two rows, one after the other by rank, that are in the wrong order: by pixel sizes that count as equal where they differ by less than a
/// millionth, or by exact ones, which was the rule of older versions.
fn out_of_order(by_rank: &[u32], store: &Store, paths: &Paths) -> Option<(u32, u32)> {
    let facts = |row: u32| store.record(row).map_or((0, 0.0), |r| (r.priority(), r.pixel_size()));
    let mut classes = vec![0.0; by_rank.len()];
    let mut rows = by_rank.to_vec();
    rows.sort_by(|&a, &b| {
        let (a, b) = (facts(a), facts(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let mut known = Classes::default();
    for row in rows {
        let (priority, size) = facts(row);
        classes[row as usize] = known.of(priority, size);
    }
    let wrong = |size: &dyn Fn(u32) -> f64| {
        let key = |row: u32| (facts(row).0, size(row), paths.get(row));
        by_rank.windows(2).find(|w| key(w[0]) > key(w[1])).map(|w| (w[0], w[1]))
    };
    wrong(&|row| facts(row).1).and_then(|_| wrong(&|row| classes[row as usize]))
}

/// All paths of a store, decoded once.
#[derive(Default)]
struct Paths {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Paths {
    fn push(&mut self, path: &[u8]) {
        self.bytes.extend_from_slice(path);
        self.ends.push(self.bytes.len());
    }

    fn get(&self, row: u32) -> &[u8] {
        let row = row as usize;
        let start = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(row).and_then(|&end| self.bytes.get(start..end)).unwrap_or(&[])
    }
}
