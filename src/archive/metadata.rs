//! What an archive says about itself, the same for both formats.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::coverage::Coverage;
use super::form::Look;
use super::pmtiles::Compression;
use crate::error::{Error, Result};
use crate::json::Json;
use crate::terrain::{Encoding, ImageFormat};
use crate::tile::{Bounds, MAX_ZOOM};

/// The format of the tiles.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TileFormat {
    /// Not said and not known.
    #[default]
    Unknown,
    /// WebP pictures.
    Webp,
    /// PNG pictures.
    Png,
    /// JPEG pictures.
    Jpeg,
    /// AVIF pictures.
    Avif,
    /// Mapbox Vector Tiles, mostly stored with gzip.
    Mvt,
    /// Something else, by its name.
    Other(String),
}

impl TileFormat {
    /// The name as MBTiles writes it: `webp`, `png`, `jpg`, `avif`, `pbf`; empty where unknown.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Unknown => "",
            Self::Webp => "webp",
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Avif => "avif",
            Self::Mvt => "pbf",
            Self::Other(name) => name,
        }
    }

    /// The format with a name or media type, as found in metadata.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let name = name.trim().to_ascii_lowercase();
        // Without the parameters of media types, and the colours or quality behind the names of pictures (`png8`, `jpeg80`).
        let bare = name.split([';', ':']).next().unwrap_or_default().trim();
        match bare.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "webp" | "image/webp" => Self::Webp,
            "png" | "image/png" => Self::Png,
            "jpg" | "jpeg" | "image/jpeg" | "image/jpg" => Self::Jpeg,
            "avif" | "image/avif" => Self::Avif,
            "pbf" | "mvt" | "application/vnd.mapbox-vector-tile" | "application/x-protobuf" => Self::Mvt,
            _ if name.is_empty() => Self::Unknown,
            _ => Self::Other(name),
        }
    }

    /// The format of images whose pixels are read and written; `None` for all other formats.
    #[must_use]
    pub fn image(&self) -> Option<ImageFormat> {
        match self {
            Self::Webp => Some(ImageFormat::Webp),
            Self::Png => Some(ImageFormat::Png),
            _ => None,
        }
    }

    /// The format that the bytes of a tile show, inside of what they are packed with; `None` where they show nothing.
    #[must_use]
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        Look::at(bytes, None).format
    }
}

impl From<ImageFormat> for TileFormat {
    fn from(format: ImageFormat) -> Self {
        match format {
            ImageFormat::Webp => Self::Webp,
            ImageFormat::Png => Self::Png,
        }
    }
}

/// What the pixels (or bytes) of the tiles mean.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TileEncoding {
    /// Heights.
    Elevation(Encoding),
    /// Which source gave each pixel, by colour.
    Lineage,
    /// Something else, by its name.
    Other(String),
}

impl TileEncoding {
    /// The name as metadata and TileJSON write it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Elevation(encoding) => encoding.name(),
            Self::Lineage => "lineage",
            Self::Other(name) => name,
        }
    }

    /// The encoding of heights; `None` where the tiles hold something else.
    #[must_use]
    pub fn elevation(&self) -> Option<Encoding> {
        if let Self::Elevation(encoding) = self { Some(*encoding) } else { None }
    }

    /// The encoding with a name; `None` for an empty one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.trim() {
            "" => None,
            "lineage" => Some(Self::Lineage),
            other => Some(other.parse().map_or_else(|_| Self::Other(other.to_owned()), Self::Elevation)),
        }
    }
}

impl From<Encoding> for TileEncoding {
    fn from(encoding: Encoding) -> Self {
        Self::Elevation(encoding)
    }
}

/// Where a map starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Center {
    /// Longitude, degrees.
    pub lon: f64,
    /// Latitude, degrees.
    pub lat: f64,
    /// Zoom.
    pub zoom: u8,
}

impl Center {
    /// The middle of `[west, south, east, north]` degrees, at the deepest zoom of the range where a single tile is
    /// about as large as the box.
    #[must_use]
    pub fn of(bounds: [f64; 4], minzoom: u8, maxzoom: u8) -> Self {
        let [west, south, east, north] = bounds;
        let box_metres = Bounds::from_lon_lat(west, south, east, north);
        let side = box_metres.width().max(box_metres.height()).max(1.0);
        let zoom = (crate::tile::web_mercator::WORLD / side).log2().floor().clamp(0.0, f64::from(MAX_ZOOM)) as u8;
        let (x, y) = box_metres.center();
        let (lon, lat) = crate::tile::web_mercator::to_lon_lat(x, y);
        let degrees = |v: f64| (v * 1e7).round() / 1e7;
        Self { lon: degrees(lon), lat: degrees(lat), zoom: zoom.clamp(minzoom, maxzoom.max(minzoom)) }
    }
}

