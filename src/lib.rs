//! hypso: a memory-mapped columnar tile store, its queries, and the terrain work on top of it.
//!
//! The library without default features is the store and its queries: open a file with [`Store::open`], ask it what
//! overlaps a point, a box or a tile with [`Store::overlapping`], and read records. It needs
//! no GDAL, no C compiler and no lock; where files can't be mapped, as in wasm32, a store is opened
//! [from bytes](Store::from_bytes). The features `engine`, `gdal` and `cli` add what turns rasters into tiles.
//!
//! ARCHITECTURE.md says where everything lives, `store-format.md` specifies the file.

#[cfg(all(test, feature = "engine"))]
mod altered;
pub mod atomic;
pub mod column;
pub mod container;
pub mod error;
pub mod format;
pub mod heights;
pub mod index;
mod local;
#[cfg(feature = "engine")]
mod memory;
mod mmap;
pub mod progress;
pub mod query;
pub mod store;
#[cfg(feature = "engine")]
mod text;
#[cfg(feature = "engine")]
mod threads;
pub mod tile;

#[cfg(feature = "engine")]
pub mod archive;
#[cfg(feature = "engine")]
pub mod catalog;
#[cfg(feature = "engine")]
pub mod export;
#[cfg(feature = "engine")]
pub mod pixels;
#[cfg(feature = "engine")]
pub mod plan;
#[cfg(feature = "engine")]
pub mod raster;
#[cfg(feature = "engine")]
pub mod render;
#[cfg(feature = "gdal")]
pub mod sample;
#[cfg(feature = "engine")]
pub mod terrain;
#[cfg(feature = "engine")]
pub mod track;
#[cfg(feature = "engine")]
pub mod worker;

#[cfg(feature = "cli")]
pub mod cli;

pub use container::{Container, Handle};
pub use error::{Error, Result};
pub use store::Store;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
