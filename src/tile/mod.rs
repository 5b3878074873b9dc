//! Tile addresses: coordinates, identifiers, ranges, where they lie on the Earth, and areas that take some of them.
//!
//! Tiles are addressed `z/x/y` in the XYZ scheme (y grows southwards). TMS rows exist only inside the MBTiles code.
//! Geometry is EPSG:3857 (Web Mercator) metres in `f64`.
//!
//! ```
//! use hypso::tile::{TileCoord, TileId};
//! let tile: TileCoord = "12/3628/1617".parse()?;
//! assert_eq!(TileId::from(tile).coord(), Some(tile));
//! assert!(tile.bounds().min_x < tile.bounds().max_x);
//! # Ok::<(), hypso::Error>(())
//! ```

mod area;
mod bounds;
mod coord;
pub(crate) mod hilbert;
mod id;
mod range;
pub mod web_mercator;
mod zooms;

pub use area::{Area, Contact, Degrees, LonLat, LonLatBox, Polygon, Polygons};
pub use bounds::Bounds;
pub use coord::TileCoord;
pub use id::TileId;
pub use range::TileRange;
pub use zooms::Zooms;

/// The deepest zoom that a tile can have: identifiers of deeper ones would not fit 64 bits (PMTiles, version 3).
pub const MAX_ZOOM: u8 = 31;

/// The deepest native zoom of a record, and so the deepest zoom of a store's tile index and of a run. Pixels are 1.9 cm
/// there, 512 a side; finer rasters are averaged.
pub const MAX_NATIVE_ZOOM: u8 = 22;
