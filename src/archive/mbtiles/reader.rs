//! Reading MBTiles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};
use serde_json::{Map, Value};

use super::connect::{Lease, Pool};
use super::direction::{Direction, direction, zooms};
use super::layout::{Kind, Layout};
use super::walk::Walk;
use super::{rows, sql, stored_row, tables, tile_at};
use crate::archive::{
    ArchiveKind, ArchiveMetadata, Located, LocatedTiles, OnDuplicate, OpenOptions, TileFormat, TileRun, TileSource,
};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::tile::TileCoord;

/// The largest total of metadata that is read, bytes.
const METADATA_CAP: usize = 64 << 20;

/// An MBTiles archive, open for reading. Every thread that reads gets a connection of its own.
#[derive(Debug)]
pub struct MbtilesReader {
    pool: Pool,
    path: PathBuf,
    layout: Layout,
    rows: BTreeMap<String, String>,
    metadata: ArchiveMetadata,
    direction: Direction,
    on_duplicate: OnDuplicate,
    left_behind: Vec<String>,
    warnings: Vec<String>,
    count: OnceLock<u64>,
    /// Rows of tiles that have another row, as the last walk counted them.
    repeated: AtomicU64,
}

impl MbtilesReader {
    /// Opens an archive and reads its metadata. The file is never written to.
    ///
    /// Zooms are those of the tiles. Rows that other writers leave out are completed from the tiles, and rows that count from the
    /// north are found out by the bounds; [`TileSource::warnings`] tells both.
    ///
    /// Costs a few look-ups through the index; without one, two passes over the addresses.
    ///
    /// # Errors
    /// Where the file can't be read, is truncated, or is a database without `tiles`.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, OpenOptions::default())
    }

    /// As [`open`](Self::open): with a scheme that overrules what the bounds say (rows count from the north for all but
    /// [`Scheme::Tms`](crate::archive::Scheme::Tms)), and a rule for rows that repeat.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: &Path, options: OpenOptions) -> Result<Self> {
        let pool = Pool::open(path)?;
        let connection = pool.get()?;
        let Some(layout) = Layout::of(&connection).map_err(sql("read the schema", path))? else {
            return Err(Error::invalid(
                "database",
                "has no table or view named \"tiles\"",
                "it is an SQLite file, but not an MBTiles archive: check the path",
            )
            .with_path(path));
        };
        let known = "SELECT 1 FROM sqlite_master WHERE name = 'metadata' AND type IN ('table', 'view')";
        let has_rows = connection.query_row(known, [], |_| Ok(())).optional().map_err(sql("read the schema", path))?;
        let rows = if has_rows.is_some() { read_rows(&connection, path)? } else { BTreeMap::new() };
        let mut warnings = Vec::new();
        let missing: Vec<&str> =
            ["name", "format", "minzoom", "maxzoom"].into_iter().filter(|row| !rows.contains_key(*row)).collect();
        if !missing.is_empty() {
            warnings.push(format!("the metadata lack {}; taken from the tiles where they tell", missing.join(", ")));
        }
        let mut metadata = rows::parse(&rows);
        let zooms = zooms(&connection, &layout).map_err(sql("read the zooms", path))?;
        let declared = rows.get("scheme").map(String::as_str);
        let known = (metadata.bounds, zooms.map(|(_, finest)| finest));
        let direction = direction(&connection, &layout, known, declared, options.scheme);
        let direction = direction.map_err(sql("read the tiles", path))?;
        warnings.extend(direction.warning.clone());
        warnings.extend(odd_rows(&rows, &metadata, zooms));
        let left_behind = tables::left_behind(&connection).map_err(sql("read the schema", path))?;
        warnings.extend(tables::word(&left_behind));
        if let Some((coarsest, finest)) = zooms {
            (metadata.minzoom, metadata.maxzoom) = (Some(coarsest), Some(finest));
        }
        if metadata.format == TileFormat::Unknown {
            metadata.format = first_format(&connection).map_err(sql("read the tiles", path))?;
        }
        drop(connection);
        let on_duplicate = options.on_duplicate;
        let (path, count, repeated) = (path.to_path_buf(), OnceLock::new(), AtomicU64::new(0));
        Ok(Self { pool, path, layout, rows, metadata, direction, on_duplicate, left_behind, warnings, count, repeated })
    }

    /// The rows of the `metadata` table as they are.
    #[must_use]
    pub fn rows(&self) -> &BTreeMap<String, String> {
        &self.rows
    }

    pub(in crate::archive) fn connection(&self) -> Result<Lease<'_>> {
        self.pool.get()
    }

    pub(super) fn begin_scan(&self) {
        self.pool.begin_scan();
    }

    pub(super) fn end_scan(&self) {
        self.pool.end_scan();
    }

    pub(super) fn file(&self) -> &Path {
        &self.path
    }

    /// True where rows count from the north.
    pub(in crate::archive) fn is_xyz(&self) -> bool {
        self.direction.from_north
    }

    /// What is odd about the way in which rows count.
    pub(in crate::archive) fn about_rows(&self) -> Option<&str> {
        self.direction.warning.as_deref()
    }

    pub(super) fn on_duplicate(&self) -> OnDuplicate {
        self.on_duplicate
    }

    /// Sets how many surplus rows a walk over all tiles found.
    pub(super) fn found_repeated(&self, rows: u64) {
        self.repeated.fetch_max(rows, Ordering::Relaxed);
    }

    /// True where the database is in WAL mode.
    pub(super) fn wal(&self) -> bool {
        self.pool.wal()
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The tile at an address of the database; `None` where it lies outside of the grid.
    pub(in crate::archive) fn coord(&self, zoom: i64, column: i64, row: i64) -> Option<TileCoord> {
        tile_at(zoom, column, row, self.direction.from_north)
    }

    /// First and last row of a zoom, XYZ, as the database counts them.
    pub(super) fn stored_rows(&self, z: u8, (first, last): (i64, i64)) -> (i64, i64) {
        let flip = (1i64 << z) - 1;
        if self.direction.from_north { (first, last) } else { (flip - last, flip - first) }
    }

    pub(super) fn outside(&self, zoom: i64, column: i64, row: i64) -> Error {
        Error::invalid(
            "tiles",
            format!("zoom {zoom}, column {column}, row {row} lies outside of the zoom's grid"),
            "remove the row, or make the archive again",
        )
        .with_path(&self.path)
    }

    /// Appends the content of an address; false where there is none. Rows that repeat are distinguished by their contents.
    pub(super) fn read_address(&self, tile: TileCoord, into: &mut Vec<u8>) -> Result<bool> {
        let connection = self.connection()?;
        let error = || sql("read a tile", &self.path);
        let text = "SELECT tile_data FROM tiles WHERE zoom_level = ?1 AND tile_column = ?2 AND tile_row = ?3";
        let mut statement = connection.prepare_cached(text).map_err(error())?;
        let mut rows = statement.query((tile.z(), tile.x(), stored_row(tile, self.is_xyz()))).map_err(error())?;
        let (start, mut found) = (into.len(), 0);
        let mut other = Vec::new();
        while let Some(row) = rows.next().map_err(error())? {
            found += 1;
            if found == 1 {
                self.take(row, || format!("tile {tile}"), into)?;
                continue;
            }
            other.clear();
            self.take(row, || format!("tile {tile}"), &mut other)?;
            match self.on_duplicate {
                OnDuplicate::First => break,
                OnDuplicate::Error if other != into[start..] => return Err(self.twice(tile, found)),
                OnDuplicate::Error => {}
                OnDuplicate::Last => {
                    into.truncate(start);
                    into.extend_from_slice(&other);
                }
            }
        }
        Ok(found > 0)
    }

    /// Appends the content at the place of a tile.
    pub(super) fn read_place(&self, tile: Located, into: &mut Vec<u8>) -> Result<()> {
        let name = || tile.id.coord().map_or_else(|| format!("tile id {}", tile.id.0), |tile| format!("tile {tile}"));
        let connection = self.connection()?;
        let error = || sql("read a tile", &self.path);
        let mut statement = connection.prepare_cached(&self.layout.data()).map_err(error())?;
        let mut rows = statement.query([tile.place as i64]).map_err(error())?;
        let row = rows.next().map_err(error())?.ok_or_else(|| self.missing(name()))?;
        self.take(row, name, into)
    }

    fn missing(&self, name: String) -> Error {
        let remedy = "the archive is damaged or being changed: make it again";
        Error::invalid(name, "is listed but can't be found", remedy).with_path(&self.path)
    }

    /// Appends the content in the first column.
    fn take(&self, row: &Row<'_>, part: impl Fn() -> String, into: &mut Vec<u8>) -> Result<()> {
        match row.get_ref(0).map_err(sql("read a tile", &self.path))? {
            ValueRef::Blob(bytes) | ValueRef::Text(bytes) => into.extend_from_slice(bytes),
            ValueRef::Null => {}
            other => {
                let problem = format!("expected bytes, found {}", other.data_type());
                return Err(Error::invalid(part(), problem, "make the archive again").with_path(&self.path));
            }
        }
        Ok(())
    }
}

