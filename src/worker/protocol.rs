//! What coordinator and workers say to each other: one JSON document a line.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::plan::{Coverage, Extent, Unit, ZoomRange};
use crate::raster::Resampling;
use crate::render::{CopyFacts, RenderOptions, Seen, UnitReport};
use crate::terrain::{Encoding, ImageFormat, TileCodec, VerticalResolution};
use crate::tile::{Area, Bounds, Polygon, Polygons};

/// The first line to a worker: all that units have in common.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobMessage {
    /// The store to map.
    pub store: PathBuf,
    /// What the store must be.
    pub store_fingerprint: u64,
    /// The folder for packs.
    pub work: PathBuf,
    /// The fingerprint of the run.
    pub run: u64,
    /// Bytes that GDAL may keep of decoded blocks.
    pub block_cache: u64,
    /// The largest block that may be decoded, bytes, where the memory is bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) most_block: Option<u64>,
    /// Where the rasters of some sources lie on this machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) roots: Vec<(String, PathBuf)>,
    /// The rasters there whose contents were compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) copies: Vec<CopyFacts>,
    /// Where rasters that were read are looked at again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) seen: Seen,
    /// Where only what changed is made: what changed, and the archives that have the rest.
    pub(super) update: Option<Update>,
    encoding: String,
    png: bool,
    full_resolution: bool,
    nodata_elevation: f64,
    encoder_level: String,
    encoder: String,
    resampling: String,
    lineage: bool,
    full_coverage: bool,
    min_zoom: u8,
    max_zoom: u8,
    blend: f64,
    fill_gaps: u32,
    vertical_datum: Option<String>,
    area: Option<AreaMessage>,
}

impl JobMessage {
    /// The message for a run.
    pub(super) fn new(
        store: PathBuf,
        store_fingerprint: u64,
        work: PathBuf,
        run: u64,
        block_cache: u64,
        options: &RenderOptions,
    ) -> Self {
        let RenderOptions { codec, resampling, lineage, extent, blend, fill_gaps, vertical_datum } = options;
        Self {
            store,
            store_fingerprint,
            work,
            run,
            block_cache,
            most_block: None,
            roots: Vec::new(),
            copies: Vec::new(),
            seen: Seen::default(),
            update: None,
            encoding: codec.encoding.to_string(),
            png: codec.format == ImageFormat::Png,
            full_resolution: codec.vertical == VerticalResolution::Full,
            nodata_elevation: codec.nodata_elevation,
            encoder_level: codec.level.to_string(),
            encoder: codec.encoder.to_string(),
            resampling: resampling.to_string(),
            lineage: *lineage,
            full_coverage: extent.coverage == Coverage::Full,
            min_zoom: extent.zooms.min,
            max_zoom: extent.zooms.max,
            blend: *blend,
            fill_gaps: *fill_gaps,
            vertical_datum: vertical_datum.clone(),
            area: extent.area.as_deref().map(AreaMessage::new),
        }
    }

    /// What the message says about rendering.
    ///
    /// # Errors
    /// Where it was not made by this version.
    pub fn options(&self) -> Result<RenderOptions> {
        let vertical = if self.full_resolution { VerticalResolution::Full } else { VerticalResolution::ByZoom };
        let format = if self.png { ImageFormat::Png } else { ImageFormat::Webp };
        let coverage = if self.full_coverage { Coverage::Full } else { Coverage::Native };
        Ok(RenderOptions {
            codec: TileCodec {
                encoding: self.encoding.parse::<Encoding>()?,
                format,
                vertical,
                nodata_elevation: self.nodata_elevation,
                level: self.encoder_level.parse()?,
                encoder: self.encoder.parse()?,
            },
            resampling: self.resampling.parse::<Resampling>()?,
            lineage: self.lineage,
            extent: Extent {
                coverage,
                zooms: ZoomRange::new(self.min_zoom, self.max_zoom)?,
                area: self.area.as_ref().map(AreaMessage::area).transpose()?.map(Arc::new),
            },
            blend: self.blend,
            fill_gaps: self.fill_gaps,
            vertical_datum: self.vertical_datum.clone(),
        })
    }

