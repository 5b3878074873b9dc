//! The queries of `verify` on a database.

use super::layout::Kind;
use super::reader::MbtilesReader;
use super::sql;
use crate::archive::TileSource;
use crate::error::Result;

impl MbtilesReader {
    /// Calls `visit` with zoom, column, row and content size of every row of `tiles`, in the order of the database.
    pub(in crate::archive) fn addresses(&self, visit: &mut dyn FnMut(i64, i64, i64, u64) -> Result<()>) -> Result<()> {
        let connection = self.connection()?;
        let error = || sql("read the tile addresses", self.file());
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
        if self.layout().kind != Kind::Table {
            return Ok(None);
        }
        let connection = self.connection()?;
        let error = || sql("read the indices", self.file());
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
        let Some(text) = self.layout().count_all() else { return Ok(None) };
        let all = self.connection()?.query_row(&text, [], |row| row.get::<_, i64>(0));
        let all = all.map_err(sql("count the addresses", self.file()))?.unsigned_abs();
        Ok(Some(all.saturating_sub(self.tile_count()?)))
    }

    /// What SQLite says about its own pages, at most ten lines; empty where all is well. Reads the whole file.
    pub(in crate::archive) fn quick_check(&self) -> Result<Vec<String>> {
        let connection = self.connection()?;
        let error = || sql("check the database", self.file());
        let mut statement = connection.prepare("PRAGMA quick_check(10)").map_err(error())?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0)).map_err(error())?;
        let lines = lines.collect::<rusqlite::Result<Vec<_>>>().map_err(error())?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }

    pub(in crate::archive) fn application_id(&self) -> Result<i64> {
        let id = self.connection()?.query_row("PRAGMA application_id", [], |row| row.get(0));
        id.map_err(sql("read the application id", self.file()))
    }
}
