//! Tile archives: MBTiles, PMTiles, folders and files of heights, read, written, merged, cut, compared, patched, inspected and verified.
//!
//! Everything that reads an archive is a [`TileSource`], everything that makes one a [`TileSink`]. [`open`] looks at
//! the content of a file, [`create`] at the extension of its name. Tiles are opaque bytes here: nothing in this module
//! decodes a picture, and checks that need the pixels take a callback.
//!
//! - Tiles are addressed `z/x/y` in the XYZ scheme; the row flip of MBTiles (TMS) stays inside [`mbtiles`].
//! - [`open`] looks at some tiles, and gives all of them out in the form that the format demands ([`TileForm`]).
//! - The order of everything is [`TileId`](crate::tile::TileId) order: zoom by zoom, along the Hilbert curve.
//! - An output is written beside its target under a temporary name and renamed at the end, so that a final name never
//!   holds half an archive.
//!
//! ```no_run
//! use hypso::archive::{self, Selection};
//! use hypso::progress::Silent;
//! let source = archive::open("tiles.mbtiles".as_ref())?;
//! let sink = archive::create("tiles.pmtiles".as_ref(), source.metadata(), false)?;
//! let summary = archive::convert(source.as_ref(), sink, &Selection::default(), &Silent)?;
//! println!("{} tiles, {} bytes", summary.tiles, summary.file_size);
//! # Ok::<(), hypso::Error>(())
//! ```

mod contents;
pub(crate) mod convert;
mod coverage;
mod diff;
mod edit;
pub mod files;
mod form;
mod hash;
pub mod heights;
mod inspect;
mod into;
pub(crate) mod join;
pub mod mbtiles;
mod mended;
mod merge;
mod metadata;
pub mod named;
mod open;
mod output;
mod packing;
mod pass;
mod patch;
pub(crate) mod pipeline;
pub mod pmtiles;
mod reach;
mod read_at;
mod scheme;
pub(crate) mod seen;
mod select;
mod taken;
mod traits;
#[cfg(feature = "remote")]
mod upload;
mod verify;

/// The row of an archive's metadata that names the run that made it.
pub(crate) const RUN_ROW: &str = "hypso_run";

pub(crate) use contents::ContentHash;
pub use convert::{convert, convert_as};
pub(crate) use coverage::blocks;
pub use diff::{Change, Differences, PixelCompare, PixelDifference, ZoomDifference, diff};
pub use edit::{Edited, edit, recount};
pub use form::TileForm;
pub use hash::{CONTENT_HASH, content_hash};
pub use inspect::{ArchiveOverview, LargeTile, ZoomStatistics, summary};
pub(crate) use into::{Additions, add_in_place};
pub use into::{IntoSummary, merge_into};
pub use merge::{OnOverlap, merge, merged_metadata, uneven_zooms};
pub use metadata::{ArchiveMetadata, Center, TileEncoding, TileFormat};
#[cfg(feature = "serve")]
pub(crate) use open::remote_version;
pub use open::{ArchiveKind, CreateOptions, OnDuplicate, OpenOptions, create, create_as, create_with, open, open_with};
#[cfg(feature = "serve")]
pub(crate) use packing::gzip;
pub use patch::{PatchSummary, apply_patch, apply_patch_in_place, patch_metadata, patched_metadata, write_patch};
#[doc(hidden)]
pub use reach::{Forecast, Traffic, forecast, traffic};
pub use scheme::Scheme;
pub use select::Selection;
pub use traits::{ArchiveSummary, Located, LocatedTiles, TileIds, TileRun, TileSink, TileSource};
#[cfg(feature = "remote")]
pub(crate) use upload::send;
pub use verify::{Problem, Report, Severity, TileCheck, VerifyOptions, verify, verify_as};
