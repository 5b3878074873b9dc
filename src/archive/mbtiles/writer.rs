//! Writing MBTiles: one transaction without a journal on a temporary file, the unique index at the end.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags, params};

use super::direction::direction;
use super::layout::Layout;
use super::{APPLICATION_ID, rows, sql, stored_row, tile_at};
use crate::archive::contents::{ContentHash, Contents};
use crate::archive::coverage::Coverage;
use crate::archive::output::PendingFile;
use crate::archive::{ArchiveMetadata, ArchiveSummary, TileFormat, TileSink};
use crate::atomic::ScratchFile;
use crate::atomic::refuse_journals;
use crate::error::{Error, Result};
use crate::tile::{TileCoord, TileId};

/// Up to this many tiles the index is sorted in memory (about 150 MB), beyond it in an unnamed file beside the output,
/// which takes about 30 bytes a tile.
const SORT_IN_MEMORY: u64 = 4_000_000;

const METADATA: &str = "CREATE TABLE metadata (name TEXT NOT NULL, value TEXT NOT NULL);";
/// As the specification has it. With NOT NULL, SQLite would take every record apart that comes from a table without.
const PLAIN: &str = "CREATE TABLE tiles (zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data BLOB);";
/// Equal contents once, by the name that other programs give them and look for: MD5 in hexadecimal digits.
const SHARED: &str = "
    CREATE TABLE map (
        zoom_level INTEGER NOT NULL, tile_column INTEGER NOT NULL, tile_row INTEGER NOT NULL, tile_id TEXT NOT NULL
    );
    CREATE TABLE images (tile_data BLOB NOT NULL, tile_id TEXT NOT NULL);
    CREATE VIEW tiles AS
        SELECT map.zoom_level AS zoom_level, map.tile_column AS tile_column, map.tile_row AS tile_row,
               images.tile_data AS tile_data
        FROM map JOIN images ON images.tile_id = map.tile_id;
";

/// The contents that were stored again after they had been forgotten.
const AGAIN: &str = "DELETE FROM images WHERE EXISTS (
    SELECT 1 FROM images AS earlier
    WHERE earlier.tile_id = images.tile_id AND earlier.rowid < images.rowid AND earlier.tile_data = images.tile_data)";

