//! All tiles of a database in the order of tile ids, block by block.
//!
//! The index of MBTiles runs along columns, tile ids run along the Hilbert curve. So the addresses of a square are read
//! through the index and sorted; a square with more than fits is read as its four quarters, one after the other.

use std::vec::IntoIter;

use rusqlite::Row;

use super::reader::MbtilesReader;
use super::sql;
use crate::archive::Located;
use crate::error::{Error, Result};
use crate::tile::{MAX_ZOOM, TileCoord};

/// Addresses that are held at a time: 12 MB.
const BLOCK: usize = 1 << 19;

/// The walk. Ends after the first error.
pub(super) struct Walk<'a> {
    reader: &'a MbtilesReader,
    /// Addresses that are held at a time, where an index finds them by zoom.
    limit: usize,
    held: IntoIter<Located>,
    /// The zoom that is being walked; before the first one, a number below all.
    zoom: i64,
    /// The one zoom to walk, where not all are.
    only: Option<i64>,
    /// Squares of that zoom that are still to be read, the next one last.
    squares: Vec<TileCoord>,
    /// Rows of tiles that had another row.
    repeated: u64,
    done: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(reader: &'a MbtilesReader) -> Self {
        Self::with_limit(reader, BLOCK)
    }

    /// The tiles of one zoom.
    pub(super) fn of_zoom(reader: &'a MbtilesReader, zoom: u8) -> Self {
        let mut walk = Self::new(reader);
        walk.only = Some(zoom.into());
        walk
    }

    fn with_limit(reader: &'a MbtilesReader, limit: usize) -> Self {
        reader.begin_scan();
        let held = Vec::new().into_iter();
        Self { reader, limit, held, zoom: i64::MIN, only: None, squares: Vec::new(), repeated: 0, done: false }
    }

    /// Reads the next block; false at the end.
    fn fill(&mut self) -> Result<bool> {
        if !self.reader.layout().indexed() {
            // Nothing leads to a part of the tiles: one pass over all of them.
            if self.zoom != i64::MIN {
                return Ok(false);
            }
            self.zoom = i64::MAX;
            let layout = self.reader.layout();
            let condition = self.only.map_or_else(String::new, |_| layout.in_zoom());
            let all = self.read(&layout.select(&condition), self.only.as_slice(), usize::MAX)?;
            self.held = self.settle(all.unwrap_or_default())?;
            return Ok(true);
        }
        if let Some(square) = self.squares.pop() {
            return self.fill_from(square).map(|()| true);
        }
        let next = match self.only {
            Some(only) => (self.zoom < only).then_some(only),
            None => self.next_zoom()?,
        };
        let Some(zoom) = next else { return Ok(false) };
        if !(0..=i64::from(MAX_ZOOM)).contains(&zoom) {
            return Err(self.reader.outside(zoom, 0, 0));
        }
        self.zoom = zoom;
        // The whole zoom at once, which also finds addresses outside of its grid; by quarters where it is too large.
        let condition = self.reader.layout().in_zoom();
        match self.read(&self.reader.layout().select(&condition), &[zoom], self.limit)? {
            Some(found) => self.held = self.settle(found)?,
            None => self.squares.extend(TileCoord::new(0, 0, 0)),
        }
        if let Some(whole) = self.squares.pop() {
            self.split(whole);
        }
        Ok(true)
    }

    fn next_zoom(&self) -> Result<Option<i64>> {
        let connection = self.reader.connection()?;
        let next = connection.query_row(&self.reader.layout().next_zoom(), [self.zoom], |row| row.get(0));
        next.map_err(sql("read the zooms", self.reader.file()))
    }

    fn fill_from(&mut self, square: TileCoord) -> Result<()> {
        let z = self.zoom as u8;
        let shift = u32::from(z - square.z());
        let range = |at: u32| (i64::from(at) << shift, (i64::from(at + 1) << shift) - 1);
        let (columns, rows) = (range(square.x()), self.reader.stored_rows(z, range(square.y())));
        let parameters = [self.zoom, columns.0, columns.1, rows.0, rows.1];
        let limit = if square.z() < z { self.limit } else { usize::MAX };
        let text = self.reader.layout().select(&self.reader.layout().in_block());
        match self.read(&text, &parameters, limit)? {
            Some(found) => self.held = self.settle(found)?,
            None => self.split(square),
        }
        Ok(())
    }

    fn split(&mut self, square: TileCoord) {
        self.squares.extend(square.children_by_id().into_iter().flatten().rev());
    }

    /// The addresses that a statement gives; `None` where there are more than `limit`.
    fn read(&self, text: &str, parameters: &[i64], limit: usize) -> Result<Option<Vec<Located>>> {
        let connection = self.reader.connection()?;
        let error = || sql("read the tile addresses", self.reader.file());
        let mut statement = connection.prepare_cached(text).map_err(error())?;
        let mut rows = statement.query(rusqlite::params_from_iter(parameters)).map_err(error())?;
        let mut found = Vec::new();
        let has_places = self.reader.layout().has_places();
        while let Some(row) = rows.next().map_err(error())? {
            if found.len() == limit {
                return Ok(None);
            }
            found.push(self.located(row, has_places)?);
        }
        Ok(Some(found))
    }

    /// Brings tiles into their order, each once.
    fn settle(&mut self, mut tiles: Vec<Located>) -> Result<IntoIter<Located>> {
        tiles.sort_unstable_by_key(|tile| (tile.id, tile.place));
        if tiles.windows(2).any(|pair| pair[0].id == pair[1].id) {
            let mut once: Vec<Located> = Vec::with_capacity(tiles.len());
            for same in tiles.chunk_by(|a, b| a.id == b.id) {
                match (same, same[0].id.coord()) {
                    ([_, _, ..], Some(tile)) => once.push(self.reader.choose(tile, same)?),
                    _ => once.push(same[0]),
                }
                self.repeated += same.len() as u64 - 1;
            }
            tiles = once;
        }
        Ok(tiles.into_iter())
    }

    fn located(&self, row: &Row<'_>, has_places: bool) -> Result<Located> {
        let number = |i: usize| row.get::<_, i64>(i).map_err(sql("read the tile addresses", self.reader.file()));
        let (zoom, column, tile_row) = (number(0)?, number(1)?, number(2)?);
        let tile = self.reader.coord(zoom, column, tile_row);
        let tile = tile.ok_or_else(|| -> Error { self.reader.outside(zoom, column, tile_row) })?;
        let place = if has_places { number(3)? as u64 } else { Located::NOWHERE };
        Ok(Located { id: tile.into(), place, bytes: 0 })
    }
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        self.reader.found_repeated(self.repeated);
        self.reader.end_scan();
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Located>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(tile) = self.held.next() {
                return Some(Ok(tile));
            }
            if self.done {
                return None;
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => self.done = true,
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::mbtiles::MbtilesWriter;
    use crate::archive::{ArchiveMetadata, TileSink};
    use crate::tile::TileId;

    #[test]
    fn blocks_of_any_size_give_all_tiles_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mbtiles");
        let mut sink = Box::new(MbtilesWriter::create(&path, &ArchiveMetadata::default(), false).unwrap());
        let ids: Vec<u64> = (0..3000u64).map(|n| n * 7 % 5461).chain([TileId::first(31).0 + 77]).collect();
        for &id in &ids {
            sink.put(TileId(id).coord().unwrap(), &id.to_le_bytes()).unwrap();
        }
        sink.finish().unwrap();
        let reader = MbtilesReader::open(&path).unwrap();
        assert!(reader.layout().indexed());
        let mut expected = ids;
        expected.sort_unstable();
        for limit in [1, 3, 100, 1000, BLOCK] {
            let found: Vec<Located> = Walk::with_limit(&reader, limit).map(|tile| tile.unwrap()).collect();
            assert_eq!(found.iter().map(|tile| tile.id.0).collect::<Vec<_>>(), expected, "{limit}");
        }
    }
}
