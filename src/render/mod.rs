//! From a unit and a store to encoded tiles.
//!
//! A tile is made by the contract in ARCHITECTURE.md: where a finer tile exists it is the mean of that tile as encoded,
//! elsewhere it is sampled from the records in candidate order. Tiles of a unit are made depth first, so that a unit
//! holds a few tiles at a time, whatever its size. The result depends on the store and the options alone, never on how
//! the work was split.

#[cfg(feature = "gdal")]
pub mod against;
mod finer;
mod mosaic;
mod odd;
mod opener;
mod pool;
mod provenance;
mod reach;
mod report;
mod sampler;
mod surroundings;
mod unit;
mod vertical;
mod voids;

#[cfg(feature = "gdal")]
pub use against::{Comparison, Differences, compare as compare_with_sources};
pub use finer::{FinerTiles, Layer, NoFinerTiles};
pub use odd::Odd;
pub(crate) use opener::Bounded;
#[cfg(feature = "gdal")]
pub use opener::GdalOpener;
pub use opener::{RasterOpener, SMALL_BLOCK};
pub use provenance::{Candidate, Share, candidates, heights, shares};
pub use reach::reach;
pub use report::{ODD_ROWS, ReadRecord, SourceReport, UnitReport};
pub use surroundings::{check_blend, check_gaps};
pub use unit::{Made, RenderOptions, Renderer, Update};
