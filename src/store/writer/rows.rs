//! One pass over the sorted records fills all columns at once; the indices follow from what it keeps.

use std::collections::HashMap;
use std::io::{Seek, Write};

use super::entry::{self, Numbers};
use super::sort::Sorter;
use super::{Parameters, hash_id};
use crate::column::{Element, write_column, write_ragged};
use crate::error::{Error, Result};
use crate::format::{ContainerWriter, ElementType, Kind, RawSection, json};
use crate::index::{id, rtree};
use crate::progress::Progress;
use crate::store::{RecordInput, SourceInput, names, tile_lists};
use crate::tile::{Bounds, web_mercator};

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

/// Which of the columns that a store may leave out hold a value other than 0.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Filled {
    parts: bool,
    band: bool,
    unit: bool,
    scale: bool,
    block: bool,
    block_cell: bool,
}

impl Filled {
    pub(super) fn add(&mut self, record: &RecordInput) {
        self.parts |= record.parts != 0;
        self.band |= record.band != 0;
        self.unit |= record.unit != 0.0;
        self.scale |= record.scale != 0.0;
        self.block |= record.block_width != 0;
        self.block_cell |= record.block_cell != 0;
    }
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

/// A column that is filled row by row.
struct Column(RawSection);

impl Column {
    fn begin<T: Element, W: Write + Seek>(o: &mut ContainerWriter<W>, name: &str, rows: usize) -> Result<Self> {
        o.begin_raw(name, Kind::Column, T::TYPE, 0, rows as u64).map(Self)
    }

    /// A column that is left out where no record has a value for it.
    fn optional<T: Element, W: Write + Seek>(
        o: &mut ContainerWriter<W>,
        name: &str,
        rows: usize,
        filled: bool,
    ) -> Result<Option<Self>> {
        filled.then(|| Self::begin::<T, W>(o, name, rows)).transpose()
    }

