//! Tiles as files of a folder: `{z}/{x}/{y}.webp`, and beside them `metadata.json`, the rows of MBTiles as one object.
//!
//! This is what `mb-util`, `gdal2tiles` and many web servers keep. It costs a file a tile; use it to look at tiles or to hand them on.
//!
//! - The format is told by extensions of any spelling, and by the bytes where extensions say nothing (`.bin`, no extension).
//! - Rows count from the north, unless `metadata.json` or the option says otherwise, or declared bounds fit another [`Scheme`] alone.
//! - What is no tile is left out, counted and named.
//!
//! [`Scheme`]: crate::archive::Scheme

mod describe;
mod names;
mod owned;
mod reader;
mod scan;
mod writer;

pub use reader::FilesReader;
pub use writer::FilesWriter;

/// The file of the metadata.
const METADATA: &str = "metadata.json";
/// A larger file does not describe tiles, bytes.
const METADATA_LARGEST: u64 = 256 << 20;
