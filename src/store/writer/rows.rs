//! One pass over the sorted records fills all columns at once; the indices follow from what it keeps.

use std::collections::HashMap;
use std::io::{Seek, Write};

use super::Parameters;
use super::entry;
use super::sort::Sorter;
use crate::column::{write_column, write_ragged};
use crate::error::{Error, Result};
use crate::format::{ContainerWriter, ElementType, Kind, RawSection, json};
use crate::index::{id, rtree};
use crate::progress::Progress;
use crate::store::columns::{Column, Filled, Row};
use crate::store::sources::TEXTS;
use crate::store::{SourceInput, names, tile_lists};
use crate::tile::Bounds;

/// Room in the section table; the first page holds as many.
const SECTIONS: usize = 60;

/// What a build has collected.
pub(super) struct Input<'a> {
    pub(super) sources: &'a [SourceInput],
    pub(super) parameters: Parameters,
    pub(super) progress: &'a dyn Progress,
    /// Records by Hilbert position, source and path.
    pub(super) entries: Sorter,
    /// Texts of coordinate systems and their positions in order of appearance.
    pub(super) crs: HashMap<String, u32>,
    /// Ranks by arrival.
    pub(super) ranks: Vec<u32>,
    /// Which of the columns that may be left out hold a value.
    pub(super) filled: Filled,
}

/// What the indices are made from.
#[derive(Default)]
struct Kept {
    bounds: Vec<Bounds>,
    native_zoom: Vec<u8>,
    rank: Vec<u32>,
    ids: Vec<u64>,
    source_records: Vec<u64>,
}

/// Writes a store.
pub(super) fn write<W: Write + Seek>(out: W, input: Input<'_>) -> Result<W> {
    let mut out = ContainerWriter::new(out, SECTIONS)?;
    let o = &mut out;
    let (sources, tile_size, progress) = (input.sources, input.parameters.tile_size, input.progress);
    write_column(o, names::PARAMETERS, &[tile_size])?;
    let mut metadata =
        format!("{{\"format\":\"hypso store\",\"tile_size\":{tile_size},\"crs\":\"EPSG:3857\",\"scheme\":\"xyz\"");
    for (name, value) in &input.parameters.metadata {
        metadata += &format!(",{}:{value}", json::string(name));
    }
    metadata.push('}');
    o.raw(names::METADATA, Kind::Json, ElementType::U8, 0, metadata.as_bytes())?;
    let n = input.ranks.len();
    // What queries touch lies first and together.
    let values = rtree::length(n) as u64;
    let tree = o.begin_raw(names::TREE, Kind::Tree, ElementType::U32, rtree::FAN_OUT as u32, values)?;
    let kept = write_records(o, &input)?;
    write_tree(o, tree, &kept.bounds)?;
    progress.begin("indexing ids and tiles", None, "steps");
    let Kept { bounds, native_zoom, rank, source_records, ids } = kept;
    write_ids(o, &ids, &input.entries, sources)?;
    drop((ids, input.entries, input.ranks));
    let tiles = tile_lists::build(&tile_lists::Rows { bounds: &bounds, native_zoom: &native_zoom, rank: &rank });
    drop((bounds, native_zoom, rank));
    tiles.write(o)?;
    progress.end();
    write_sources(o, sources, &source_records)?;
    out.finish(names::SCHEMA)
}

/// The columns of numbers that this store has, filled row by row.
struct Columns(Vec<Option<RawSection>>);

impl Columns {
    fn begin<W: Write + Seek>(o: &mut ContainerWriter<W>, rows: usize, filled: &Filled) -> Result<Self> {
        let mut begin = |column: &Column| {
            let line = column.line();
            let section = || o.begin_raw(line.name, Kind::Column, line.element, 0, rows as u64);
            filled.needs(*column).then(section).transpose()
        };
        Column::ALL.iter().map(&mut begin).collect::<Result<_>>().map(Self)
    }

    fn push<W: Write + Seek>(&mut self, o: &mut ContainerWriter<W>, row: &Row) -> Result<()> {
        let mut values = self.0.iter_mut().zip(row.values());
        values.try_for_each(|(section, (_, value))| section.iter_mut().try_for_each(|s| o.append(s, value)))
    }

    fn end<W: Write + Seek>(self, o: &mut ContainerWriter<W>) -> Result<()> {
        self.0.into_iter().flatten().try_for_each(|section| o.end_raw(section))
    }
}

