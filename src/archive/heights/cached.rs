//! Questions about heights of a PMTiles archive, by decoding its tiles and keeping some of them.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::{coding, datum_of, encoding_of};
use crate::archive::ArchiveMetadata;
use crate::archive::pmtiles::TileReader;
use crate::error::{Error, Result};
use crate::heights::{Facts, Grid, Pixels, Shape};
use crate::terrain::CodeTile;
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
    cache: Cache<u64, Arc<Decoded>, Bytes>,
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

/// A decoded tile.
#[derive(Debug)]
pub struct Decoded {
    tile: CodeTile,
    facts: Facts,
}

/// What a tile takes in memory.
#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<u64, Arc<Decoded>> for Bytes {
    fn weight(&self, _: &u64, decoded: &Arc<Decoded>) -> u64 {
        (size_of::<Decoded>() + decoded.tile.codes.len() * 5) as u64
    }
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
        let [scale, offset] = coding(encoding_of(metadata)?);
        let zooms = metadata.minzoom.zip(metadata.maxzoom);
        let first = reader.first_tile()?.zip(zooms);
        let Some(((tile, bytes_of), (min_zoom, max_zoom))) = first else {
            return Err(Error::NotFound { problem: "the archive holds no tile; give one of terrain".to_owned() });
        };
        let size = CodeTile::decode(bytes_of).map_err(|error| named(error, tile))?.size;
        let tiles = reader.header().addressed_tiles;
        let shape = Shape { size, min_zoom, max_zoom, tiles: tiles.max(1), scale, offset };
        let items = (bytes / (u64::from(size) * u64::from(size) * 5)).max(1) as usize;
        Ok(Self { cache: Cache::with_weighter(items, bytes, Bytes), shape, reader })
    }

    /// The archive.
    #[must_use]
    pub fn reader(&self) -> &TileReader {
        &self.reader
    }

    /// What the cache did since it was made.
    #[must_use]
    pub fn cache(&self) -> CacheUse {
        CacheUse { bytes: self.cache.weight(), hits: self.cache.hits(), misses: self.cache.misses() }
    }

    fn decode(&self, tile: TileCoord, bytes: &[u8]) -> Result<Arc<Decoded>> {
        let found = CodeTile::decode(bytes).map_err(|error| named(error, tile))?;
        if found.size != self.shape.size {
            let problem = format!("has {} pixels a side, the first tile has {}", found.size, self.shape.size);
            return Err(Error::invalid(format!("tile {tile}"), problem, "cut or join its tiles to one size"));
        }
        let facts = Facts::of(&found.codes, &found.valid);
        Ok(Arc::new(Decoded { tile: found, facts }))
    }
}

fn named(error: Error, tile: TileCoord) -> Error {
    match error {
        Error::Invalid { problem, remedy, .. } => Error::invalid(format!("tile {tile}"), problem, remedy),
        other => other,
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

impl Grid for CachedHeights {
    type Tile<'a> = Arc<Decoded>;

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn tile(&self, tile: TileCoord) -> Result<Option<Arc<Decoded>>> {
        let id = TileId::from(tile);
        if let Some(decoded) = self.cache.get(&id.0) {
            return Ok(Some(decoded));
        }
        let Some(bytes) = self.reader.tile(tile)? else { return Ok(None) };
        self.cache.get_or_insert_with(&id.0, || self.decode(tile, bytes)).map(Some)
    }

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

impl Pixels for Arc<Decoded> {
    fn code(&self, x: u32, y: u32) -> Result<Option<i32>> {
        let at = y as usize * self.tile.size as usize + x as usize;
        Ok((self.tile.valid.get(at) == Some(&1)).then(|| self.tile.codes[at] as i32))
    }

    fn four(&self, x: u32, y: u32) -> Result<[Option<i32>; 4]> {
        Ok([self.code(x, y)?, self.code(x + 1, y)?, self.code(x, y + 1)?, self.code(x + 1, y + 1)?])
    }

    fn source(&self, _: u32, _: u32) -> Result<Option<u8>> {
        Ok(None)
    }

    fn facts(&self) -> Facts {
        self.facts
    }

    fn block_range(&self, _: u32, _: u32) -> Result<Option<(i64, i64)>> {
        let facts = self.facts;
        Ok((facts.valid > 0).then(|| (facts.least.into(), facts.greatest.into())))
    }

    fn block(&self, x: u32, y: u32, codes: &mut [i32; 256], valid: &mut [u8; 256]) -> Result<()> {
        let side = self.tile.size;
        for (row, (codes, valid)) in (y..).zip(codes.chunks_mut(16).zip(valid.chunks_mut(16))) {
            for (column, (code, valid)) in (x..).zip(codes.iter_mut().zip(valid)) {
                let found = if row < side && column < side { self.code(column, row)? } else { None };
                (*code, *valid) = (found.unwrap_or(0), u8::from(found.is_some()));
            }
        }
        Ok(())
    }
}
