//! Decoded tiles as grids of pixels, some of which are kept.

use std::borrow::Cow;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::cached::CacheUse;
use crate::error::{Error, Result};
use crate::heights::{Facts, Pixels, Shape};
use crate::terrain::CodeTile;
use crate::tile::{TileCoord, TileId};

/// A decoded tile.
#[derive(Debug)]
pub struct Decoded {
    tile: CodeTile,
    facts: Facts,
}

impl Decoded {
    /// Which pixels have a height, 1 or 0, row by row.
    pub(crate) fn valid(&self) -> &[u8] {
        &self.tile.valid
    }
}

/// What a tile takes in memory.
#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<u64, Arc<Decoded>> for Bytes {
    fn weight(&self, _: &u64, decoded: &Arc<Decoded>) -> u64 {
        (size_of::<Decoded>() + decoded.tile.codes.len() * 5) as u64
    }
}

/// Tiles of one size that were decoded, up to a number of bytes; one of 512 pixels takes 1.3 MB.
#[derive(Debug)]
pub(crate) struct DecodedTiles {
    cache: Cache<u64, Arc<Decoded>, Bytes>,
    size: u32,
}

impl DecodedTiles {
    pub(crate) fn new(size: u32, bytes: u64) -> Self {
        let items = (bytes / (u64::from(size) * u64::from(size) * 5)).max(1) as usize;
        Self { cache: Cache::with_weighter(items, bytes, Bytes), size }
    }

    /// For the tiles of an archive that are as large as one of them, and as their encoding says.
    pub(crate) fn shape(
        first: TileCoord,
        bytes: &[u8],
        (min_zoom, max_zoom): (u8, u8),
        tiles: u64,
        [scale, offset]: [f64; 2],
    ) -> Result<Shape> {
        let size = CodeTile::decode(bytes).map_err(|error| named(error, first))?.size;
        Ok(Shape { size, min_zoom, max_zoom, tiles: tiles.max(1), scale, offset })
    }

    /// What was done so far.
    pub(crate) fn used(&self) -> CacheUse {
        CacheUse { bytes: self.cache.weight(), hits: self.cache.hits(), misses: self.cache.misses() }
    }

    /// A tile, which `read` reads where it is not kept.
    ///
    /// # Errors
    /// Those of `read`; where the tile is no image, or has another size.
    pub(crate) fn get<'b>(
        &self,
        tile: TileCoord,
        read: impl FnOnce() -> Result<Option<Cow<'b, [u8]>>>,
    ) -> Result<Option<Arc<Decoded>>> {
        let id = TileId::from(tile);
        if let Some(decoded) = self.cache.get(&id.0) {
            return Ok(Some(decoded));
        }
        let Some(bytes) = read()? else { return Ok(None) };
        self.cache.get_or_insert_with(&id.0, || self.decode(tile, &bytes)).map(Some)
    }

    fn decode(&self, tile: TileCoord, bytes: &[u8]) -> Result<Arc<Decoded>> {
        let found = CodeTile::decode(bytes).map_err(|error| named(error, tile))?;
        if found.size != self.size {
            let problem = format!("has {} pixels a side, the first tile has {}", found.size, self.size);
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