impl TileSource for MbtilesReader {
    fn path(&self) -> &Path {
        &self.path
    }

    fn kind(&self) -> ArchiveKind {
        ArchiveKind::Mbtiles
    }

    fn metadata(&self) -> &ArchiveMetadata {
        &self.metadata
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn as_mbtiles(&self) -> Option<&MbtilesReader> {
        Some(self)
    }

    fn notes(&self) -> Vec<String> {
        let repeated = self.repeated.load(Ordering::Relaxed);
        let taken = match self.on_duplicate {
            OnDuplicate::Error => "all with the same content: harmless",
            OnDuplicate::First => "the first row of each was taken",
            OnDuplicate::Last => "the last row of each was taken",
        };
        (repeated > 0)
            .then(|| format!("{repeated} rows stand for tiles that have another row; {taken}"))
            .into_iter()
            .collect()
    }

    fn some(&self, count: usize) -> Vec<Vec<u8>> {
        let read = || -> Option<Vec<Vec<u8>>> {
            let connection = self.connection().ok()?;
            let mut statement = connection.prepare_cached("SELECT tile_data FROM tiles LIMIT ?1").ok()?;
            let rows =
                statement.query_map([count as i64], |row| Ok(row.get::<_, Vec<u8>>(0).unwrap_or_default())).ok()?;
            Some(rows.filter_map(rusqlite::Result::ok).collect())
        };
        read().unwrap_or_default()
    }

    fn tile(&self, tile: TileCoord) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        Ok(self.read_address(tile, &mut bytes)?.then_some(bytes))
    }

