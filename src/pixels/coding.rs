//! How an archive's tiles are coded, out of its metadata.

use crate::archive::{ArchiveMetadata, TileEncoding, TileFormat, TileSource};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::terrain::{ElevationTile, Encoding, ImageFormat, TileCodec, VerticalResolution};
use crate::tile::MAX_ZOOM;

/// The key of the vertical resolution: `by-zoom`, `full`, or the step in words.
pub(super) const VERTICAL: &str = "vertical_resolution";
/// The key that says by how many zooms the steps by zoom are shifted. They are shifted where the tile size was changed.
pub(super) const OFFSET: &str = "vertical_zoom_offset";

/// The finest step of vertical resolutions by zoom, metres.
pub(super) const FINEST: f64 = 1.0 / 256.0;

/// How far heights are rounded at each zoom, out of the metadata.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Steps {
    /// What is added to a zoom to get the one whose step the heights have.
    pub(super) offset: i32,
    pub(super) by_zoom: bool,
    /// The step of an encoding that the heights went through after their means were taken, metres; 0 where they went through none.
    coarse: f64,
}

impl Steps {
    pub(super) fn of(metadata: &ArchiveMetadata) -> Self {
        let text = metadata.other.get(VERTICAL).and_then(Json::as_str).unwrap_or_default();
        let offset = metadata.other.get(OFFSET).and_then(|v| v.value().as_i64().or_else(|| v.as_str()?.parse().ok()));
        Self {
            offset: offset.map_or(0, |zooms| zooms.clamp(-i64::from(MAX_ZOOM), i64::from(MAX_ZOOM)) as i32),
            by_zoom: text.starts_with("by-zoom"),
            coarse: coarse(text).unwrap_or(0.0),
        }
    }

    /// Rounds heights as those of zoom `z` are. Above the world's one tile of 512 pixels nothing is rounded.
    pub(super) fn round(self, codec: &TileCodec, z: u8, tile: &mut ElevationTile) {
        match u8::try_from(i32::from(z) + self.offset) {
            Ok(zoom) => codec.quantize(zoom, tile),
            Err(_) => TileCodec { vertical: VerticalResolution::Full, ..*codec }.quantize(z, tile),
        };
    }

    /// How far a coarser tile may be from the mean of the finer ones as encoded, metres: 0, but where both were rounded to an encoding's
    /// coarser step afterwards. Then finer tile, coarser tile and mean are each off by half of that, besides the step by zoom.
    pub(super) fn slack(self, z: u8) -> f64 {
        if self.coarse == 0.0 {
            return 0.0;
        }
        self.step(z) / 2.0 + 1.5 * self.coarse + FINEST
    }

    /// The step by zoom, metres; 0 where heights have the same step at all zooms.
    pub(super) fn step(self, z: u8) -> f64 {
        let zoom = u8::try_from(i32::from(z) + self.offset).unwrap_or(0);
        if self.by_zoom { VerticalResolution::ByZoom.step(zoom) } else { 0.0 }
    }
}

/// The step in metres that a vertical resolution ends with: `0.1 m`, `by-zoom, at least 0.1 m`.
fn coarse(text: &str) -> Option<f64> {
    let step = text.strip_suffix(" m")?.rsplit(' ').next()?;
    step.parse().ok().filter(|step: &f64| step.is_finite() && *step > 0.0)
}

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
            Some(TileEncoding::Elevation(encoding)) => *encoding,
            Some(TileEncoding::Other(name)) => {
                let known = Encoding::ALL.map(Encoding::name).join(", ");
                let problem = format!("is {name:?}, expected {known} or lineage");
                return Err(Error::invalid("encoding", problem, "pixels of this kind are not known to hypso"));
            }
            None => {
                return Err(Error::invalid(
                    "encoding",
                    "is not said by the metadata",
                    "write it into a copy (`archive::convert` with `set.encoding = terrarium`, or mapbox)",
                ));
            }
        };
        let by_zoom = metadata.other.get(VERTICAL).and_then(Json::as_str) == Some("by-zoom");
        let nodata = metadata.other.get("nodata_elevation");
        let nodata = nodata.and_then(|v| v.as_f64().or_else(|| v.as_str()?.trim().parse().ok()));
        Ok(Self::Elevation(TileCodec {
            vertical: if by_zoom { VerticalResolution::ByZoom } else { VerticalResolution::Full },
            nodata_elevation: nodata.filter(|v| v.is_finite()).unwrap_or(0.0),
            ..TileCodec::new(encoding, format)
        }))
    }
}

/// The image format of tiles whose pixels can be decoded.
pub(super) fn image_format(format: &TileFormat) -> Result<ImageFormat> {
    format.image().ok_or_else(|| {
        let name = if format.name().is_empty() { "not known" } else { format.name() };
        let problem = format!("is {name}; pixels are read from webp and png");
        Error::invalid("tile format", problem, "work with the tiles as they are, without a pixel rule")
    })
}
