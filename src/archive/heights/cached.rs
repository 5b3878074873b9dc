//! Questions about heights of a PMTiles archive, by decoding its tiles and keeping some of them.

use std::borrow::Cow;
use std::sync::Arc;

use super::decoded::{Decoded, DecodedTiles};
use super::{coding, datum_of, encoding_of};
use crate::archive::ArchiveMetadata;
use crate::archive::pmtiles::TileReader;
use crate::error::{Error, Result};
use crate::heights::{Grid, Shape, Tiles};
use crate::tile::{TileCoord, TileId};

/// A PMTiles archive of terrain that answers what a file of heights does ([`HeightQueries`](crate::heights::HeightQueries)), for those who
/// have nothing else: the same answers, but a tile is decoded whole (some milliseconds), and each process keeps its own.
///
/// ```no_run
/// use hypso::archive::heights::CachedHeights;
/// use hypso::archive::pmtiles::TileReader;
/// use hypso::heights::HeightQueries;
///
/// let heights = CachedHeights::new(TileReader::open("japan.pmtiles")?, 256 << 20)?;
/// if let Some(height) = heights.at(138.7275, 35.3607)? {
///     println!("{} m", height.metres);
/// }
/// # Ok::<(), hypso::Error>(())
/// ```
pub struct CachedHeights {
    reader: Arc<TileReader>,
    kept: DecodedTiles,
    shape: Shape,
}

/// What a cache of decoded tiles holds and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CacheUse {
    /// Bytes of the tiles that are kept.
    pub bytes: u64,
    /// Tiles that were found.
    pub hits: u64,
    /// Tiles that were not found.
    pub misses: u64,
}

impl CachedHeights {
    /// Keeps up to `bytes` of decoded tiles of an archive, which may be shared; one of 512 pixels takes 1.3 MB. Decodes one tile to learn its size.
    ///
    /// # Errors
    /// Where the archive declares no encoding of heights, is empty, or its first tile is no image.
    pub fn new(reader: impl Into<Arc<TileReader>>, bytes: u64) -> Result<Self> {
        let reader = reader.into();
        let metadata = reader.metadata().clone();
        Self::with_metadata(reader, &metadata, bytes)
    }

    /// As [`new`](Self::new), with metadata that say more than those of the archive: the encoding.
    pub(crate) fn with_metadata(reader: Arc<TileReader>, metadata: &ArchiveMetadata, bytes: u64) -> Result<Self> {
        let coding = coding(encoding_of(metadata)?);
        let zooms = metadata.minzoom.zip(metadata.maxzoom);
        let first = reader.first_tile()?.zip(zooms);
        let Some(((tile, bytes_of), zooms)) = first else {
            return Err(Error::NotFound { problem: "the archive holds no tile; give one of terrain".to_owned() });
        };
        let shape = DecodedTiles::shape(tile, bytes_of, zooms, reader.header().addressed_tiles, coding)?;
        Ok(Self { kept: DecodedTiles::new(shape.size, bytes), shape, reader })
    }

    /// The archive.
    #[must_use]
    pub fn reader(&self) -> &TileReader {
        &self.reader
    }

    /// What the cache did since it was made.
    #[must_use]
    pub fn cache(&self) -> CacheUse {
        self.kept.used()
    }
}

impl std::fmt::Debug for CachedHeights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedHeights")
            .field("reader", &self.reader)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl Tiles for CachedHeights {
    type Tile<'a> = Arc<Decoded>;

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn tile(&self, tile: TileCoord) -> Result<Option<Arc<Decoded>>> {
        self.kept.get(tile, || Ok(self.reader.tile(tile)?.map(Cow::Borrowed)))
    }
}

impl Grid for CachedHeights {
    fn has_finer(&self, tile: TileCoord, up_to: u8) -> Result<bool> {
        for zoom in tile.z() + 1..=up_to.min(self.shape.max_zoom) {
            if self.reader.holds_any(TileId::subtree(tile, zoom))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn sources(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn datum(&self) -> Result<Option<String>> {
        Ok(datum_of(self.reader.metadata()))
    }
}
