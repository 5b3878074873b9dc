//! How an archive's tiles are coded, out of its metadata.

use serde_json::Value;

use crate::archive::{ArchiveMetadata, TileEncoding, TileFormat, TileSource};
use crate::error::{Error, Result};
use crate::terrain::webp::Level;
use crate::terrain::{Encoding, ImageFormat, TileCodec, VerticalResolution};

/// The key of the vertical resolution: `by-zoom`, `full`, or the step in words.
pub(super) const VERTICAL: &str = "vertical_resolution";

/// What the tiles of an archive hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Coding {
    /// Heights.
    Elevation(TileCodec),
    /// Which source each pixel came from.
    Lineage(ImageFormat),
}

impl Coding {
    /// The coding of an archive.
    ///
    /// # Errors
    /// Where the tiles are no WebP or PNG, or the metadata don't say what they hold; the archive is named.
    pub fn of(source: &dyn TileSource) -> Result<Self> {
        Self::of_metadata(source.metadata()).map_err(|error| error.with_path(source.path()))
    }

    pub(super) fn of_metadata(metadata: &ArchiveMetadata) -> Result<Self> {
        let format = image_format(&metadata.format)?;
        let encoding = match &metadata.encoding {
            Some(TileEncoding::Lineage) => return Ok(Self::Lineage(format)),
            Some(TileEncoding::Terrarium) => Encoding::Terrarium,
            Some(TileEncoding::Mapbox) => Encoding::Mapbox,
            Some(TileEncoding::Other(name)) => {
                let problem = format!("is {name:?}, expected terrarium, mapbox or lineage");
                return Err(Error::invalid("encoding", problem, "pixels of this kind are not known to hypso"));
            }
            None => {
                return Err(Error::invalid(
                    "encoding",
                    "is not said by the metadata",
                    "write it into a copy with `hypso convert IN OUT --set encoding=terrarium` (or mapbox)",
                ));
            }
        };
        let by_zoom = metadata.other.get(VERTICAL).and_then(Value::as_str) == Some("by-zoom");
        let nodata = metadata.other.get("nodata_elevation");
        let nodata = nodata.and_then(|v| v.as_f64().or_else(|| v.as_str()?.trim().parse().ok()));
        Ok(Self::Elevation(TileCodec {
            encoding,
            format,
            vertical: if by_zoom { VerticalResolution::ByZoom } else { VerticalResolution::Full },
            nodata_elevation: nodata.filter(|v| v.is_finite()).unwrap_or(0.0),
            level: Level::Default,
            encoder: crate::terrain::WebpEncoder::Hypso,
        }))
    }
}

/// The image format of tiles whose pixels can be decoded.
pub(super) fn image_format(format: &TileFormat) -> Result<ImageFormat> {
    match format {
        TileFormat::Webp => Ok(ImageFormat::Webp),
        TileFormat::Png => Ok(ImageFormat::Png),
        other => {
            let name = if other.name().is_empty() { "not known" } else { other.name() };
            let problem = format!("is {name}; pixels are read from webp and png");
            Err(Error::invalid("tile format", problem, "work with the tiles as they are, without a pixel rule"))
        }
    }
}
