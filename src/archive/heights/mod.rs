//! Files of heights ([`crate::heights`]) as archives: their tiles are images again when they are read, and packed when they are
//! written.
//!
//! A file of heights keeps the codes of an archive's pixels and their masks, not the bytes of its images. So what is read has the
//! same pixels, in WebP or PNG as the archive had.

mod cached;
mod copy;
mod decoded;
mod edit;
mod lanes;
mod reader;
mod writer;

pub use cached::{CacheUse, CachedHeights};
pub(in crate::archive) use copy::copy;
pub(crate) use decoded::{Decoded, DecodedTiles};
pub(in crate::archive) use edit::edit;
pub use reader::HeightsReader;
pub use writer::HeightsWriter;

use super::{ArchiveMetadata, TileEncoding};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::terrain::Encoding;

/// The key of the metadata that says what heights are measured from.
const DATUM: &str = "vertical_datum";

/// The datum that metadata declare: of the archive, or of all its sources where these have one.
fn datum_of(metadata: &ArchiveMetadata) -> Option<String> {
    let of = |value: &serde_json::Value| value.as_str().filter(|datum| !datum.is_empty()).map(str::to_owned);
    if let Some(datum) = metadata.other.get(DATUM).map(Json::value).and_then(of) {
        return Some(datum);
    }
    let sources = metadata.other.get("sources")?.value().as_array()?;
    let mut datums = sources.iter().map(|source| source.get(DATUM).and_then(of));
    let first = datums.next()??;
    datums.all(|datum| datum.as_ref() == Some(&first)).then_some(first)
}

/// The encoding that metadata declare.
///
/// # Errors
/// Where they declare none, or another one than of heights.
fn encoding_of(metadata: &ArchiveMetadata) -> Result<Encoding> {
    match &metadata.encoding {
        Some(TileEncoding::Elevation(encoding)) => Ok(*encoding),
        Some(other) => {
            let problem = format!("is {:?}, which is none of heights; expected {}", other.name(), names());
            Err(Error::argument("encoding", problem))
        }
        None => Err(Error::invalid(
            "encoding",
            "is not said by the metadata",
            "where the tiles hold heights, write it into a copy (`archive::convert` with `set.encoding = terrarium`, or mapbox)",
        )),
    }
}

/// The encodings of heights, for messages.
fn names() -> String {
    Encoding::ALL.map(Encoding::name).join(" or ")
}

/// Scale and offset of an encoding's codes.
pub(crate) fn coding(encoding: Encoding) -> [f64; 2] {
    [encoding.finest_step(), encoding.lowest()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heights::Writer;

    #[test]
    fn files_of_heights_have_the_codes_of_images() {
        assert_eq!([Encoding::Terrarium, Encoding::Mapbox].map(coding), [Writer::TERRARIUM, Writer::MAPBOX]);
    }
}