/// The metadata of an archive.
///
/// For a sink, `minzoom` and `maxzoom` are ignored (the tiles tell them); `bounds` and `center` are kept where given.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ArchiveMetadata {
    /// A name for people.
    pub name: String,
    /// What it shows.
    pub description: String,
    /// Who must be named wherever it is shown; may hold HTML.
    pub attribution: String,
    /// The version of the data.
    pub version: String,
    /// `baselayer` or `overlay` (the `type` row of MBTiles); empty where not said.
    pub layer_type: String,
    /// The format of the tiles.
    pub format: TileFormat,
    /// What the pixels mean.
    pub encoding: Option<TileEncoding>,
    /// How each tile is compressed on top of its format (vector tiles); `None` where not known.
    pub tile_compression: Option<Compression>,
    /// The side of a tile, pixels.
    pub tile_size: Option<u32>,
    /// West, south, east, north; degrees.
    pub bounds: Option<[f64; 4]>,
    /// Where a map starts.
    pub center: Option<Center>,
    /// The coarsest zoom with tiles.
    pub minzoom: Option<u8>,
    /// The finest zoom with tiles.
    pub maxzoom: Option<u8>,
    /// Everything else by its key: vertical resolution, sources, legend, vector layers.
    ///
    /// Lists and objects keep their type in both formats; a number becomes a string in MBTiles, whose rows are text.
    pub other: BTreeMap<String, Json>,
}

/// The keys that have a field of their own, and those of TileJSON that say how tiles are served; the map
/// [`ArchiveMetadata::other`] never holds them.
pub(crate) const OWN_KEYS: [&str; 18] = [
    "name",
    "description",
    "attribution",
    "version",
    "type",
    "format",
    "compression",
    "encoding",
    "tileSize",
    "tile_size",
    "bounds",
    "center",
    "minzoom",
    "maxzoom",
    "json",
    "scheme",
    "tilejson",
    "tiles",
];

impl ArchiveMetadata {
    /// Sets a value by its key, as `--set` gives it: `name`, `description`, `attribution`, `version`, `type`, `encoding`,
    /// `tileSize`, `bounds` (west,south,east,north in degrees), `center` (longitude,latitude,zoom), `compression`, `format`, or any
    /// other key with a text. An empty text removes the value.
    ///
    /// # Errors
    /// For a key that the tiles decide (zooms) or that says how tiles are served, and for a value of the wrong kind.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let wrong = |expected: &str| Error::argument(key, format!("expected {expected}, found {value:?}"));
        let field = match key {
            "name" => &mut self.name,
            "description" => &mut self.description,
            "attribution" => &mut self.attribution,
            "version" => &mut self.version,
            "type" => &mut self.layer_type,
            "encoding" => {
                self.encoding = TileEncoding::from_name(value);
                return Ok(());
            }
            "tileSize" | "tile_size" => {
                self.tile_size = match value.parse() {
                    Ok(size) if size > 0 => Some(size),
                    _ if value.is_empty() => None,
                    _ => return Err(wrong("pixels, such as 512")),
                };
                return Ok(());
            }
            "bounds" => {
                let expected = "west,south,east,north in degrees, west below east and south below north";
                self.bounds = match parse_bounds(value) {
                    None if !value.is_empty() => return Err(wrong(expected)),
                    bounds => bounds,
                };
                return Ok(());
            }
            "center" | "centre" => {
                self.center = match parse_center(value) {
                    None if !value.is_empty() => {
                        return Err(wrong("longitude,latitude,zoom: degrees, and a zoom from 0 to 31"));
                    }
                    center => center,
                };
                return Ok(());
            }
            "compression" => {
                self.tile_compression = match Compression::from_name(value) {
                    None if !value.is_empty() => return Err(wrong("none, gzip, brotli or zstd")),
                    compression => compression,
                };
                return Ok(());
            }
            "format" => {
                self.format = TileFormat::from_name(value);
                return Ok(());
            }
            "minzoom" | "maxzoom" => {
                return Err(Error::argument(key, "can't be set; it follows from the tiles"));
            }
            own if OWN_KEYS.contains(&own) => {
                return Err(Error::argument(
                    key,
                    "can't be set; it says how tiles are served, which is for the server to say",
                ));
            }
            other if value.is_empty() => {
                self.other.remove(other);
                return Ok(());
            }
            other => {
                self.other.insert(other.to_owned(), value.into());
                return Ok(());
            }
        };
        value.clone_into(field);
        Ok(())
    }

    /// Completes zooms from the tiles that a sink took, and bounds and centre where they were not given.
    pub(super) fn complete(&mut self, coverage: &Coverage) {
        (self.minzoom, self.maxzoom) = coverage.zooms().unzip();
        self.bounds = self.bounds.or(coverage.lon_lat());
        if let (Some(bounds), Some((min, max))) = (self.bounds, coverage.zooms()) {
            let center = self.center.unwrap_or(Center::of(bounds, min, max));
            self.center = Some(Center { zoom: center.zoom.clamp(min, max), ..center });
        }
    }

    /// The TileJSON 3.0.0 document of the archive.
    ///
    /// `tiles_url` is the URL template of the tiles, such as `https://example.org/terrain/{z}/{x}/{y}.webp`. The
    /// document carries `encoding` and `tileSize`, without which MapLibre takes a `raster-dem` source for `mapbox` at
    /// 512 px.
    #[must_use]
    pub fn tilejson(&self, tiles_url: &str) -> Json {
        Json::of(Value::Object(self.tilejson_map(tiles_url)))
    }

    fn tilejson_map(&self, tiles_url: &str) -> Map<String, Value> {
        let mut map: Map<String, Value> = Map::new();
        for (key, value) in &self.other {
            map.insert(key.clone(), value.value().clone());
        }
        let mut set = |key: &str, value: Value| drop(map.insert(key.to_owned(), value));
        set("tilejson", "3.0.0".into());
        set("tiles", json!([tiles_url]));
        set("scheme", "xyz".into());
        for (key, text) in [
            ("name", self.name.as_str()),
            ("description", &self.description),
            ("attribution", &self.attribution),
            ("version", &self.version),
            ("format", self.format.name()),
            ("encoding", self.encoding.as_ref().map_or("", TileEncoding::name)),
        ] {
            if !text.is_empty() {
                set(key, text.into());
            }
        }
        if let Some(size) = self.tile_size {
            set("tileSize", size.into());
        }
        if let Some(bounds) = self.bounds {
            set("bounds", json!(bounds));
        }
        if let Some(Center { lon, lat, zoom }) = self.center {
            set("center", json!([lon, lat, zoom]));
        }
        if let Some(zoom) = self.minzoom {
            set("minzoom", zoom.into());
        }
        if let Some(zoom) = self.maxzoom {
            set("maxzoom", zoom.into());
        }
        map
    }

    /// The metadata in an object with the keys of TileJSON and of the PMTiles JSON; numbers may be texts. What is none of its kind is
    /// left out.
    #[must_use]
    pub(crate) fn from_json(map: &Map<String, Value>) -> Self {
        let text = |key: &str| match map.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let number = |key: &str| text(key).trim().parse::<u32>().ok();
        let zoom = |key: &str| number(key).and_then(|zoom| u8::try_from(zoom).ok());
        Self {
            name: text("name"),
            description: text("description"),
            attribution: text("attribution"),
            version: text("version"),
            layer_type: text("type"),
            format: TileFormat::from_name(&text("format")),
            encoding: TileEncoding::from_name(&text("encoding")),
            tile_compression: Compression::from_name(&text("compression")),
            tile_size: number("tileSize").or_else(|| number("tile_size")),
            bounds: parse_bounds(&text("bounds")),
            center: parse_center(&text("center")),
            minzoom: zoom("minzoom"),
            maxzoom: zoom("maxzoom"),
            other: map
                .iter()
                .filter(|(key, _)| !OWN_KEYS.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), Json::of(value.clone())))
                .collect(),
        }
    }

    /// The metadata as one object with the keys of the PMTiles JSON: texts, encoding, tile size, zooms, bounds, others.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::of(Value::Object(self.to_map()))
    }

    /// [`to_json`](Self::to_json), by key.
    pub(crate) fn to_map(&self) -> Map<String, Value> {
        let mut map = self.tilejson_map("");
        for key in ["tilejson", "tiles", "scheme"] {
            map.remove(key);
        }
        if !self.layer_type.is_empty() {
            map.insert("type".into(), self.layer_type.clone().into());
        }
        map
    }
}