    fn push<T: Element, W: Write + Seek>(&mut self, o: &mut ContainerWriter<W>, value: T) -> Result<()> {
        o.append(&mut self.0, bytemuck::bytes_of(&value))
    }
}

fn write_records<W: Write + Seek>(o: &mut ContainerWriter<W>, input: &Input<'_>) -> Result<Kept> {
    let Input { sources, parameters, progress, entries, crs, ranks, filled } = input;
    let n = ranks.len();
    let mut edges = [names::MIN_X, names::MIN_Y, names::MAX_X, names::MAX_Y]
        .into_iter()
        .map(|name| Column::begin::<f64, W>(o, name, n))
        .collect::<Result<Vec<_>>>()?;
    let mut rank = Column::begin::<u32, W>(o, names::RANK, n)?;
    let mut native = Column::begin::<u8, W>(o, names::NATIVE_ZOOM, n)?;
    let mut id = Column::begin::<u64, W>(o, names::ID, n)?;
    let mut pixel_size = Column::begin::<f64, W>(o, names::PIXEL_SIZE, n)?;
    let mut width = Column::begin::<u32, W>(o, names::WIDTH, n)?;
    let mut height = Column::begin::<u32, W>(o, names::HEIGHT, n)?;
    let mut source = Column::begin::<u16, W>(o, names::SOURCE, n)?;
    let mut priority = Column::begin::<u16, W>(o, names::PRIORITY, n)?;
    let mut crs_number = Column::begin::<u32, W>(o, names::CRS, n)?;
    let crs_by_text = write_crs(o, crs)?;
    let mut nodata = Column::begin::<f64, W>(o, names::NODATA, n)?;
    let mut nodata_set = Column::begin::<u8, W>(o, names::NODATA_SET, n)?;
    let mut data_type = Column::begin::<u8, W>(o, names::DATA_TYPE, n)?;
    let mut file_size = Column::begin::<u64, W>(o, names::FILE_SIZE, n)?;
    let mut modified = Column::begin::<i64, W>(o, names::MODIFIED, n)?;
    let mut parts = Column::optional::<u64, W>(o, names::PARTS, n, filled.parts)?;
    let mut band = Column::optional::<u32, W>(o, names::BAND, n, filled.band)?;
    let mut unit = Column::optional::<f64, W>(o, names::UNIT, n, filled.unit)?;
    let mut scale = Column::optional::<f64, W>(o, names::SCALE, n, filled.scale)?;
    let mut block_width = Column::optional::<u32, W>(o, names::BLOCK_WIDTH, n, filled.block)?;
    let mut block_height = Column::optional::<u32, W>(o, names::BLOCK_HEIGHT, n, filled.block)?;
    let mut block_cell = Column::optional::<u32, W>(o, names::BLOCK_CELL, n, filled.block_cell)?;
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
        let (r, path): (Numbers, &[u8]) = entry::parts(entry);
        let name = &sources[usize::from(r.source)].name;
        // A record that is there twice has the same footprint in all but strange cases, which the ids find.
        let again =
            |(before, other): &(u64, Vec<u8>)| *before == key && entry::by_source_and_path(other, entry).is_eq();
        if last.as_ref().is_some_and(again) {
            let path = String::from_utf8_lossy(path);
            return Err(Error::argument(format!("{name}/{path}"), "is there twice; name each file once"));
        }
        let buffer = last.get_or_insert_default();
        buffer.0 = key;
        buffer.1.clear();
        buffer.1.extend_from_slice(entry);
        let (row_id, row_rank) = (hash_id(name.as_bytes(), path), ranks[r.arrival as usize]);
        let row_native = web_mercator::native_zoom(r.pixel_size, parameters.tile_size);
        edges.iter_mut().zip(r.bounds).try_for_each(|(column, edge)| column.push(o, edge))?;
        rank.push(o, row_rank)?;
        native.push(o, row_native)?;
        id.push(o, row_id)?;
        pixel_size.push(o, r.pixel_size)?;
        width.push(o, r.width)?;
        height.push(o, r.height)?;
        source.push(o, r.source)?;
        // A source's priority is its position today; the column is its own so that this may change.
        priority.push(o, r.source)?;
        crs_number.push(o, crs_by_text[r.crs as usize])?;
        nodata.push(o, r.nodata)?;
        nodata_set.push(o, r.nodata_set)?;
        data_type.push(o, r.data_type)?;
        file_size.push(o, r.file_size)?;
        modified.push(o, r.modified_ns)?;
        parts.iter_mut().try_for_each(|column| column.push(o, r.parts))?;
        band.iter_mut().try_for_each(|column| column.push(o, r.band))?;
        unit.iter_mut().try_for_each(|column| column.push(o, r.unit))?;
        scale.iter_mut().try_for_each(|column| column.push(o, r.scale))?;
        block_width.iter_mut().try_for_each(|column| column.push(o, r.block_width))?;
        block_height.iter_mut().try_for_each(|column| column.push(o, r.block_height))?;
        block_cell.iter_mut().try_for_each(|column| column.push(o, r.block_cell))?;
        path_end += path.len() as u64;
        o.append(&mut path_offsets, &path_end.to_le_bytes())?;
        o.append_bytes(&mut paths, path)?;
        kept.source_records[usize::from(r.source)] += 1;
        kept.bounds.push(r.bounds());
        kept.native_zoom.push(row_native);
        kept.rank.push(row_rank);
        kept.ids.push(row_id);
        if kept.ids.len().is_multiple_of(1 << 14) {
            progress.advance(1 << 14);
            if progress.interrupted() {
                return Err(Error::Interrupted);
            }
        }
        Ok(())
    })?;
    progress.end();
    for column in edges {
        o.end_raw(column.0)?;
    }
    let optional = [parts, band, unit, scale, block_width, block_height, block_cell].into_iter().flatten();
    let rest = [rank, native, id, pixel_size, width, height, source, priority, crs_number];
    for column in rest.into_iter().chain([nodata, nodata_set, data_type, file_size, modified]).chain(optional) {
        o.end_raw(column.0)?;
    }
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
    write_ragged(o, names::SOURCE_NAME, sources.iter().map(|s| &s.name), false)?;
    write_ragged(o, names::SOURCE_ROOT, sources.iter().map(|s| s.root.to_string_lossy().into_owned()), false)?;
    write_ragged(o, names::SOURCE_ATTRIBUTION, sources.iter().map(|s| &s.attribution), false)?;
    write_ragged(o, names::SOURCE_LICENCE, sources.iter().map(|s| &s.licence), false)?;
    write_ragged(o, names::SOURCE_DATUM, sources.iter().map(|s| &s.vertical_datum), false)
}