/// The name of a content in hexadecimal digits.
fn name_of(bytes: &[u8]) -> String {
    use md5::Digest;
    let digit = |four: u8| char::from_digit(u32::from(four), 16).map_or('0', |c| c.to_ascii_uppercase());
    md5::Md5::digest(bytes).iter().flat_map(|&byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Writes an MBTiles archive.
///
/// Tiles may come in any order; in [`TileId`] order the archive is read fastest in that order, and the bounds need no
/// second pass. Without a journal nothing can be rolled back. Nothing has to be, because the file has a temporary name until
/// it is whole.
///
/// Bounds and centre are written as they were given, with one exception: bounds that lie away from the tiles, but fit them upside
/// down, would make readers turn the rows. Those of the tiles take their place.
#[derive(Debug)]
pub struct MbtilesWriter {
    connection: Connection,
    pending: PendingFile,
    metadata: ArchiveMetadata,
    coverage: Coverage,
    in_order: bool,
    /// The contents that `images` holds, where they are shared.
    contents: Option<Contents>,
    summary: ArchiveSummary,
    sort_in_memory: u64,
    indexed: bool,
}

impl MbtilesWriter {
    /// Begins an archive that will stand at `path`.
    ///
    /// # Errors
    /// Where `path` exists and `overwrite` is false, or its folder is missing or not writable.
    pub fn create(path: &Path, metadata: &ArchiveMetadata, overwrite: bool) -> Result<Self> {
        Self::begin(path, metadata, overwrite, false)
    }

    /// As [`create`](Self::create), but equal tiles are stored once, below a view. Up to 3.6 million contents are
    /// remembered (88 MB); beyond, only those that came twice.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_shared(path: &Path, metadata: &ArchiveMetadata, overwrite: bool) -> Result<Self> {
        Self::begin(path, metadata, overwrite, true)
    }

    fn begin(path: &Path, metadata: &ArchiveMetadata, overwrite: bool, shared: bool) -> Result<Self> {
        let pending = PendingFile::create_apart(path, overwrite)?;
        refuse_journals(path)?;
        let connection = begin(pending.path(), shared).map_err(sql("begin", path))?;
        Ok(Self {
            connection,
            pending,
            metadata: metadata.clone(),
            coverage: Coverage::new(),
            in_order: true,
            contents: shared.then(Contents::default),
            summary: ArchiveSummary::default(),
            sort_in_memory: SORT_IN_MEMORY,
            indexed: false,
        })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Where the file lies until it is finished.
    pub(super) fn temporary(&self) -> &Path {
        self.pending.path()
    }

    pub(super) fn target(&self) -> &Path {
        self.pending.target()
    }

    /// Throws away what was written.
    pub(super) fn restart(&mut self) -> Result<()> {
        let target = self.pending.target().to_path_buf();
        let nothing = Connection::open_in_memory().map_err(sql("begin again", &target))?;
        drop(std::mem::replace(&mut self.connection, nothing));
        self.pending.handle()?.set_len(0).map_err(Error::io("empty", &target))?;
        let again = begin(self.pending.path(), self.contents.is_some());
        self.connection = again.map_err(sql("begin again", &target))?;
        (self.summary, self.coverage) = (ArchiveSummary::default(), Coverage::new());
        Ok(())
    }

    /// True where nothing was put, and every tile has a content of its own.
    pub(in crate::archive) fn is_plain_and_empty(&self) -> bool {
        self.summary.tiles == 0 && self.contents.is_none()
    }

    /// Tiles were written past [`TileSink::put`].
    pub(super) fn account(&mut self, coverage: Coverage, tiles: u64, bytes: u64) {
        self.coverage = coverage;
        self.summary.tiles = tiles;
        self.summary.contents = tiles;
        self.summary.bytes = bytes;
    }

    /// Builds the index before the end, and takes the zooms from it. False where a tile is there twice; the file can then only be
    /// [restarted](Self::restart).
    pub(super) fn index_now(&mut self) -> Result<bool> {
        let connection = &self.connection;
        let error = || sql("build the index of", self.pending.target());
        connection.execute_batch("COMMIT").map_err(error())?;
        match self.build_index() {
            Ok(()) => self.indexed = true,
            Err(rusqlite::Error::SqliteFailure(failure, _)) if failure.code == ErrorCode::ConstraintViolation => {
                return Ok(false);
            }
            Err(problem) => return Err(error()(problem)),
        }
        let text = "SELECT (SELECT min(zoom_level) FROM tiles), (SELECT max(zoom_level) FROM tiles)";
        let zooms = connection.query_row(text, [], |row| Ok(row.get::<_, Option<u8>>(0)?.zip(row.get(1)?)));
        self.coverage = Coverage::of_zooms(zooms.map_err(error())?);
        connection.execute_batch("BEGIN").map_err(error())?;
        Ok(true)
    }

    fn build_index(&self) -> rusqlite::Result<()> {
        // Names are longer than addresses.
        let most = if self.contents.is_some() { self.sort_in_memory / 2 } else { self.sort_in_memory };
        let store = if self.summary.tiles <= most { "MEMORY" } else { "FILE" };
        if let Some(folder) = self.pending.folder().to_str().filter(|_| store == "FILE") {
            // One setting for the whole process; every writer that needs it sets it.
            self.connection.pragma_update(None, "temp_store_directory", folder)?;
        }
        self.connection.pragma_update(None, "temp_store", store)?;
        self.connection.execute_batch(if self.contents.is_some() {
            "CREATE UNIQUE INDEX map_index ON map (zoom_level, tile_column, tile_row);
             CREATE UNIQUE INDEX images_id ON images (tile_id)"
        } else {
            "CREATE UNIQUE INDEX tile_index ON tiles (zoom_level, tile_column, tile_row)"
        })
    }

    /// The tiles were not in order: reads their addresses back and sorts them.
    fn survey(&self) -> rusqlite::Result<Coverage> {
        let mut ids: Vec<TileId> = Vec::new();
        let table = if self.contents.is_some() { "map" } else { "tiles" };
        let text = format!("SELECT zoom_level, tile_column, tile_row FROM {table}");
        let mut statement = self.connection.prepare(&text)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            ids.extend(tile_at(row.get(0)?, row.get(1)?, row.get(2)?, false).map(TileId::from));
        }
        ids.sort_unstable();
        let mut coverage = Coverage::new();
        for id in ids {
            coverage.push(id, 1);
        }
        Ok(coverage)
    }

    fn insert(&mut self, tile: TileCoord, bytes: &[u8]) -> rusqlite::Result<()> {
        let (zoom, column, row) = (tile.z(), tile.x(), stored_row(tile, false));
        let Some(contents) = &mut self.contents else {
            self.summary.contents += 1;
            let text = "INSERT INTO tiles (zoom_level, tile_column, tile_row, tile_data) VALUES (?1, ?2, ?3, ?4)";
            return self.connection.prepare_cached(text)?.execute(params![zoom, column, row, bytes]).map(drop);
        };
        let name = name_of(bytes);
        // The unique index would reveal two contents of one name.
        let hash = ContentHash::of(bytes);
        if contents.find(hash).is_none() {
            let text = "INSERT INTO images (tile_data, tile_id) VALUES (?1, ?2)";
            self.connection.prepare_cached(text)?.execute(params![bytes, name])?;
            contents.insert(hash, self.summary.contents);
            self.summary.contents += 1;
        }
        let text = "INSERT INTO map (zoom_level, tile_column, tile_row, tile_id) VALUES (?1, ?2, ?3, ?4)";
        self.connection.prepare_cached(text)?.execute(params![zoom, column, row, name]).map(drop)
    }

    /// Whether a reader would take the rows for ones from the north, or doubt them, because of the bounds that were given.
    fn bounds_turn_rows(&self) -> rusqlite::Result<bool> {
        let Some(layout) = Layout::of(&self.connection)? else { return Ok(false) };
        let known = (self.metadata.bounds, self.coverage.zooms().map(|(_, finest)| finest));
        Ok(direction(&self.connection, &layout, known, None, None)?.warning.is_some())
    }

    fn complete(&mut self) -> rusqlite::Result<()> {
        self.connection.execute_batch("COMMIT")?;
        if self.contents.as_ref().is_some_and(Contents::forgot) {
            self.connection.execute_batch("CREATE INDEX again ON images (tile_id)")?;
            self.summary.contents -= self.connection.execute(AGAIN, [])? as u64;
            self.connection.execute_batch("DROP INDEX again")?;
        }
        if !self.indexed {
            self.build_index()?;
        }
        if !self.in_order {
            self.coverage = self.survey()?;
        }
        self.coverage.finish();
        self.metadata.complete(&self.coverage);
        if self.bounds_turn_rows()? {
            // A surveyed coverage has an extent, also where rows were copied.
            self.coverage = self.survey()?;
            self.coverage.finish();
            (self.metadata.bounds, self.metadata.center) = (None, None);
            self.metadata.complete(&self.coverage);
        }
        self.connection.execute_batch("BEGIN")?;
        let mut insert = self.connection.prepare("INSERT INTO metadata (name, value) VALUES (?1, ?2)")?;
        for (name, value) in rows::to_rows(&self.metadata) {
            insert.execute(params![name, value])?;
        }
        drop(insert);
        self.connection.execute_batch("CREATE UNIQUE INDEX metadata_index ON metadata (name); COMMIT")
    }
}

/// Opens an empty file as a database and makes the tables.
fn begin(path: &Path, shared: bool) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "cache_size", -32_768)?;
    connection.execute_batch(METADATA)?;
    connection.execute_batch(if shared { SHARED } else { PLAIN })?;
    connection.execute_batch("BEGIN")?;
    Ok(connection)
}

