//! Building a store from sources and records.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::{RecordInput, SourceInput, names, tile_lists};
use crate::column::{write_column, write_ragged};
use crate::error::{Error, Result};
use crate::format::{ContainerWriter, ElementType, Kind};
use crate::index::{grid, id, rtree};
use crate::tile::{Bounds, web_mercator};

/// What a build may choose.
#[derive(Debug, Clone)]
pub struct Parameters {
    /// Pixels along a tile's side: 256, 512 or 1024. Native zooms and the tile index depend on it.
    pub tile_size: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { tile_size: 512 }
    }
}

/// Room in the section table; the first page holds as many.
const SECTIONS: usize = 60;

/// The id of a record: XXH3 (64 bits, seed 0) of the source's name, a zero byte, and the path below its root.
#[must_use]
pub fn record_id(source: &str, path: &str) -> u64 {
    xxh3_64([source.as_bytes(), b"\0", path.as_bytes()].concat().as_slice())
}

/// Writes a store to any `Write + Seek`, such as a `Cursor<Vec<u8>>`.
///
/// Sources are given in priority order, the first wins. The result depends on nothing but the arguments: not on the
/// order of the records, the time or the machine.
///
/// # Errors
/// Where a record can't be stored (its path is named), two records of a source have the same path, a name is used
/// twice, or the output can't be written.
pub fn write<W: Write + Seek>(
    out: W,
    sources: &[SourceInput],
    records: &[RecordInput],
    parameters: &Parameters,
) -> Result<W> {
    if ![256, 512, 1024].contains(&parameters.tile_size) {
        return Err(Error::argument("tile size", format!("is {}; choose 256, 512 or 1024", parameters.tile_size)));
    }
    check_inputs(sources, records)?;
    let ids: Vec<u64> = records.iter().map(|r| record_id(&sources[r.source].name, &r.path)).collect();
    if let Err((a, b)) = id::build(&ids) {
        let name = |i: u32| format!("{}/{}", sources[records[i as usize].source].name, records[i as usize].path);
        return Err(Error::Other(format!(
            "{} and {}: are the same record or share an id; name each file once",
            name(a),
            name(b)
        )));
    }
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_by_cached_key(|&i| (grid::hilbert_of(&records[i].bounds), records[i].source, records[i].path.as_str()));
    let rows: Vec<&RecordInput> = order.iter().map(|&i| &records[i]).collect();
    let ids: Vec<u64> = order.iter().map(|&i| ids[i]).collect();
    write_rows(out, sources, &rows, &ids, parameters)
}

fn check_inputs(sources: &[SourceInput], records: &[RecordInput]) -> Result<()> {
    if sources.len() > usize::from(u16::MAX) {
        return Err(Error::argument("sources", format!("{} given, at most {} are possible", sources.len(), u16::MAX)));
    }
    if records.len() >= u32::MAX as usize {
        return Err(Error::argument(
            "records",
            format!("{} given, at most {} are possible", records.len(), u32::MAX - 1),
        ));
    }
    for (i, source) in sources.iter().enumerate() {
        if source.name.is_empty() || sources[..i].iter().any(|other| other.name == source.name) {
            return Err(Error::argument(
                "source name",
                format!("{:?} is empty or used twice; give each source a name of its own with NAME=DIR", source.name),
            ));
        }
    }
    for record in records {
        record.check()?;
        if record.source >= sources.len() {
            return Err(Error::raster(
                &record.path,
                format!("belongs to source {}, but there are {}", record.source, sources.len()),
            ));
        }
    }
    Ok(())
}

fn write_rows<W: Write + Seek>(
    out: W,
    sources: &[SourceInput],
    rows: &[&RecordInput],
    ids: &[u64],
    parameters: &Parameters,
) -> Result<W> {
    let mut out = ContainerWriter::new(out, SECTIONS)?;
    let o = &mut out;
    write_column(o, names::PARAMETERS, &[parameters.tile_size])?;
    let metadata = format!(
        "{{\"format\":\"hypso store\",\"tile_size\":{},\"crs\":\"EPSG:3857\",\"scheme\":\"xyz\"}}",
        parameters.tile_size
    );
    o.raw(names::METADATA, Kind::Json, ElementType::U8, 0, metadata.as_bytes())?;
    let bounds: Vec<Bounds> = rows.iter().map(|r| r.bounds).collect();
    let native: Vec<u8> = rows.iter().map(|r| web_mercator::native_zoom(r.pixel_size, parameters.tile_size)).collect();
    let rank = ranks(rows);
    // What queries touch lies first and together.
    o.raw(
        names::TREE,
        Kind::Tree,
        ElementType::U32,
        rtree::FAN_OUT as u32,
        bytemuck::cast_slice(&rtree::build(bounds.iter().copied())),
    )?;
    let column = |f: fn(&Bounds) -> f64| -> Vec<f64> { bounds.iter().map(f).collect() };
    write_column(o, names::MIN_X, &column(|b| b.min_x))?;
    write_column(o, names::MIN_Y, &column(|b| b.min_y))?;
    write_column(o, names::MAX_X, &column(|b| b.max_x))?;
    write_column(o, names::MAX_Y, &column(|b| b.max_y))?;
    write_column(o, names::RANK, &rank)?;
    write_column(o, names::NATIVE_ZOOM, &native)?;
    write_column(o, names::ID, ids)?;
    write_attributes(o, rows)?;
    let table = id::build(ids).map_err(|_| Error::Other("two records share an id".into()))?;
    write_column(o, names::ID_KEYS, &table.keys)?;
    write_column(o, names::ID_ROWS, &table.rows)?;
    write_column(o, names::ID_DIRECTORY, &table.directory)?;
    let tiles = tile_lists::build(&tile_lists::Rows { bounds: &bounds, native_zoom: &native, rank: &rank });
    write_column(o, names::ZOOM_RUNS, &tiles.zoom_runs)?;
    write_column(o, names::RUN_START, &tiles.run_start)?;
    write_column(o, names::RUN_RANK, &tiles.run_rank)?;
    write_column(o, names::RUN_LIST, &tiles.run_list)?;
    o.raw(names::LIST, Kind::Offsets, ElementType::U64, 0, bytemuck::cast_slice(&tiles.list_offsets))?;
    write_column(o, names::LIST, &tiles.list_rows)?;
    write_sources(o, sources, rows)?;
    out.finish(names::SCHEMA)
}

