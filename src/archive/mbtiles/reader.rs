//! Reading MBTiles.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde_json::{Map, Value};

use super::{address, metadata, sql, tile_at};
use crate::archive::{ArchiveKind, ArchiveMetadata, TileFormat, TileIds, TileRun, TileSource};
use crate::error::{Error, Result};
use crate::tile::{TileCoord, TileId};

/// The largest total of metadata that is read, bytes.
const METADATA_CAP: usize = 64 << 20;

/// An MBTiles archive, open for reading. Threads share one connection and take turns.
#[derive(Debug)]
pub struct MbtilesReader {
    connection: Mutex<Connection>,
    path: PathBuf,
    rows: BTreeMap<String, String>,
    metadata: ArchiveMetadata,
    count: OnceLock<u64>,
}

impl MbtilesReader {
    /// Opens an archive and reads its metadata. The file is never written to.
    ///
    /// # Errors
    /// Where the file can't be read, is truncated, or is a database without `tiles`.
    pub fn open(path: &Path) -> Result<Self> {
        let wal = check_file(path)?;
        let connection = connect(path, wal)?;
        let has = |name: &str| -> Result<bool> {
            let sql_text = "SELECT 1 FROM sqlite_master WHERE name = ?1 AND type IN ('table', 'view')";
            let found = connection.query_row(sql_text, [name], |_| Ok(())).optional();
            found.map(|row| row.is_some()).map_err(sql("read the schema", path))
        };
        if !has("tiles")? {
            return Err(Error::invalid(
                "database",
                "has no table or view named \"tiles\"",
                "it is an SQLite file, but not an MBTiles archive: check the path",
            )
            .with_path(path));
        }
        let rows = if has("metadata")? { read_rows(&connection, path)? } else { BTreeMap::new() };
        let metadata = complete(metadata::parse(&rows), &connection, path)?;
        Ok(Self {
            connection: Mutex::new(connection),
            path: path.to_path_buf(),
            rows,
            metadata,
            count: OnceLock::new(),
        })
    }

    /// The rows of the `metadata` table as they are.
    #[must_use]
    pub fn rows(&self) -> &BTreeMap<String, String> {
        &self.rows
    }

