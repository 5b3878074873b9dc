//! Where the tiles one zoom below a unit come from.

use crate::archive::TileSource;
use crate::error::Result;
use crate::tile::TileCoord;

/// What a tile shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Layer {
    /// Heights.
    Elevation = 0,
    /// Which source each pixel came from.
    Lineage = 1,
}

impl Layer {
    /// The layer with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Elevation),
            1 => Some(Self::Lineage),
            _ => None,
        }
    }
}

/// Gives finished tiles of the zoom below a unit.
pub trait FinerTiles {
    /// The encoded tile; `None` where it has no valid pixel and so was not written.
    ///
    /// # Errors
    /// Where it should be there and can't be read.
    fn tile(&self, tile: TileCoord, layer: Layer) -> Result<Option<Vec<u8>>>;
}

/// For the finest zoom of all, below which nothing exists.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFinerTiles;

impl FinerTiles for NoFinerTiles {
    fn tile(&self, _tile: TileCoord, _layer: Layer) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

/// Finer tiles out of archives: one for heights, one for lineage where that is made.
impl FinerTiles for (Box<dyn TileSource>, Option<Box<dyn TileSource>>) {
    fn tile(&self, tile: TileCoord, layer: Layer) -> Result<Option<Vec<u8>>> {
        match (layer, &self.1) {
            (Layer::Elevation, _) => self.0.tile(tile),
            (Layer::Lineage, Some(lineage)) => lineage.tile(tile),
            (Layer::Lineage, None) => Ok(None),
        }
    }
}
