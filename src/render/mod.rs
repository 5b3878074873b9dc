//! From a unit and a store to encoded tiles.
//!
//! A tile is made by the contract in ARCHITECTURE.md: where a finer tile exists it is the mean of that tile as encoded,
//! elsewhere it is sampled from the records in candidate order. Tiles of a unit are made depth first, so that a unit
//! holds a few tiles at a time, whatever its size. The result depends on the store and the options alone, never on how
//! the work was split.
//!
//! What a library promises of this is [`TileRenderer`] and [`HeightSampler`]; runs over many tiles are the work of the program.

#[doc(hidden)]
pub mod against;
mod bounded;
mod door;
mod finer;
mod mosaic;
mod odd;
mod place;
mod pool;
mod provenance;
mod reach;
mod report;
mod sampler;
mod seams;
mod surroundings;
mod unit;
mod vertical;
mod voids;

pub use crate::raster::Resampling;
#[cfg(feature = "gdal")]
pub use crate::raster::gdal::GdalOpener;
pub use crate::raster::{RasterOpener, RasterReader, read_by};
pub(crate) use bounded::Bounded;
pub use door::{Height, HeightSampler, TileRenderer};
pub use unit::RenderOptions;

// No promise: what the program, its tests and benches use.
#[doc(hidden)]
pub use crate::raster::SMALL_BLOCK;
#[doc(hidden)]
pub use against::{Comparison, Differences, compare as compare_with_sources};
#[doc(hidden)]
pub use finer::{FinerTiles, Layer, NoFinerTiles};
#[doc(hidden)]
pub use odd::Odd;
#[doc(hidden)]
pub use place::check_place;
#[doc(hidden)]
pub use provenance::{Candidate, Share, heights, shares};
#[doc(hidden)]
pub use reach::reach;
#[doc(hidden)]
pub use report::{CopyFacts, ODD_ROWS, ReadRecord, Seen, SourceReport, UnitReport};
#[doc(hidden)]
pub use seams::{Seams, Steps};
#[doc(hidden)]
pub use surroundings::{check_blend, check_gaps};
#[doc(hidden)]
pub use unit::{Made, Renderer, Update};