fn write_records<W: Write + Seek>(o: &mut ContainerWriter<W>, input: &Input<'_>) -> Result<Kept> {
    let Input { sources, progress, entries, crs, ranks, filled, .. } = input;
    let n = ranks.len();
    let mut columns = Columns::begin(o, n, filled)?;
    let crs_by_text = write_crs(o, crs)?;
    let mut path_offsets = o.begin_raw(names::PATH, Kind::Offsets, ElementType::U64, 0, n as u64 + 1)?;
    let mut paths = o.begin_bytes(names::PATH, true)?;
    let mut kept = Kept { source_records: vec![0; sources.len()], ..Kept::default() };
    (kept.bounds, kept.native_zoom) = (Vec::with_capacity(n), Vec::with_capacity(n));
    (kept.rank, kept.ids) = (Vec::with_capacity(n), Vec::with_capacity(n));
    let mut path_end = 0u64;
    let mut last: Option<(u64, Vec<u8>)> = None;
    o.append(&mut path_offsets, &path_end.to_le_bytes())?;
    progress.begin("writing records", Some(n as u64), "records");
    entries.for_each(|key, entry| {
        let (mut row, path) = entry::parts(entry);
        // A record that is there twice has the same footprint in all but strange cases, which the ids find.
        let again =
            |(before, other): &(u64, Vec<u8>)| *before == key && entry::by_source_and_path(other, entry).is_eq();
        if last.as_ref().is_some_and(again) {
            let (name, path) = (&sources[usize::from(row.source)].name, String::from_utf8_lossy(path));
            return Err(Error::argument(format!("{name}/{path}"), "is there twice; name each file once"));
        }
        let buffer = last.get_or_insert_default();
        buffer.0 = key;
        buffer.1.clear();
        buffer.1.extend_from_slice(entry);
        (row.rank, row.crs) = (ranks[row.rank as usize], crs_by_text[row.crs as usize]);
        columns.push(o, &row)?;
        path_end += path.len() as u64;
        o.append(&mut path_offsets, &path_end.to_le_bytes())?;
        o.append_bytes(&mut paths, path)?;
        kept.source_records[usize::from(row.source)] += 1;
        kept.bounds.push(row.bounds());
        kept.native_zoom.push(row.native_zoom);
        kept.rank.push(row.rank);
        kept.ids.push(row.id);
        if kept.ids.len().is_multiple_of(1 << 14) {
            progress.advance(1 << 14);
            if progress.interrupted() {
                return Err(Error::Interrupted);
            }
        }
        Ok(())
    })?;
    progress.end();
    columns.end(o)?;
    o.end_raw(path_offsets)?;
    o.end_bytes(paths)?;
    Ok(kept)
}

/// Writes the texts of coordinate systems in their order and gives the final number of each.
fn write_crs<W: Write + Seek>(o: &mut ContainerWriter<W>, crs: &HashMap<String, u32>) -> Result<Vec<u32>> {
    let mut texts: Vec<(&str, u32)> = crs.iter().map(|(text, &number)| (text.as_str(), number)).collect();
    texts.sort_unstable();
    let mut numbers = vec![0; texts.len()];
    for (number, &(_, appeared)) in (0..).zip(&texts) {
        numbers[appeared as usize] = number;
    }
    write_ragged(o, names::CRS_NAME, texts.iter().map(|(text, _)| text), true)?;
    Ok(numbers)
}

/// Two passes over the boxes: the inner nodes lie first and are kept for that, the lowest level goes straight out.
fn write_tree<W: Write + Seek>(o: &mut ContainerWriter<W>, mut tree: RawSection, bounds: &[Bounds]) -> Result<()> {
    let lowest = rtree::lowest_level(bounds.len());
    let mut inner = vec![0u32; lowest];
    let mut builder = rtree::Builder::new(bounds.len());
    let mut keep = |place: usize, node: &[u32; rtree::NODE]| {
        if place < lowest {
            inner[place..place + rtree::NODE].copy_from_slice(node);
        }
    };
    bounds.iter().for_each(|b| builder.add(b, &mut keep));
    builder.finish(&mut keep);
    o.append(&mut tree, bytemuck::cast_slice(&inner))?;
    let mut result = Ok(());
    let mut builder = rtree::Builder::new(bounds.len());
    let mut put = |place: usize, node: &[u32; rtree::NODE]| {
        if place >= lowest && result.is_ok() {
            result = o.append(&mut tree, bytemuck::cast_slice(node));
        }
    };
    bounds.iter().for_each(|b| builder.add(b, &mut put));
    builder.finish(&mut put);
    result?;
    o.end_raw(tree)
}

/// Writes the table from ids to rows; refuses records that share an id, naming both.
fn write_ids<W: Write + Seek>(
    o: &mut ContainerWriter<W>,
    ids: &[u64],
    entries: &Sorter,
    sources: &[SourceInput],
) -> Result<()> {
    let table = match id::build(ids) {
        Ok(table) => table,
        Err((a, b)) => {
            let (mut found, mut row) = (Vec::new(), 0);
            entries.for_each(|_, entry| {
                if row == a || row == b {
                    let (r, path) = entry::parts(entry);
                    found.push(format!("{}/{}", sources[usize::from(r.source)].name, String::from_utf8_lossy(path)));
                }
                row += 1;
                Ok(())
            })?;
            let names = found.join(" and ");
            return Err(Error::argument(names, "are the same record or share an id; name each file once"));
        }
    };
    write_column(o, names::ID_KEYS, &table.keys)?;
    write_column(o, names::ID_ROWS, &table.rows)?;
    write_column(o, names::ID_DIRECTORY, &table.directory)
}

fn write_sources<W: Write + Seek>(o: &mut ContainerWriter<W>, sources: &[SourceInput], records: &[u64]) -> Result<()> {
    write_column(o, names::SOURCE_RECORDS, records)?;
    let texts: Vec<_> = sources.iter().map(SourceInput::texts).collect();
    let mut columns = TEXTS.iter().enumerate();
    columns.try_for_each(|(i, name)| write_ragged(o, name, texts.iter().map(|texts| texts[i].as_bytes()), false))
}
