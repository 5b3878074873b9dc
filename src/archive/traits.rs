//! What every archive can do: give tiles, or take them.

use std::path::Path;

use super::heights::{HeightsReader, HeightsWriter};
use super::mbtiles::{MbtilesReader, MbtilesWriter};
use super::pmtiles::{PmtilesReader, PmtilesWriter};
use super::{ArchiveKind, ArchiveMetadata, TileForm};
use crate::atomic::ScratchFile;
use crate::error::Result;
use crate::json::Json;
use crate::tile::{TileCoord, TileId};

/// The identifiers of an archive's tiles in ascending order.
pub type TileIds<'a> = Box<dyn Iterator<Item = Result<TileId>> + 'a>;

/// A tile and where its bytes lie, so that they can be read without a second look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located {
    /// The tile.
    pub id: TileId,
    /// Where: an offset in PMTiles, a row in MBTiles, [`Located::NOWHERE`] where only the address leads to it. Equal
    /// places of one archive hold the same bytes.
    pub place: u64,
    /// How many bytes; 0 where the archive doesn't say before they are read.
    pub bytes: u32,
}

impl Located {
    /// The place of a tile that is found by its address alone.
    pub const NOWHERE: u64 = u64::MAX;

    /// True where both are known to be one content of one archive.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        self.place != Self::NOWHERE && (self.place, self.bytes) == (other.place, other.bytes)
    }
}

/// An archive's tiles with their places, in ascending order of identifiers, each once.
pub type LocatedTiles<'a> = Box<dyn Iterator<Item = Result<Located>> + Send + 'a>;

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
/// Tiles come as they are stored: a vector tile that is stored with gzip comes with gzip. What [`open`](super::open) gives mends
/// what no client could read: see [`TileSource::form`].
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

    /// All tiles in [`TileId`] order, each once, and where they lie.
    ///
    /// Streams: PMTiles walks its directories; MBTiles reads its index block by block, half a million addresses at a time
    /// (12 MB).
    ///
    /// # Errors
    /// Where the file can't be read, is damaged, or holds an address outside of its zoom's grid.
    fn tiles(&self) -> Result<LocatedTiles<'_>>;

    /// As [`TileSource::tiles`], of one zoom alone.
    ///
    /// # Errors
    /// As [`TileSource::tiles`].
    fn tiles_of(&self, zoom: u8) -> Result<LocatedTiles<'_>>;

    /// Appends the bytes of a tile that [`TileSource::tiles`] gave. Threads read at the same time.
    ///
    /// # Errors
    /// Where the file can't be read or is damaged.
    fn read(&self, tile: Located, into: &mut Vec<u8>) -> Result<()>;

    /// As [`TileSource::read`] for several tiles; pushes where in `into` each of them ends. Cheaper than one by one where
    /// finding the file's reader costs something.
    ///
    /// # Errors
    /// As [`TileSource::read`].
    fn read_many(&self, tiles: &[Located], into: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<()> {
        for tile in tiles {
            self.read(*tile, into)?;
            ends.push(into.len());
        }
        Ok(())
    }

    /// All tiles in [`TileId`] order, each once.
    ///
    /// # Errors
    /// As [`TileSource::tiles`].
    fn ids(&self) -> Result<TileIds<'_>> {
        Ok(Box::new(self.tiles()?.map(|tile| tile.map(|tile| tile.id))))
    }

    /// What is odd about the archive and is corrected while reading, as messages for the user; known when it is opened.
    fn warnings(&self) -> &[String] {
        &[]
    }

    /// What was found and corrected while tiles were read, as messages for the user.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// In which form tiles are given out.
    fn form(&self) -> TileForm {
        TileForm::Stored
    }

    /// The archive as it is stored, where this gives out tiles in another form.
    fn stored(&self) -> Option<&dyn TileSource> {
        None
    }

    /// Some contents as they are stored, at most `count`: enough to guess what all of them are. Empty where the archive is damaged.
    fn some(&self, count: usize) -> Vec<Vec<u8>> {
        let read = |tile: Located| {
            let mut bytes = Vec::new();
            self.read(tile, &mut bytes).ok().map(|()| bytes)
        };
        self.tiles().map(|tiles| tiles.take(count).map_while(Result::ok).filter_map(read).collect()).unwrap_or_default()
    }

    /// The archive as an MBTiles database, where it is one: for work that two databases do between themselves.
    fn as_mbtiles(&self) -> Option<&MbtilesReader> {
        None
    }

    /// The archive as a file of heights, where it is one: its pixels can be had without images.
    fn as_heights(&self) -> Option<&HeightsReader> {
        None
    }

    /// The archive as PMTiles, where it is one: it finds the tiles of an area, and can lie behind a URL.
    fn as_pmtiles(&self) -> Option<&PmtilesReader> {
        None
    }

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

    /// Facts about the file itself for people, an object: header fields, tables, indices.
    ///
    /// # Errors
    /// Where the file can't be read.
    fn facts(&self) -> Result<Json>;
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

    /// The archive as an MBTiles database, where it is one: for work that two databases do between themselves.
    fn as_mbtiles(&mut self) -> Option<&mut MbtilesWriter> {
        None
    }

    /// The archive as a file of heights, where it is one: it takes pixels without images.
    fn as_heights(&mut self) -> Option<&mut HeightsWriter> {
        None
    }

    /// The archive as PMTiles, where it is one: it knows where tiles will lie before they are there, so that threads can write them.
    fn as_pmtiles(&mut self) -> Option<&mut PmtilesWriter> {
        None
    }

    /// An unnamed file on the volume of the archive, for what doesn't fit in memory.
    ///
    /// # Errors
    /// Where the folder can't be written.
    #[doc(hidden)]
    fn scratch(&self) -> Result<ScratchFile>;

    /// The metadata, which are written at the end.
    fn metadata_mut(&mut self) -> &mut ArchiveMetadata;

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
