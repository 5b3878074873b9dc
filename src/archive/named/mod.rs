//! Tiles under names of any pattern: files of a folder (`tiles/{z}/{y}/{x}.png`), and entries of a zip.
//!
//! A pattern has the fields `{z}`, `{x}` and `{y}` (or `{-y}`, which counts from the south), or `{quadkey}` alone. All names are read when the
//! archive is opened; 12 bytes are held for each tile.

mod folder;
mod reader;
mod template;
mod zip;

pub use folder::FolderWriter;
pub use reader::NamedReader;
pub use template::Template;
pub use zip::ZipWriter;

use super::ArchiveMetadata;
use super::form::{is_picture, plain};

/// The ending of a tile's name: pictures by what they are, others by the format that is declared. Never one that leads elsewhere.
pub(super) fn ending(bytes: &[u8], metadata: &ArchiveMetadata) -> String {
    let name = match plain(bytes, false) {
        Some(picture) if is_picture(&picture) => picture.name().to_owned(),
        _ => metadata.format.name().to_owned(),
    };
    let good = (1..=16).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if good { name } else { "bin".to_owned() }
}
