//! hypso: a memory-mapped columnar tile store, its queries, and the terrain work on top of it.
//!
//! The library without default features is the store and its queries: open a file with [`Store::open`], ask it what
//! overlaps a point, a box or a tile with [`Store::overlapping`], and read records. It needs
//! no GDAL, no C compiler and no lock. Where files can't be mapped, as in wasm32, a store is opened
//! [from bytes](Store::from_bytes).
//!
//! | feature | what it adds | needs |
//! |---|---|---|
//! | | stores, containers, queries, tiles | |
//! | `engine` | archives, terrain codecs, plans, rendering, workers | a C compiler |
//! | `gdal` | reading rasters and coordinate systems | GDAL |
//! | `remote` | archives at URLs and in buckets | |
//! | `serve` | tiles, heights and records over HTTP | |
//! | `cli` | the program | |
//!
//! Versions keep to what these pages show: stores and files of other schemas ([`Container`]), their builders and queries,
//! [`Handle`], [`tile`], and with `engine` the modules `archive` (reading and writing), `terrain` (codecs) and `render` (single
//! tiles and heights). Modules that are not shown are public for this package's own tests, and may change at any time.
//!
//! ARCHITECTURE.md says where everything lives. `store-format.md` specifies the file.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(test, feature = "engine"))]
mod altered;
pub(crate) mod atomic;
pub mod column;
pub mod container;
mod data_type;
pub mod error;
pub mod format;
#[cfg(feature = "geoparquet")]
mod geoparquet;
pub mod heights;
pub mod index;
#[cfg(feature = "engine")]
mod json;
mod local;
mod memory;
mod mmap;
#[cfg(any(feature = "cli", feature = "serve"))]
mod process;
pub mod progress;
pub mod query;
#[cfg(feature = "remote")]
mod remote;
pub mod store;
#[cfg(feature = "engine")]
mod text;
#[cfg(any(unix, feature = "engine"))]
mod threads;
pub mod tile;
mod url;

#[cfg(feature = "engine")]
pub mod archive;
#[cfg(feature = "engine")]
pub mod render;
#[cfg(feature = "serve")]
pub mod serve;
#[cfg(feature = "engine")]
pub mod terrain;
#[cfg(feature = "engine")]
pub mod track;

// What the program is made of beyond that. It is public for the tests and benches of this package, and no promise: any version may
// change it.
#[cfg(feature = "engine")]
#[doc(hidden)]
pub mod catalog;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod events;
#[cfg(feature = "engine")]
#[doc(hidden)]
pub mod export;
#[cfg(feature = "engine")]
#[doc(hidden)]
pub mod pixels;
#[cfg(feature = "engine")]
#[doc(hidden)]
pub mod plan;
#[cfg(feature = "engine")]
#[doc(hidden)]
pub mod publish;
#[cfg(feature = "engine")]
#[doc(hidden)]
pub mod quality;
#[cfg(feature = "engine")]
#[doc(hidden)]
pub mod raster;
#[cfg(feature = "engine")]
#[doc(hidden)]
pub mod report;
#[cfg(feature = "engine")]
#[doc(hidden)]
pub mod sample;
#[cfg(feature = "engine")]
#[doc(hidden)]
pub mod worker;

#[cfg(feature = "cli")]
pub(crate) mod cli;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub use cli::main as program;
#[cfg(all(feature = "cli", feature = "gdal"))]
#[doc(hidden)]
pub use cli::main_with_rasters as program_with_rasters;
pub use container::{Container, Handle};
pub use error::{Error, Result};
#[cfg(feature = "engine")]
pub use json::Json;
pub use store::Store;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(all(doctest, feature = "gdal"))]
#[doc = include_str!("../docs/library.md")]
mod library {}