fn write_attributes<W: Write + Seek>(o: &mut ContainerWriter<W>, rows: &[&RecordInput]) -> Result<()> {
    write_column(o, names::PIXEL_SIZE, &rows.iter().map(|r| r.pixel_size).collect::<Vec<_>>())?;
    write_column(o, names::WIDTH, &rows.iter().map(|r| r.width).collect::<Vec<_>>())?;
    write_column(o, names::HEIGHT, &rows.iter().map(|r| r.height).collect::<Vec<_>>())?;
    let source: Vec<u16> = rows.iter().map(|r| r.source as u16).collect();
    write_column(o, names::SOURCE, &source)?;
    // A source's priority is its position today; the column is its own so that this may change.
    write_column(o, names::PRIORITY, &source)?;
    let distinct: BTreeMap<&str, ()> = rows.iter().map(|r| (r.crs.as_str(), ())).collect();
    let numbers: BTreeMap<&str, u32> = distinct.into_keys().zip(0..).collect();
    write_column(o, names::CRS, &rows.iter().map(|r| numbers[r.crs.as_str()]).collect::<Vec<_>>())?;
    write_ragged(o, names::CRS_NAME, numbers.keys(), true)?;
    write_column(o, names::NODATA, &rows.iter().map(|r| r.nodata.unwrap_or(0.0)).collect::<Vec<_>>())?;
    write_column(o, names::NODATA_SET, &rows.iter().map(|r| u8::from(r.nodata.is_some())).collect::<Vec<_>>())?;
    write_column(o, names::DATA_TYPE, &rows.iter().map(|r| r.data_type as u8).collect::<Vec<_>>())?;
    write_column(o, names::FILE_SIZE, &rows.iter().map(|r| r.file_size).collect::<Vec<_>>())?;
    write_column(o, names::MODIFIED, &rows.iter().map(|r| r.modified_ns).collect::<Vec<_>>())?;
    write_ragged(o, names::PATH, rows.iter().map(|r| &r.path), true)
}

fn write_sources<W: Write + Seek>(
    o: &mut ContainerWriter<W>,
    sources: &[SourceInput],
    rows: &[&RecordInput],
) -> Result<()> {
    let mut counts = vec![0u64; sources.len()];
    rows.iter().for_each(|r| counts[r.source] += 1);
    write_column(o, names::SOURCE_RECORDS, &counts)?;
    write_ragged(o, names::SOURCE_NAME, sources.iter().map(|s| &s.name), false)?;
    write_ragged(o, names::SOURCE_ROOT, sources.iter().map(|s| s.root.to_string_lossy().into_owned()), false)?;
    write_ragged(o, names::SOURCE_ATTRIBUTION, sources.iter().map(|s| &s.attribution), false)?;
    write_ragged(o, names::SOURCE_LICENCE, sources.iter().map(|s| &s.licence), false)?;
    write_ragged(o, names::SOURCE_DATUM, sources.iter().map(|s| &s.vertical_datum), false)
}

/// The position of each row in the candidate order (priority, pixel size, path).
fn ranks(rows: &[&RecordInput]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    order.sort_unstable_by(|&a, &b| {
        let (a, b) = (rows[a as usize], rows[b as usize]);
        (a.source.cmp(&b.source)).then(a.pixel_size.total_cmp(&b.pixel_size)).then_with(|| a.path.cmp(&b.path))
    });
    let mut rank = vec![0; rows.len()];
    for (position, &row) in order.iter().enumerate() {
        rank[row as usize] = position as u32;
    }
    rank
}

/// Writes a store file: beside the target, synced, then renamed over it. A store that other processes have open
/// stays as it is for them.
///
/// # Errors
/// As [`write`](fn@write), and where the file can't be made, synced or renamed. Nothing is left behind then.
pub fn write_file(
    path: impl AsRef<Path>,
    sources: &[SourceInput],
    records: &[RecordInput],
    parameters: &Parameters,
) -> Result<()> {
    let path = path.as_ref();
    let mut file = crate::atomic::AtomicFile::create(path)?;
    let handle: &mut File = file.file();
    let out = write(BufWriter::with_capacity(1 << 20, handle), sources, records, parameters).map_err(|e| match e {
        Error::Io { action, source, .. } => Error::Io { path: path.to_path_buf(), action, source },
        other => other,
    })?;
    drop(out);
    file.commit()
}