    pub(in crate::archive) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `visit` with zoom, column, TMS row and content size of every row of `tiles`, in the order of the database.
    pub(in crate::archive) fn addresses(&self, visit: &mut dyn FnMut(i64, i64, i64, u64) -> Result<()>) -> Result<()> {
        let connection = self.lock();
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
        let connection = self.lock();
        let error = || sql("read the indices", &self.path);
        let kind: String = connection
            .query_row("SELECT type FROM sqlite_master WHERE name = 'tiles' AND type IN ('table', 'view')", [], |r| {
                r.get(0)
            })
            .map_err(error())?;
        if kind == "view" {
            return Ok(None);
        }
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

    pub(in crate::archive) fn application_id(&self) -> Result<i64> {
        let id = self.lock().query_row("PRAGMA application_id", [], |row| row.get(0));
        id.map_err(sql("read the application id", &self.path))
    }

    fn outside(&self, zoom: i64, column: i64, tms_row: i64) -> Error {
        Error::invalid(
            "tiles",
            format!("zoom {zoom}, column {column}, TMS row {tms_row} lies outside of the zoom's grid"),
            "remove the row, or make the archive again",
        )
        .with_path(&self.path)
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

    fn tile(&self, tile: TileCoord) -> Result<Option<Vec<u8>>> {
        let connection = self.lock();
        let error = || sql("read a tile", &self.path);
        let text = "SELECT tile_data FROM tiles WHERE zoom_level = ?1 AND tile_column = ?2 AND tile_row = ?3 LIMIT 1";
        let mut statement = connection.prepare_cached(text).map_err(error())?;
        let mut rows = statement.query(address(tile)).map_err(error())?;
        let Some(row) = rows.next().map_err(error())? else { return Ok(None) };
        match row.get_ref(0).map_err(error())? {
            ValueRef::Blob(bytes) | ValueRef::Text(bytes) => Ok(Some(bytes.to_vec())),
            ValueRef::Null => Ok(Some(Vec::new())),
            other => Err(Error::invalid(
                format!("tile {tile}"),
                format!("expected bytes, found {}", other.data_type()),
                "make the archive again",
            )
            .with_path(&self.path)),
        }
    }

    fn ids(&self) -> Result<TileIds<'_>> {
        let mut ids: Vec<TileId> = Vec::new();
        self.addresses(&mut |zoom, column, row, _| {
            let tile = tile_at(zoom, column, row).ok_or_else(|| self.outside(zoom, column, row))?;
            ids.push(tile.into());
            Ok(())
        })?;
        ids.sort_unstable();
        ids.dedup();
        Ok(Box::new(ids.into_iter().map(Ok)))
    }

    fn tile_count(&self) -> Result<u64> {
        if let Some(&count) = self.count.get() {
            return Ok(count);
        }
        let count = self.lock().query_row("SELECT count(*) FROM tiles", [], |row| row.get::<_, i64>(0));
        let count = count.map_err(sql("count the tiles", &self.path))?.unsigned_abs();
        Ok(*self.count.get_or_init(|| count))
    }

    fn runs(&self, visit: &mut dyn FnMut(TileRun) -> Result<()>) -> Result<()> {
        let mut content = 0;
        self.addresses(&mut |zoom, column, row, bytes| {
            let tile = tile_at(zoom, column, row).ok_or_else(|| self.outside(zoom, column, row))?;
            content += 1;
            visit(TileRun { first: tile.into(), count: 1, bytes, content })
        })
    }

    fn facts(&self) -> Result<Map<String, Value>> {
        let size = std::fs::metadata(&self.path).map_err(Error::io("read the size of", &self.path))?.len();
        let index = self.has_unique_index()?;
        let mut facts = Map::new();
        facts.insert("file_bytes".into(), size.into());
        facts.insert("application_id".into(), format!("{:#010x}", self.application_id()?).into());
        facts.insert("tiles_is".into(), if index.is_none() { "view" } else { "table" }.into());
        facts.insert("unique_index".into(), index.map_or(Value::Null, Value::from));
        Ok(facts)
    }
}

/// Checks what SQLite checks late or never: an empty or truncated file. True where the database is in WAL mode.
fn check_file(path: &Path) -> Result<bool> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let size = file.metadata().map_err(Error::io("read the size of", path))?.len();
    let mut head = [0u8; 100];
    let truncated = |expected: u64| {
        Error::invalid(
            "database",
            format!("expected {expected} bytes, found {size}"),
            "the file is truncated: copy or make it again",
        )
        .with_path(path)
    };
    file.read_exact(&mut head).map_err(|_| truncated(100))?;
    let u32_at = |at: usize| u64::from(u32::from_be_bytes(std::array::from_fn(|i| head[at + i])));
    let page = match u64::from(u16::from_be_bytes([head[16], head[17]])) {
        1 => 65_536,
        other => other,
    };
    // The page count in the header counts only where the writer kept it up to date (SQLite file format, 1.3.7).
    let whole = u32_at(28) * page;
    let wal = head[18] == 2 || head[19] == 2;
    if u32_at(24) == u32_at(92) && size < whole && !wal {
        return Err(truncated(whole));
    }
    Ok(wal)
}

/// Opens the database read-only. One in WAL mode without a log beside it is opened as immutable, so that SQLite makes no
/// files of its own in the folder.
fn connect(path: &Path, wal: bool) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log_is_empty = std::fs::metadata(&log).map_or(true, |m| m.len() == 0);
    let opened = match uri(path).filter(|_| wal && log_is_empty) {
        Some(uri) => Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI),
        None => Connection::open_with_flags(path, flags),
    };
    let connection = opened.map_err(sql("open", path))?;
    connection.set_prepared_statement_cache_capacity(4);
    Ok(connection)
}

fn uri(path: &Path) -> Option<String> {
    let absolute = std::path::absolute(path).ok()?;
    let mut uri = String::from("file:");
    for byte in absolute.to_str()?.bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(byte as char),
            other => uri += &format!("%{other:02X}"),
        }
    }
    Some(uri + "?immutable=1")
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
