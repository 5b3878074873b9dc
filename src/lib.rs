//! hypso: a memory-mapped columnar tile store, its queries, and the terrain work on top of it.

pub mod atomic;
pub mod column;
pub mod error;
pub mod format;
pub mod index;
#[cfg(feature = "engine")]
pub mod plan;
pub mod progress;
pub mod query;
pub mod store;
pub mod tile;

#[cfg(feature = "engine")]
pub mod archive;
#[cfg(feature = "engine")]
pub mod catalog;
#[cfg(feature = "engine")]
pub mod raster;
#[cfg(feature = "gdal")]
pub mod sample;
#[cfg(feature = "engine")]
pub mod terrain;

#[cfg(feature = "cli")]
pub mod cli;

pub use error::{Error, Result};
pub use store::Store;