impl TileSink for MbtilesWriter {
    fn put(&mut self, tile: TileCoord, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Err(Error::invalid(format!("tile {tile}"), "has no bytes", "leave empty tiles out")
                .with_path(self.pending.target()));
        }
        if self.summary.tiles == 0 && self.metadata.format == TileFormat::Unknown {
            self.metadata.format = TileFormat::sniff(bytes).unwrap_or_default();
        }
        self.insert(tile, bytes).map_err(sql("write a tile", self.pending.target()))?;
        self.in_order = self.in_order && self.coverage.push(tile.into(), 1);
        self.summary.tiles += 1;
        self.summary.bytes += bytes.len() as u64;
        Ok(())
    }

    fn as_mbtiles(&mut self) -> Option<&mut MbtilesWriter> {
        Some(self)
    }

    fn scratch(&self) -> Result<ScratchFile> {
        ScratchFile::beside(self.pending.target())
    }

    fn metadata_mut(&mut self) -> &mut ArchiveMetadata {
        &mut self.metadata
    }

    fn finish(mut self: Box<Self>) -> Result<ArchiveSummary> {
        self.complete().map_err(sql("complete", self.pending.target()))?;
        let Self { connection, pending, mut summary, .. } = *self;
        connection.close().map_err(|(_, error)| sql("close", pending.target())(error))?;
        refuse_journals(pending.target())?;
        summary.file_size = pending.persist()?;
        Ok(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_indices_are_sorted_on_the_volume_of_the_output() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mbtiles");
        let mut sink = Box::new(MbtilesWriter::create(&path, &ArchiveMetadata::default(), false).unwrap());
        sink.sort_in_memory = 99;
        for id in 0..100 {
            sink.put(TileId(id).coord().unwrap(), b"x").unwrap();
        }
        assert_eq!(sink.finish().unwrap().tiles, 100);
        let other = Connection::open_in_memory().unwrap();
        let used: String = other.query_row("PRAGMA temp_store_directory", [], |row| row.get(0)).unwrap();
        assert_eq!(Path::new(&used), folder.path());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn bounds_that_would_turn_the_tiles_upside_down_give_way_to_those_of_the_tiles() {
        let folder = tempfile::tempdir().unwrap();
        let south = TileCoord::new(4, 8, 8).unwrap();
        for (name, bounds, kept) in [
            // North of the equator, where the tile would lie if its row counted from the north.
            ("turned", [1.0, 2.0, 3.0, 4.0], false),
            // Elsewhere altogether: this says nothing about rows.
            ("elsewhere", [100.0, 2.0, 103.0, 4.0], true),
            ("true", [1.0, -4.0, 3.0, -2.0], true),
        ] {
            let path = folder.path().join(format!("{name}.mbtiles"));
            let metadata = ArchiveMetadata { bounds: Some(bounds), ..ArchiveMetadata::default() };
            let mut sink = Box::new(MbtilesWriter::create(&path, &metadata, false).unwrap());
            sink.put(south, b"x").unwrap();
            sink.finish().unwrap();
            let archive = crate::archive::open(&path).unwrap();
            assert_eq!(archive.tile(south).unwrap().as_deref(), Some(&b"x"[..]), "{name}");
            assert_eq!(archive.metadata().bounds == Some(bounds), kept, "{name}: {:?}", archive.metadata().bounds);
            let center = archive.metadata().center.unwrap();
            let lat = archive.metadata().bounds.map(|b| b[1]..=b[3]).unwrap();
            assert!(lat.contains(&center.lat), "{name}: {center:?}");
        }
    }

    #[test]
    fn contents_are_named_by_what_they_are_and_stored_once_even_if_forgotten() {
        assert_eq!(name_of(b"abc"), "900150983CD24FB0D6963F7D28E17F72", "RFC 1321");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mbtiles");
        let mut sink = Box::new(MbtilesWriter::create_shared(&path, &ArchiveMetadata::default(), false).unwrap());
        sink.contents = Some(Contents::with_limit(8));
        for id in 0..300u64 {
            sink.put(TileId(id).coord().unwrap(), &(id % 50).to_le_bytes()).unwrap();
        }
        assert!(sink.contents.as_ref().unwrap().forgot());
        let summary = sink.finish().unwrap();
        assert_eq!((summary.tiles, summary.contents), (300, 50));
        let db = Connection::open(&path).unwrap();
        let count = |text: &str| db.query_row(text, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM images"), 50);
        assert_eq!(count("SELECT count(*) FROM tiles"), 300);
        let mut rows = db.prepare("SELECT zoom_level, tile_column, tile_row, tile_data FROM tiles").unwrap();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let tile = tile_at(row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap(), false).unwrap();
            let data: Vec<u8> = row.get(3).unwrap();
            assert_eq!(data, (TileId::from(tile).0 % 50).to_le_bytes());
        }
    }
}
