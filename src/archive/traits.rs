//! What every archive can do: give tiles, or take them.

use std::path::Path;

use serde_json::{Map, Value};

use super::{ArchiveKind, ArchiveMetadata};
use crate::error::Result;
use crate::tile::{TileCoord, TileId};

/// The identifiers of an archive's tiles in ascending order.
pub type TileIds<'a> = Box<dyn Iterator<Item = Result<TileId>> + 'a>;

/// Tiles that follow each other in [`TileId`] order and share one content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileRun {
    /// The first tile.
    pub first: TileId,
    /// How many tiles; at least 1.
    pub count: u64,
    /// The size of the content, bytes.
    pub bytes: u64,
    /// Tells contents apart inside this archive: equal numbers are the same stored bytes.
    pub content: u64,
}

/// An archive that is open for reading; shared by threads.
///
/// Tiles come as they are stored: a vector tile that is stored with gzip comes with gzip.
pub trait TileSource: Send + Sync {
    /// The file.
    fn path(&self) -> &Path;

    /// The format of the file.
    fn kind(&self) -> ArchiveKind;

    /// What the archive says about itself, completed where its tiles tell more (format, zooms).
    fn metadata(&self) -> &ArchiveMetadata;

    /// The bytes of a tile; `None` where the archive doesn't hold it.
    ///
    /// Costs one look-up and one read.
    ///
    /// # Errors
    /// Where the file can't be read or is damaged.
    fn tile(&self, tile: TileCoord) -> Result<Option<Vec<u8>>>;

    /// All tiles in [`TileId`] order, each once.
    ///
    /// PMTiles streams its directories; MBTiles reads and sorts its addresses first (8 bytes a tile).
    ///
    /// # Errors
    /// Where the file can't be read, is damaged, or holds an address outside of its zoom's grid.
    fn ids(&self) -> Result<TileIds<'_>>;

    /// How many tiles the archive holds (addresses, not distinct contents). MBTiles counts them; PMTiles knows.
    ///
    /// # Errors
    /// Where the file can't be read or is damaged.
    fn tile_count(&self) -> Result<u64>;

    /// Calls `visit` with every run of tiles and the size of its content, in the archive's own order, without reading
    /// the contents.
    ///
    /// # Errors
    /// Where the file can't be read or is damaged, or `visit` fails.
    fn runs(&self, visit: &mut dyn FnMut(TileRun) -> Result<()>) -> Result<()>;

    /// Facts about the file itself for people: header fields, tables, indices.
    ///
    /// # Errors
    /// Where the file can't be read.
    fn facts(&self) -> Result<Map<String, Value>>;
}

/// An archive that is being written.
///
/// Nothing stands under the final name before [`TileSink::finish`] returns; a sink that is dropped leaves nothing.
pub trait TileSink: Send {
    /// Adds a tile. Tiles come in ascending [`TileId`] order, each once.
    ///
    /// # Errors
    /// Where the order is broken (PMTiles at once; MBTiles accepts any order, and refuses a second tile of one address at
    /// the end), where the tile is empty, or where the volume is full.
    fn put(&mut self, tile: TileCoord, bytes: &[u8]) -> Result<()>;

    /// Completes the archive and gives it its final name. Zooms come from the tiles; bounds and centre do too, unless
    /// the metadata gave them.
    ///
    /// # Errors
    /// Where the volume is full, or the target appeared meanwhile and may not be overwritten.
    fn finish(self: Box<Self>) -> Result<ArchiveSummary>;
}

/// What a finished archive holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ArchiveSummary {
    /// Tiles (addresses).
    pub tiles: u64,
    /// The bytes of all tiles as they were put.
    pub bytes: u64,
    /// Contents that were stored; less than `tiles` where equal tiles share one content.
    pub contents: u64,
    /// The size of the file, bytes.
    pub file_size: u64,
}
