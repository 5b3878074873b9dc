//! Tiles as files of a folder: `{z}/{x}/{y}.webp`, and beside them `metadata.json`, the rows of MBTiles as one object.
//!
//! `mb-util`, `gdal2tiles` and many web servers use this form. It costs a file for each tile; use it to look at tiles or to pass them on.
//!
//! - The format is told by extensions of any spelling, and by the bytes where extensions say nothing (`.bin`, no extension).
//! - Rows count from the north, unless `metadata.json` or the option says otherwise, or declared bounds fit only another [`Scheme`].
//! - What is no tile is left out, counted and named.
//!
//! [`Scheme`]: crate::archive::Scheme

mod describe;
mod edit;
mod names;
mod owned;
mod reader;
mod scan;
mod writer;

pub(in crate::archive) use describe::{Description, NAMES as METADATA_NAMES, describe, description_of};
pub(in crate::archive) use edit::edit;
pub(in crate::archive) use names::format_of_name;
pub use reader::FilesReader;
pub use writer::FilesWriter;
pub(in crate::archive) use writer::metadata_rows;

/// The file of the metadata.
pub(in crate::archive) const METADATA: &str = "metadata.json";
/// The largest file that is read as a description of tiles, bytes.
const METADATA_LARGEST: u64 = 256 << 20;