/// Finite numbers between commas or blanks, in brackets or without.
fn numbers(text: &str) -> Option<Vec<f64>> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let commas = bare.contains(',');
    let parts = bare.split(|c: char| if commas { c == ',' } else { c.is_whitespace() });
    let parts = parts.map(|part| part.trim().trim_matches('"')).filter(|part| commas || !part.is_empty());
    parts.map(|part| part.parse().ok().filter(|v: &f64| v.is_finite())).collect()
}

/// Bounds from a text, where they make sense.
pub(crate) fn parse_bounds(text: &str) -> Option<[f64; 4]> {
    numbers(text).and_then(|v| <[f64; 4]>::try_from(v).ok()).and_then(sane_bounds)
}

/// A centre from a text, where it makes sense.
pub(crate) fn parse_center(text: &str) -> Option<Center> {
    match numbers(text)?[..] {
        [lon, lat, zoom] => {
            let inside = (-180.001..=180.001).contains(&lon) && (-90.001..=90.001).contains(&lat);
            (inside && (0.0..=f64::from(MAX_ZOOM)).contains(&zoom)).then_some(Center { lon, lat, zoom: zoom as u8 })
        }
        _ => None,
    }
}

/// Bounds from four numbers, where they make sense: finite, inside the world, west < east, south < north.
pub(crate) fn sane_bounds(values: [f64; 4]) -> Option<[f64; 4]> {
    let [west, south, east, north] = values;
    let inside = values.iter().all(|v| v.is_finite())
        && (-180.001..=180.001).contains(&west)
        && (-180.001..=180.001).contains(&east)
        && (-90.001..=90.001).contains(&south)
        && (-90.001..=90.001).contains(&north);
    (inside && west < east && south < north).then_some(values)
}

#[cfg(test)]
mod tests;
