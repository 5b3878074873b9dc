//! Several rows of one tile. Equal contents do no harm. Which of different contents is right, only the user can say.

use super::reader::MbtilesReader;
use super::{sql, stored_row};
use crate::archive::{Located, OnDuplicate};
use crate::error::{Error, Result};
use crate::tile::TileCoord;

impl MbtilesReader {
    /// Which of several rows of one tile is taken.
    ///
    /// # Errors
    /// Where their contents differ and no rule says which one to take; the tile is named.
    pub(super) fn choose(&self, tile: TileCoord, repeated: &[Located]) -> Result<Located> {
        let first = repeated[0];
        let address = (tile.z(), tile.x(), stored_row(tile, self.is_xyz()));
        let Some([ordered, plain]) = self.layout().places_at() else {
            // Found by the address alone: reading it looks at all rows.
            let mut bytes = Vec::new();
            self.read_address(tile, &mut bytes)?;
            return Ok(first);
        };
        let connection = self.connection()?;
        let error = || sql("read the rows of a tile", self.file());
        let mut statement =
            connection.prepare_cached(&ordered).or_else(|_| connection.prepare_cached(&plain)).map_err(error())?;
        let places = statement.query_map(address, |row| row.get::<_, i64>(0)).map_err(error())?;
        let places = places.collect::<rusqlite::Result<Vec<i64>>>().map_err(error())?;
        let located: Vec<Located> = places.iter().map(|&place| Located { place: place as u64, ..first }).collect();
        let mut known: Option<Vec<u8>> = None;
        let mut differ = false;
        for &at in &located {
            let mut bytes = Vec::new();
            self.read_place(at, &mut bytes)?;
            differ |= known.get_or_insert_with(|| bytes.clone()) != &bytes;
        }
        let (Some(&first), Some(&last)) = (located.first(), located.last()) else { return Ok(first) };
        match self.on_duplicate() {
            OnDuplicate::Error if differ => Err(self.twice(tile, located.len())),
            OnDuplicate::Last => Ok(last),
            _ => Ok(first),
        }
    }

    /// Whether the rows of a tile hold different contents.
    ///
    /// # Errors
    /// Where they can't be read.
    pub(in crate::archive) fn differ(&self, tile: TileCoord) -> Result<bool> {
        let connection = self.connection()?;
        let error = || sql("read the rows of a tile", self.file());
        let text = "SELECT count(DISTINCT tile_data) > 1 FROM tiles WHERE zoom_level = ?1 AND tile_column = ?2 AND tile_row = ?3";
        let address = (tile.z(), tile.x(), stored_row(tile, self.is_xyz()));
        connection.prepare_cached(text).and_then(|mut s| s.query_row(address, |row| row.get(0))).map_err(error())
    }

    /// Several rows of one tile hold different contents.
    pub(super) fn twice(&self, tile: TileCoord, rows: usize) -> Error {
        Error::invalid(
            format!("tile {tile}"),
            format!("stands in the archive twice ({rows} rows), with different contents"),
            "say which one is taken with `on_duplicate = first` or `on_duplicate = last`, or remove one",
        )
        .with_path(self.file())
    }
}
