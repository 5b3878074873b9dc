//! Reading MBTiles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};
use serde_json::{Map, Value};

use super::connect::{Lease, Pool};
use super::layout::{Kind, Layout};
use super::walk::Walk;
use super::{rows, sql, stored_row, tile_at};
use crate::archive::{ArchiveKind, ArchiveMetadata, Located, LocatedTiles, TileFormat, TileRun, TileSource};
use crate::error::{Error, Result};
use crate::tile::{Bounds, TileCoord};

/// The largest total of metadata that is read, bytes.
const METADATA_CAP: usize = 64 << 20;
/// Tiles whose rows are compared with the bounds.
const COMPARED: usize = 64;

/// An MBTiles archive, open for reading. Every thread that reads gets a connection of its own.
#[derive(Debug)]
pub struct MbtilesReader {
    pool: Pool,
    path: PathBuf,
    layout: Layout,
    rows: BTreeMap<String, String>,
    metadata: ArchiveMetadata,
    xyz: bool,
    warnings: Vec<String>,
    count: OnceLock<u64>,
}

impl MbtilesReader {
    /// Opens an archive and reads its metadata. The file is never written to.
    ///
    /// Rows that other writers leave out are completed from the tiles, and rows that count from the north are found out
    /// by the bounds; [`TileSource::warnings`] tells both.
    ///
    /// # Errors
    /// Where the file can't be read, is truncated, or is a database without `tiles`.
    pub fn open(path: &Path) -> Result<Self> {
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
        let metadata = complete(rows::parse(&rows), &connection, path)?;
        let xyz = counts_from_north(&connection, &metadata).map_err(sql("read the tiles", path))?;
        let declared = rows.get("scheme").is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("xyz"));
        if xyz {
            warnings.push("its rows count from the north (XYZ), as its bounds show; MBTiles demands TMS".to_owned());
        } else if declared {
            warnings.push("the row \"scheme\" says xyz; read as TMS, as MBTiles demands".to_owned());
        }
        drop(connection);
        let (path, count) = (path.to_path_buf(), OnceLock::new());
        Ok(Self { pool, path, layout, rows, metadata, xyz, warnings, count })
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
    pub(super) fn is_xyz(&self) -> bool {
        self.xyz
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
        tile_at(zoom, column, row, self.xyz)
    }

    /// First and last row of a zoom, XYZ, as the database counts them.
    pub(super) fn stored_rows(&self, z: u8, (first, last): (i64, i64)) -> (i64, i64) {
        let flip = (1i64 << z) - 1;
        if self.xyz { (first, last) } else { (flip - last, flip - first) }
    }

    /// Calls `visit` with zoom, column, row and content size of every row of `tiles`, in the order of the database.
    pub(in crate::archive) fn addresses(&self, visit: &mut dyn FnMut(i64, i64, i64, u64) -> Result<()>) -> Result<()> {
        let connection = self.connection()?;
        let error = || sql("read the tile addresses", &self.path);
        let text = "SELECT zoom_level, tile_column, tile_row, length(tile_data) FROM tiles";
        let mut statement = connection.prepare(text).map_err(error())?;
        let mut rows = statement.query([]).map_err(error())?;
        while let Some(row) = rows.next().map_err(error())? {
            let number = |i: usize| row.get::<_, i64>(i).map_err(error());
            let bytes = row.get::<_, Option<i64>>(3).map_err(error())?.unwrap_or(0);
            visit(number(0)?, number(1)?, number(2)?, bytes.unsigned_abs())?;
        }
        Ok(())
    }

    /// True where a unique index (or primary key) finds a tile by its address. `None` where `tiles` is a view.
    pub(in crate::archive) fn has_unique_index(&self) -> Result<Option<bool>> {
        if self.layout.kind != Kind::Table {
            return Ok(None);
        }
        let connection = self.connection()?;
        let error = || sql("read the indices", &self.path);
        let text = "SELECT group_concat(name) FROM (SELECT l.name AS list, i.name AS name FROM pragma_index_list('tiles') l, \
                    pragma_index_info(l.name) i WHERE l.\"unique\" = 1 ORDER BY l.name, i.name) GROUP BY list";
        let mut statement = connection.prepare(text).map_err(error())?;
        let found = statement.query_map([], |row| row.get::<_, String>(0)).map_err(error())?;
        for columns in found {
            if columns.map_err(error())?.eq_ignore_ascii_case("tile_column,tile_row,zoom_level") {
                return Ok(Some(true));
            }
        }
        Ok(Some(false))
    }

    /// How many addresses lead to no content, where contents are shared.
    pub(in crate::archive) fn dangling(&self) -> Result<Option<u64>> {
        let Some(text) = self.layout.count_all() else { return Ok(None) };
        let all = self.connection()?.query_row(&text, [], |row| row.get::<_, i64>(0));
        let all = all.map_err(sql("count the addresses", &self.path))?.unsigned_abs();
        Ok(Some(all.saturating_sub(self.tile_count()?)))
    }