    fn tiles(&self) -> Result<LocatedTiles<'_>> {
        Ok(Box::new(Walk::new(self)))
    }

    fn tiles_of(&self, zoom: u8) -> Result<LocatedTiles<'_>> {
        Ok(Box::new(Walk::of_zoom(self, zoom)))
    }

    fn read(&self, tile: Located, into: &mut Vec<u8>) -> Result<()> {
        if tile.place != Located::NOWHERE {
            return self.read_place(tile, into);
        }
        let name = || tile.id.coord().map_or_else(|| format!("tile id {}", tile.id.0), |tile| format!("tile {tile}"));
        let coord = tile.id.coord().ok_or_else(|| self.missing(name()))?;
        if self.read_address(coord, into)? { Ok(()) } else { Err(self.missing(name())) }
    }

    fn read_many(&self, tiles: &[Located], into: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<()> {
        let mut rest = tiles;
        if self.layout.has_places() {
            let connection = self.connection()?;
            // Straight from the pages into our buffer; anything but a blob goes the slower way.
            let Some(first) = rest.first() else { return Ok(()) };
            let table = self.layout.contents();
            if let Ok(mut blob) = connection.blob_open("main", table, "tile_data", first.place as i64, true) {
                while let Some((tile, others)) = rest.split_first() {
                    // A length beyond the file's is damage; the slower way reports it.
                    if blob.reopen(tile.place as i64).is_err() || blob.len() as u64 > self.pool.size() {
                        break;
                    }
                    let start = into.len();
                    into.resize(start + blob.len(), 0);
                    blob.read_at_exact(&mut into[start..], 0).map_err(sql("read a tile", &self.path))?;
                    ends.push(into.len());
                    rest = others;
                }
            }
        }
        for tile in rest {
            self.read(*tile, into)?;
            ends.push(into.len());
        }
        Ok(())
    }

    fn tile_count(&self) -> Result<u64> {
        if let Some(&count) = self.count.get() {
            return Ok(count);
        }
        let count = self.connection()?.query_row(&self.layout.count(), [], |row| row.get::<_, i64>(0));
        let count = count.map_err(sql("count the tiles", &self.path))?.unsigned_abs();
        Ok(*self.count.get_or_init(|| count))
    }

    fn runs(&self, visit: &mut dyn FnMut(TileRun) -> Result<()>) -> Result<()> {
        if self.layout.kind == Kind::Shared {
            let mut content = Vec::new();
            let (mut last, mut bytes) = (None, 0);
            for tile in self.tiles()? {
                let tile = tile?;
                if last != Some(tile.place) {
                    content.clear();
                    self.read(tile, &mut content)?;
                    (last, bytes) = (Some(tile.place), content.len() as u64);
                }
                visit(TileRun { first: tile.id, count: 1, bytes, content: tile.place })?;
            }
            return Ok(());
        }
        let mut content = 0;
        self.addresses(&mut |zoom, column, row, bytes| {
            let tile = self.coord(zoom, column, row).ok_or_else(|| self.outside(zoom, column, row))?;
            content += 1;
            visit(TileRun { first: tile.into(), count: 1, bytes, content })
        })
    }

    fn facts(&self) -> Result<Json> {
        let size = std::fs::metadata(&self.path).map_err(Error::io("read the size of", &self.path))?.len();
        let mut facts = Map::new();
        facts.insert("file_bytes".into(), size.into());
        facts.insert("application_id".into(), format!("{:#010x}", self.application_id()?).into());
        let kind = match self.layout.kind {
            Kind::Table => "table",
            Kind::Shared => "view of shared contents",
            Kind::View => "view",
        };
        facts.insert("tiles_is".into(), kind.into());
        facts.insert("unique_index".into(), self.has_unique_index()?.map_or(Value::Null, Value::from));
        facts.insert("rows".into(), if self.is_xyz() { "xyz" } else { "tms" }.into());
        if !self.left_behind.is_empty() {
            facts.insert("other_tables".into(), self.left_behind.clone().into());
        }
        Ok(Json::of(Value::Object(facts)))
    }
}