    /// What of the message decides the bytes of tiles; the run's fingerprint is made from it.
    pub(super) fn identity(&self) -> Result<serde_json::Value> {
        let mut same = self.clone();
        (same.store, same.work, same.run, same.block_cache) = (PathBuf::new(), PathBuf::new(), 0, 0);
        (same.most_block, same.update) = (None, None);
        (same.roots, same.copies, same.seen) = (Vec::new(), Vec::new(), Seen::default());
        serde_json::to_value(&same).map_err(|e| Error::internal(format!("options: {e}")))
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// An area: boxes in EPSG:3857 metres, polygons in degrees. Numbers come back to the bit.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct AreaMessage {
    boxes: Vec<[f64; 4]>,
    polygons: Option<Vec<Polygon>>,
}

impl AreaMessage {
    fn new(area: &Area) -> Self {
        let boxes = area.boxes().iter().map(|b| [b.min_x, b.min_y, b.max_x, b.max_y]).collect();
        Self { boxes, polygons: area.polygons().map(|p| p.polygons().to_vec()) }
    }

    fn area(&self) -> Result<Area> {
        let boxes = self.boxes.iter().map(|&[a, b, c, d]| Bounds::new(a, b, c, d)).collect();
        Ok(Area::new(boxes, self.polygons.clone().map(Polygons::new).transpose()?))
    }
}

/// What is needed to make only the tiles that changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Update {
    /// The file that says what changed.
    pub(super) changes: PathBuf,
    /// The archive of heights as it was before, and the one of lineage where that is made.
    pub(super) elevation: PathBuf,
    pub(super) lineage: Option<PathBuf>,
}

/// Where the zoom below a unit comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Finer {
    /// Nothing is finer.
    Nothing,
    /// The packs of the step over these zooms.
    Packs { min: u8, max: u8, block_zoom: u8 },
    /// Archives: heights, and lineage where that is made.
    Archives { elevation: PathBuf, lineage: Option<PathBuf> },
}

impl Finer {
    /// The packs of units over these zooms.
    pub(super) fn packs(zooms: ZoomRange, block_zoom: u8) -> Self {
        Self::Packs { min: zooms.min, max: zooms.max, block_zoom }
    }
}

/// A unit to make.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) block: String,
    pub(super) min: u8,
    pub(super) max: u8,
    pub(super) tiles: u64,
    pub(super) finer: Finer,
    /// True where its parts are made already, and only have to be joined.
    #[serde(default)]
    pub(super) joins: bool,
}

impl Request {
    pub(super) fn new(unit: &Unit, finer: Finer) -> Self {
        Self {
            block: unit.block.to_string(),
            min: unit.zooms.min,
            max: unit.zooms.max,
            tiles: unit.tiles,
            finer,
            joins: false,
        }
    }

    pub(super) fn unit(&self) -> Result<Unit> {
        let (block, zooms) = (self.block.parse()?, ZoomRange::new(self.min, self.max)?);
        Unit::new(block, zooms, self.tiles)
    }
}

/// What became of a unit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Reply {
    /// Its pack is written.
    Done(Box<UnitReport>),
    /// It failed; the reason names the file.
    Failed(String),
    /// It failed because a server is busy or away; the reason names the object.
    Later(String),
    /// It failed because a raster was changed, which is named.
    Changed(String),
    /// It failed as it will every time: a raster does not fit into the memory; the reason names it.
    TooLarge(String),
    /// The system has no room for the worker to work; it ends.
    NoRoom(String),
}

pub(super) fn encode(message: &impl Serialize) -> Result<String> {
    serde_json::to_string(message).map_err(|e| Error::internal(format!("message to a worker: {e}")))
}
