//! Tiles as files of a folder: `{z}/{x}/{y}.webp` (XYZ), and beside them `metadata.json`, the rows of MBTiles as one object.
//!
//! This is what `mb-util` and many web servers keep. It costs a file a tile; use it to look at tiles or to hand them on.

mod owned;
mod reader;
mod writer;

pub use reader::FilesReader;
pub use writer::FilesWriter;

/// The file of the metadata.
const METADATA: &str = "metadata.json";
/// The extensions of tiles that are known.
const EXTENSIONS: [&str; 7] = ["webp", "png", "jpg", "jpeg", "avif", "pbf", "mvt"];