/// Rows of metadata that are there, but can't be true.
fn odd_rows(rows: &BTreeMap<String, String>, metadata: &ArchiveMetadata, zooms: Option<(u8, u8)>) -> Vec<String> {
    let mut odd = Vec::new();
    let mut zoom = |key: &str, found: Option<u8>, actual: Option<u8>| {
        if let (Some(text), Some(actual)) = (rows.get(key), actual)
            && found != Some(actual)
        {
            odd.push(format!("the row \"{key}\" says {text:?}, its tiles say {actual}; taken from the tiles"));
        }
    };
    zoom("minzoom", metadata.minzoom, zooms.map(|(coarsest, _)| coarsest));
    zoom("maxzoom", metadata.maxzoom, zooms.map(|(_, finest)| finest));
    for (key, taken) in [("bounds", metadata.bounds.is_some()), ("center", metadata.center.is_some())] {
        if let Some(text) = rows.get(key).filter(|text| !taken && !text.trim().is_empty()) {
            odd.push(format!("the row \"{key}\" says {text:?}, which is none; taken from the tiles"));
        }
    }
    odd
}

/// The format that the first tile shows.
fn first_format(connection: &Connection) -> rusqlite::Result<TileFormat> {
    let first = connection
        .query_row("SELECT tile_data FROM tiles LIMIT 1", [], |row| Ok(row.get::<_, Vec<u8>>(0).ok()))
        .optional()?;
    Ok(first.flatten().and_then(|bytes| TileFormat::sniff(&bytes)).unwrap_or_default())
}

fn read_rows(connection: &Connection, path: &Path) -> Result<BTreeMap<String, String>> {
    let error = || sql("read the metadata", path);
    let mut statement = connection.prepare("SELECT name, value FROM metadata").map_err(error())?;
    let mut rows = statement.query([]).map_err(error())?;
    let (mut out, mut total) = (BTreeMap::new(), 0);
    while let Some(row) = rows.next().map_err(error())? {
        let text = |i: usize| -> Result<String> {
            Ok(match row.get_ref(i).map_err(error())? {
                ValueRef::Null => String::new(),
                ValueRef::Integer(number) => number.to_string(),
                ValueRef::Real(number) => number.to_string(),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            })
        };
        let (name, value) = (text(0)?, text(1)?);
        // Rows without a word count too.
        total += name.len() + value.len() + 16;
        if total > METADATA_CAP {
            return Err(Error::invalid(
                "metadata",
                format!("has more than {METADATA_CAP} bytes"),
                "remove the rows that don't belong there",
            )
            .with_path(path));
        }
        out.insert(name, value);
    }
    Ok(out)
}
