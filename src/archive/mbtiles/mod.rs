//! MBTiles 1.3: an SQLite database with the tables (or views) `metadata` and `tiles`.
//!
//! MBTiles counts rows from the south (TMS). That flip is made here and nowhere else: what goes in and comes out is
//! XYZ.
//!
//! - [`MbtilesReader`] reads tables and views, and completes what the metadata lack from the tiles.
//! - [`MbtilesWriter`] writes without a journal, makes the unique index at the end and leaves one file; on
//!   request with equal tiles stored once, as tables `map` and `images` below a view `tiles`.
//!
//! Specification: <https://github.com/mapbox/mbtiles-spec/blob/master/1.3/spec.md>.

mod checks;
mod connect;
mod copy;
mod direction;
mod edit;
mod into;
mod layout;
mod reader;
mod repeats;
pub(super) mod rows;
mod tables;
mod walk;
mod writer;

use std::path::Path;

pub(in crate::archive) use copy::{Checked, Plain};
pub(in crate::archive) use edit::edit;
pub(in crate::archive) use into::InPlace;
pub use reader::MbtilesReader;
pub use writer::MbtilesWriter;

use super::scheme::flip;
use crate::error::Error;
use crate::tile::{MAX_ZOOM, TileCoord};

/// `MPBX`, the application id that the specification gives.
pub(in crate::archive) const APPLICATION_ID: i64 = 0x4d50_4258;

/// The tile at an address of the database, whose rows count from the south (TMS) or from the north; `None` where it lies
/// outside of the grid.
pub(in crate::archive) fn tile_at(zoom: i64, column: i64, row: i64, from_north: bool) -> Option<TileCoord> {
    let z = u8::try_from(zoom).ok().filter(|&z| z <= MAX_ZOOM)?;
    let row = u32::try_from(row).ok().filter(|&row| u64::from(row) < 1 << z)?;
    TileCoord::new(z, u32::try_from(column).ok()?, if from_north { row } else { flip(z, row) })
}

/// The row of a tile in the database.
fn stored_row(tile: TileCoord, from_north: bool) -> u32 {
    if from_north { tile.y() } else { flip(tile.z(), tile.y()) }
}

/// An SQLite error with its file, as an error of hypso; made for `map_err`.
pub(in crate::archive) fn sql(action: &'static str, path: &Path) -> impl FnOnce(rusqlite::Error) -> Error {
    use rusqlite::ErrorCode;
    let path = path.to_path_buf();
    move |error| {
        let io = |kind| Error::Io { path: path.clone(), action, source: std::io::Error::new(kind, error.to_string()) };
        let invalid = |remedy| Error::invalid("database", format!("can't {action}: {error}"), remedy).with_path(&path);
        if let Some(beside) = connect::unread_log(&path, &error) {
            return beside;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => io(std::io::ErrorKind::StorageFull),
            Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => io(std::io::ErrorKind::PermissionDenied),
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => io(std::io::ErrorKind::Other),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                invalid("another program is writing to it: wait until it is done")
            }
            // Only connections that read are limited, and only by how much work a file of its size can give.
            Some(ErrorCode::OperationInterrupted) => Error::invalid(
                "tables \"tiles\" and \"metadata\"",
                format!("can't {action}: one of them is a view that gives more rows than a file of this size can hold, or does not end"),
                "a zoom has at most 4^zoom tiles, each once: make the archive again, with tables",
            )
            .with_path(&path),
            Some(ErrorCode::ConstraintViolation) => {
                invalid("a tile was given twice: merge the inputs with a rule for overlaps")
            }
            _ => invalid("the file is damaged or not an MBTiles archive: copy or make it again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_flipped_and_bad_addresses_refused() {
        assert_eq!(tile_at(8, 40, 157, false), TileCoord::new(8, 40, 98));
        assert_eq!(tile_at(8, 40, 157, true), TileCoord::new(8, 40, 157));
        assert_eq!(tile_at(31, 0, 0, false), TileCoord::new(31, 0, (1 << 31) - 1));
        assert_eq!(tile_at(8, 40, 157, false).map(|tile| stored_row(tile, false)), Some(157));
        for (z, x, y) in [(32, 0, 0), (-1, 0, 0), (1, 2, 0), (1, 0, 2), (1, -1, 0), (1, 0, -1), (i64::MAX, 0, 0)] {
            assert_eq!(tile_at(z, x, y, false), None, "{z}/{x}/{y}");
        }
    }
}
