//! PMTiles, specification version 3: a single file of a header, directories, metadata and tiles.
//!
//! The code is hypso's own: it reads synchronously with `pread` (the `pmtiles` crate reads through async only) and
//! writes without holding tiles or directories in memory.
//!
//! - [`PmtilesReader`] reads archives whose directories have no compression, gzip, brotli or zstd.
//! - [`TileReader`] maps a file and gives tiles without copying or locking, for services.
//! - [`PmtilesWriter`] writes clustered archives: tiles in order, equal contents stored once, equal neighbours in one
//!   entry, gzip directories, header and root directory within the first 16,384 bytes.
//!
//! Specification: <https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md>.

mod compression;
mod directory;
mod edit;
mod far;
mod header;
mod metadata;
mod parts;
mod reader;
mod spill;
mod tile_reader;
mod writer;
mod writers;

pub use compression::Compression;
pub(in crate::archive) use directory::Entry;
pub(in crate::archive) use edit::edit;
pub(in crate::archive) use header::HEADER_BYTES;
pub use header::{Header, ROOT_LIMIT};
pub use reader::PmtilesReader;
pub use tile_reader::TileReader;
pub(crate) use writer::Places;
pub use writer::PmtilesWriter;
pub(crate) use writers::{Placed, Writers, with_writers};
