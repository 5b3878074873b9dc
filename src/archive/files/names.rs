//! What the name of a file says.

use std::ffi::OsStr;
use std::path::Path;

use crate::archive::TileFormat;
use crate::archive::form::Look;
use crate::local;

/// Extensions of tiles that are recognised by no bytes: other formats, and extensions without a meaning.
const OPAQUE: [&str; 16] = [
    "", "bin", "tile", "dat", "hybrid", "terrain", "geojson", "topojson", "mlt", "svg", "gif", "tif", "tiff", "bmp",
    "jxl", "lerc",
];
/// How much of a file is read to find out what it is, bytes.
const HEAD: u64 = 4096;

/// A name that is a plain number, without leading zeros.
pub(super) fn number(name: &OsStr) -> Option<u64> {
    let text = name.to_str()?;
    let value: u64 = text.parse().ok()?;
    (value.to_string() == text).then_some(value)
}

/// The number in front of the first dot of a name, and all behind it with its dot: `5.vector.pbf` is 5 and `.vector.pbf`.
pub(super) fn split(name: &str) -> Option<(u64, &str)> {
    let (stem, ending) = name.split_at(name.find('.').unwrap_or(name.len()));
    Some((number(OsStr::new(stem))?, ending))
}

/// What an ending says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// Tiles of a format.
    Format(TileFormat),
    /// Tiles of a format that has no name here, or none that the ending tells.
    Opaque,
    /// Nothing: a file beside the tiles, or a tile of an unknown kind.
    Unknown,
}

impl Ending {
    /// `declared` is the format that the metadata name.
    pub(super) fn of(ending: &str, declared: &TileFormat) -> Self {
        let lower = ending.to_ascii_lowercase();
        let mut parts: Vec<&str> = lower.split('.').skip(1).collect();
        // Compressed on top: `5.pbf.gz`.
        if parts.len() > 1 && ["gz", "gzip", "zst", "br"].contains(&parts[parts.len() - 1]) {
            parts.pop();
        }
        match parts[..] {
            [] => Self::Opaque,
            [name] | ["vector" | "terrain", name] => {
                match TileFormat::from_name(if name == "jpe" { "jpg" } else { name }) {
                    TileFormat::Other(name) if OPAQUE.contains(&name.as_str()) || name == declared.name() => {
                        Self::Opaque
                    }
                    TileFormat::Other(_) | TileFormat::Unknown => Self::Unknown,
                    known => Self::Format(known),
                }
            }
            _ => Self::Unknown,
        }
    }
}

/// The format that an ending with its dot says; `None` where it says nothing.
pub(in crate::archive) fn format_of_name(ending: &str, declared: &TileFormat) -> Option<TileFormat> {
    match Ending::of(ending, declared) {
        Ending::Format(format) => Some(format),
        Ending::Opaque | Ending::Unknown => None,
    }
}

/// The format that a file's first bytes show.
pub(super) fn format_of(file: &Path) -> Option<TileFormat> {
    Look::at(&local::start(file, HEAD), None).format
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_rows_and_formats() {
        for (name, row, format) in [
            ("5.png", 5, Ending::Format(TileFormat::Png)),
            ("5.PNG", 5, Ending::Format(TileFormat::Png)),
            ("0.jpeg", 0, Ending::Format(TileFormat::Jpeg)),
            ("7.WebP", 7, Ending::Format(TileFormat::Webp)),
            ("7.pbf.gz", 7, Ending::Format(TileFormat::Mvt)),
            ("7.vector.pbf", 7, Ending::Format(TileFormat::Mvt)),
            ("7", 7, Ending::Opaque),
            ("7.bin", 7, Ending::Opaque),
            ("7.odd", 7, Ending::Opaque),
            ("7.kml", 7, Ending::Unknown),
            ("7.png.aux.xml", 7, Ending::Unknown),
        ] {
            let (found, ending) = split(name).unwrap();
            assert_eq!((found, Ending::of(ending, &TileFormat::Other("odd".into()))), (row, format), "{name}");
        }
        for name in ["05.png", "5@2x.png", "-5.png", "+5.png", "", ".png", "a.png"] {
            assert_eq!(split(name), None, "{name}");
        }
    }
}
