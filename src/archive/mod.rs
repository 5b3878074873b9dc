//! Tile archives: MBTiles and PMTiles, read, written, merged, converted, inspected and verified.
//!
//! Everything that reads an archive is a [`TileSource`], everything that makes one a [`TileSink`]. [`open`] looks at
//! the content of a file, [`create`] at the extension of its name. Tiles are opaque bytes here: nothing in this module
//! decodes a picture, and checks that need the pixels take a callback.
//!
//! - Tiles are addressed `z/x/y` in the XYZ scheme; the row flip of MBTiles (TMS) stays inside [`mbtiles`].
//! - The order of everything is [`TileId`](crate::tile::TileId) order: zoom by zoom, along the Hilbert curve.
//! - An output is written beside its target under a temporary name and renamed at the end, so that a final name never
//!   holds half an archive.
//!
//! ```no_run
//! use hypso::archive::{self, ConvertOptions};
//! use hypso::progress::Silent;
//! let source = archive::open("tiles.mbtiles".as_ref())?;
//! let sink = archive::create("tiles.pmtiles".as_ref(), source.metadata(), false)?;
//! let summary = archive::convert(source.as_ref(), sink, &ConvertOptions::default(), &Silent)?;
//! println!("{} tiles, {} bytes", summary.tiles, summary.file_size);
//! # Ok::<(), hypso::Error>(())
//! ```

mod convert;
mod coverage;
mod inspect;
pub mod mbtiles;
mod merge;
mod metadata;
mod open;
mod output;
pub mod pmtiles;
mod read_at;
mod traits;
mod verify;

pub use convert::{ConvertOptions, convert, converted_metadata};
pub use inspect::{ArchiveOverview, LargeTile, ZoomStatistics, summary};
pub use merge::{OnOverlap, merge, merged_metadata};
pub use metadata::{ArchiveMetadata, Center, TileEncoding, TileFormat};
pub use open::{ArchiveKind, create, open, same_file};
pub use traits::{ArchiveSummary, TileIds, TileRun, TileSink, TileSource};
pub use verify::{Problem, Report, Severity, TileCheck, VerifyOptions, verify};
