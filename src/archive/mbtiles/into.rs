//! Changes of tiles in an MBTiles archive that exists, in one transaction.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Map, Value};

use super::layout::Kind;
use super::reader::MbtilesReader;
use super::{edit, rows, sql, stored_row};
use crate::archive::ArchiveMetadata;
use crate::archive::edit::changes;
use crate::error::{Error, Result};
use crate::tile::TileCoord;

/// A database whose tiles are being changed. Nothing is changed where it is dropped before [`commit`](Self::commit), or the process is
/// killed: SQLite's journal beside the file undoes it.
#[derive(Debug)]
pub(in crate::archive) struct InPlace {
    connection: Connection,
    path: PathBuf,
    from_north: bool,
    before: ArchiveMetadata,
}

impl InPlace {
    /// Keeps other writers away. Readers go on; they have to be closed before the first change.
    ///
    /// # Errors
    /// Where the file can't be written, is being written, shares contents below a view, or has no index.
    pub(in crate::archive) fn begin(path: &Path) -> Result<Self> {
        let connection = edit::open(path)?;
        connection.execute_batch("BEGIN IMMEDIATE").map_err(sql("begin to change", path))?;
        let reader = MbtilesReader::open(path)?;
        let refuse = |problem, remedy| Err(Error::invalid("tiles", problem, remedy).with_path(path));
        if reader.layout().kind != Kind::Table {
            return refuse("is a view, whose tiles can't be changed in place", "write a new archive, with an output");
        }
        if !reader.layout().indexed() {
            let remedy = "CREATE UNIQUE INDEX tile_index ON tiles (zoom_level, tile_column, tile_row)";
            return refuse("has no index, so that each tile would be looked for in all rows", remedy);
        }
        let before = rows::parse(reader.rows());
        Ok(Self { connection, path: path.to_path_buf(), from_north: reader.is_xyz(), before })
    }

    fn address(&self, tile: TileCoord) -> (u8, u32, u32) {
        (tile.z(), tile.x(), stored_row(tile, self.from_north))
    }

    /// True where the archive holds a tile.
    pub(in crate::archive) fn holds(&self, tile: TileCoord) -> Result<bool> {
        let look = || -> rusqlite::Result<bool> {
            let text = "SELECT 1 FROM tiles WHERE zoom_level = ?1 AND tile_column = ?2 AND tile_row = ?3";
            let found = self.connection.prepare_cached(text)?.query_row(self.address(tile), |_| Ok(())).optional()?;
            Ok(found.is_some())
        };
        look().map_err(sql("look for a tile", &self.path))
    }

    /// Takes a tile away, where it is there.
    pub(in crate::archive) fn remove(&self, tile: TileCoord) -> Result<()> {
        let remove = || {
            let text = "DELETE FROM tiles WHERE zoom_level = ?1 AND tile_column = ?2 AND tile_row = ?3";
            self.connection.prepare_cached(text)?.execute(self.address(tile))
        };
        remove().map(drop).map_err(sql("remove a tile", &self.path))
    }

    /// Puts a tile into the place of what is there.
    pub(in crate::archive) fn put(&self, tile: TileCoord, bytes: &[u8]) -> Result<()> {
        self.remove(tile)?;
        let (zoom, column, row) = self.address(tile);
        let put = || {
            let text = "INSERT INTO tiles (zoom_level, tile_column, tile_row, tile_data) VALUES (?1, ?2, ?3, ?4)";
            self.connection.prepare_cached(text)?.execute(params![zoom, column, row, bytes])
        };
        put().map(drop).map_err(sql("write a tile", &self.path))
    }

    /// Writes what changed in the metadata, and makes all changes at once. Gives the size of the file, bytes.
    pub(in crate::archive) fn commit(self, after: &ArchiveMetadata) -> Result<u64> {
        let as_map = |metadata: &ArchiveMetadata| -> Map<String, Value> {
            rows::to_rows(metadata).into_iter().map(|(key, value)| (key, Value::from(value))).collect()
        };
        let changed = changes(&as_map(&self.before), &as_map(after));
        edit::write(&self.connection, &changed).map_err(sql("write the metadata", &self.path))?;
        self.connection.execute_batch("COMMIT").map_err(sql("complete", &self.path))?;
        self.connection.close().map_err(|(_, error)| sql("close", &self.path)(error))?;
        Ok(std::fs::metadata(&self.path).map_err(Error::io("read the size of", &self.path))?.len())
    }
}