    /// What SQLite says about its own pages, at most ten lines; empty where all is well. Reads the whole file.
    pub(in crate::archive) fn quick_check(&self) -> Result<Vec<String>> {
        let connection = self.connection()?;
        let error = || sql("check the database", &self.path);
        let mut statement = connection.prepare("PRAGMA quick_check(10)").map_err(error())?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0)).map_err(error())?;
        let lines = lines.collect::<rusqlite::Result<Vec<_>>>().map_err(error())?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }

    pub(in crate::archive) fn application_id(&self) -> Result<i64> {
        let id = self.connection()?.query_row("PRAGMA application_id", [], |row| row.get(0));
        id.map_err(sql("read the application id", &self.path))
    }

    pub(super) fn outside(&self, zoom: i64, column: i64, row: i64) -> Error {
        Error::invalid(
            "tiles",
            format!("zoom {zoom}, column {column}, row {row} lies outside of the zoom's grid"),
            "remove the row, or make the archive again",
        )
        .with_path(&self.path)
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

    fn tile(&self, tile: TileCoord) -> Result<Option<Vec<u8>>> {
        let connection = self.connection()?;
        let error = || sql("read a tile", &self.path);
        let text = "SELECT tile_data FROM tiles WHERE zoom_level = ?1 AND tile_column = ?2 AND tile_row = ?3 LIMIT 1";
        let mut statement = connection.prepare_cached(text).map_err(error())?;
        let address = (tile.z(), tile.x(), stored_row(tile, self.xyz));
        let mut rows = statement.query(address).map_err(error())?;
        let Some(row) = rows.next().map_err(error())? else { return Ok(None) };
        let mut bytes = Vec::new();
        self.take(row, || format!("tile {tile}"), &mut bytes)?;
        Ok(Some(bytes))
    }

    fn tiles(&self) -> Result<LocatedTiles<'_>> {
        Ok(Box::new(Walk::new(self)))
    }

    fn tiles_of(&self, zoom: u8) -> Result<LocatedTiles<'_>> {
        Ok(Box::new(Walk::of_zoom(self, zoom)))
    }

    fn read(&self, tile: Located, into: &mut Vec<u8>) -> Result<()> {
        let name = || tile.id.coord().map_or_else(|| format!("tile id {}", tile.id.0), |tile| format!("tile {tile}"));
        let missing = || {
            Error::invalid(
                name(),
                "is listed but can't be found",
                "the archive is damaged or being changed: make it again",
            )
            .with_path(&self.path)
        };
        if tile.place == Located::NOWHERE {
            let coord = tile.id.coord().ok_or_else(missing)?;
            into.extend_from_slice(&self.tile(coord)?.ok_or_else(missing)?);
            return Ok(());
        }
        let connection = self.connection()?;
        let error = || sql("read a tile", &self.path);
        let mut statement = connection.prepare_cached(&self.layout.data()).map_err(error())?;
        let mut rows = statement.query([tile.place as i64]).map_err(error())?;
        let row = rows.next().map_err(error())?.ok_or_else(missing)?;
        self.take(row, name, into)
    }

    fn read_many(&self, tiles: &[Located], into: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<()> {
        let mut rest = tiles;
        if self.layout.has_places() {
            let connection = self.connection()?;
            // Straight from the pages into our buffer; what is no blob is left to the slower way.
            let Some(first) = rest.first() else { return Ok(()) };
            let table = self.layout.contents();
            if let Ok(mut blob) = connection.blob_open("main", table, "tile_data", first.place as i64, true) {
                while let Some((tile, others)) = rest.split_first() {
                    // A length beyond the file's is damage; the slower way says so.
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

    fn facts(&self) -> Result<Map<String, Value>> {
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
        facts.insert("rows".into(), if self.xyz { "xyz" } else { "tms" }.into());
        Ok(facts)
    }
}

/// True where the bounds fit tiles whose rows count from the north, and don't fit them otherwise.
fn counts_from_north(connection: &Connection, metadata: &ArchiveMetadata) -> rusqlite::Result<bool> {
    let (Some([west, south, east, north]), Some(zoom)) = (metadata.bounds, metadata.maxzoom) else { return Ok(false) };
    let area = Bounds::from_lon_lat(west, south, east, north);
    let text = "SELECT tile_column, tile_row FROM tiles WHERE zoom_level = ?1 LIMIT ?2";
    let mut statement = connection.prepare(text)?;
    let mut rows = statement.query((zoom, COMPARED as i64))?;
    let (mut tms, mut xyz) = (0, 0);
    while let Some(row) = rows.next()? {
        let fits = |from_north| {
            let tile = tile_at(i64::from(zoom), row.get(0).ok()?, row.get(1).ok()?, from_north)?;
            tile.bounds().overlaps(&area).then_some(())
        };
        tms += u32::from(fits(false).is_some());
        xyz += u32::from(fits(true).is_some());
    }
    Ok(tms == 0 && xyz > 0)
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
        total += name.len() + value.len();
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

/// Format and zooms from the tiles where the rows don't tell them.
fn complete(mut metadata: ArchiveMetadata, connection: &Connection, path: &Path) -> Result<ArchiveMetadata> {
    let error = || sql("read the tiles", path);
    if metadata.format == TileFormat::Unknown {
        let first = connection
            .query_row("SELECT substr(tile_data, 1, 16) FROM tiles LIMIT 1", [], |row| row.get::<_, Option<Vec<u8>>>(0))
            .optional()
            .map_err(error())?;
        metadata.format = first.flatten().and_then(|bytes| TileFormat::sniff(&bytes)).unwrap_or_default();
    }
    let zoom = |text: &str| -> Result<Option<u8>> {
        let found: Option<i64> = connection.query_row(text, [], |row| row.get(0)).map_err(error())?;
        Ok(found.and_then(|z| u8::try_from(z).ok()).filter(|&z| z <= 31))
    };
    if metadata.minzoom.is_none() {
        metadata.minzoom = zoom("SELECT min(zoom_level) FROM tiles")?;
    }
    if metadata.maxzoom.is_none() {
        metadata.maxzoom = zoom("SELECT max(zoom_level) FROM tiles")?;
    }
    Ok(metadata)
}
