//! Tiles and heights made in this process, for services and scripts that need few of them. A country is the work of a run.

use std::cell::{OnceCell, RefCell};

use super::sampler::{Area, Sampler};
use super::{Candidate, FinerTiles, Layer, RasterOpener, RenderOptions, Renderer};
use crate::error::{Error, Result};
use crate::plan::{Unit, ZoomRange};
use crate::query::Place;
use crate::raster::Resampling;
use crate::store::{RecordRef, RowId, Store};
use crate::terrain::ElevationTile;
use crate::tile::{Bounds, LonLat, MAX_ZOOM, TileCoord, web_mercator};

/// Zooms that one renderer makes below a tile; what is finer is made by the next one.
const ZOOMS: u8 = 3;

/// Makes single tiles of a store, byte for byte as a run with the same options writes them.
///
/// Rasters stay open between tiles, so keep it; each thread needs one of its own.
///
/// ```no_run
/// use hypso::Store;
/// use hypso::render::{GdalOpener, RenderOptions, TileRenderer};
///
/// let store = Store::open("japan.hypso")?;
/// let options = RenderOptions::default();
/// let mut renderer = TileRenderer::new(&store, &options, &GdalOpener)?;
/// if let Some(webp) = renderer.tile("14/14513/6467".parse()?)? {
///     std::fs::write("tile.webp", webp).map_err(hypso::Error::io("write", "tile.webp"))?;
/// }
/// # Ok::<(), hypso::Error>(())
/// ```
pub struct TileRenderer<'a> {
    level: Level<'a>,
}

/// What makes tiles and the three zooms below them.
struct Level<'a> {
    store: &'a Store,
    options: &'a RenderOptions,
    opener: &'a dyn RasterOpener,
    renderer: RefCell<Renderer<'a>>,
    finer: OnceCell<Box<Level<'a>>>,
}

impl<'a> TileRenderer<'a> {
    /// A renderer; `opener` is [`GdalOpener`](super::GdalOpener) where nothing else is wanted.
    ///
    /// # Errors
    /// Where the options ask for lineage, do not go together or do not fit the store, or its metadata are of another version.
    pub fn new(store: &'a Store, options: &'a RenderOptions, opener: &'a dyn RasterOpener) -> Result<Self> {
        if options.lineage {
            return Err(Error::argument("lineage", "is made by runs alone"));
        }
        Ok(Self { level: Level::new(store, options, opener)? })
    }

    /// The image of a tile, 256 or 512 pixels a side as the store was made for; `None` where no record has a height in it.
    ///
    /// A tile that is coarser than the records below it is the mean of its finer tiles, so that all of these are made first:
    /// a tile at the records' own zoom takes tens of milliseconds, each zoom above it four times as long. For a
    /// quick look at a coarse tile see [`look`](Self::look).
    ///
    /// # Errors
    /// Where a raster can't be read, or was changed since the store was built; the message names it.
    pub fn tile(&mut self, tile: TileCoord) -> Result<Option<Vec<u8>>> {
        self.level.tile(tile)
    }

    /// The image of a tile sampled at its own zoom, whatever the zoom of its records: as [`tile`](Self::tile) where they are no
    /// finer, and close to it elsewhere. Reads overviews where rasters have such as hold means.
    ///
    /// # Errors
    /// As [`tile`](Self::tile), and where a line of the tile's pixels needs more than 2^26 cells of a raster.
    pub fn look(&mut self, tile: TileCoord) -> Result<Option<Vec<u8>>> {
        let Level { store, options, opener, .. } = self.level;
        let mut heights = super::heights(store, opener, options.resampling, tile)?;
        if heights.is_empty() {
            return Ok(None);
        }
        options.codec.quantize(tile.z(), &mut heights);
        options.codec.encode(&heights).map(Some)
    }
}

impl<'a> Level<'a> {
    fn new(store: &'a Store, options: &'a RenderOptions, opener: &'a dyn RasterOpener) -> Result<Self> {
        let renderer = RefCell::new(Renderer::new(store, options, opener)?);
        Ok(Self { store, options, opener, renderer, finer: OnceCell::new() })
    }

    fn tile(&self, tile: TileCoord) -> Result<Option<Vec<u8>>> {
        let mut renderer = self.renderer.borrow_mut();
        let last = (tile.z() + ZOOMS).min(MAX_ZOOM);
        // The tile alone is wanted; finer ones are made and not encoded.
        renderer.extent.zooms = ZoomRange::new(tile.z(), tile.z())?;
        let unit = Unit::new(tile, ZoomRange::new(tile.z(), last)?, 1)?;
        let mut found = None;
        renderer.unit(&unit, self, &mut |made| {
            if made.tile == tile {
                found = Some(made.bytes);
            }
            Ok(())
        })?;
        Ok(found)
    }
}

impl FinerTiles for Level<'_> {
    fn tile(&self, tile: TileCoord, _: Layer) -> Result<Option<Vec<u8>>> {
        let level = match self.finer.get() {
            Some(level) => level,
            None => {
                let level = Level::new(self.store, self.options, self.opener)?;
                self.finer.get_or_init(|| Box::new(level))
            }
        };
        level.tile(tile)
    }
}

impl std::fmt::Debug for TileRenderer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TileRenderer").field("store", self.level.store).finish_non_exhaustive()
    }
}

/// A height and where it is from.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Height {
    /// Metres.
    pub metres: f32,
    /// The record that has it.
    pub row: RowId,
}

/// Gives heights at points straight from the rasters, not rounded as in tiles. Rasters stay open between points, so keep it;
/// each thread needs one of its own. Points near one another are best asked one after the other.
///
/// ```no_run
/// use hypso::Store;
/// use hypso::render::{GdalOpener, HeightSampler, Resampling};
/// use hypso::tile::LonLat;
///
/// let store = Store::open("japan.hypso")?;
/// let mut heights = HeightSampler::new(&store, &GdalOpener, Resampling::Bilinear)?;
/// if let Some(found) = heights.at(LonLat::new(138.7275, 35.3607)?)? {
///     println!("{:.1} m, from row {}", found.metres, found.row);
/// }
/// # Ok::<(), hypso::Error>(())
/// ```
pub struct HeightSampler<'a> {
    store: &'a Store,
    sampler: Sampler<'a>,
}

impl<'a> HeightSampler<'a> {
    /// A sampler.
    ///
    /// # Errors
    /// Where the metadata of the store are of another version.
    pub fn new(store: &'a Store, opener: &'a dyn RasterOpener, resampling: Resampling) -> Result<Self> {
        Ok(Self { store, sampler: Sampler::new(store, opener, resampling)? })
    }

    /// The height at a point: of the first record in candidate order that has one, sampled exactly there at the record's own
    /// pixel size. `None` where none has.
    ///
    /// # Errors
    /// Where a raster can't be read, or was changed since the store was built; the message names it.
    pub fn at(&mut self, point: LonLat) -> Result<Option<Height>> {
        let (x, y) = point.metres();
        for record in self.store.overlapping(point) {
            let step = web_mercator::resolution(record.native_zoom(), self.store.tile_size());
            if let Some(metres) = self.pixel(&record, (x - step / 2.0, y + step / 2.0), step)? {
                return Ok(Some(Height { metres, row: record.row() }));
            }
        }
        Ok(None)
    }

    /// What each record that covers a point says about the pixel of a tile around it, in candidate order: the first one with a
    /// height gives it. The point is in EPSG:3857 metres; `zoom` says how large the pixel is.
    ///
    /// # Errors
    /// As [`at`](Self::at).
    #[doc(hidden)]
    pub fn candidates(&mut self, (x, y): (f64, f64), zoom: u8) -> Result<Vec<Candidate>> {
        let step = web_mercator::resolution(zoom, self.store.tile_size());
        let corner = ((x / step).floor() * step, (y / step).floor() * step + step);
        let covering = self.store.overlapping(Place::Point { x, y });
        covering.map(|record| Ok(Candidate { row: record.row(), height: self.pixel(&record, corner, step)? })).collect()
    }

    /// The height of a record in a pixel with this north-western corner.
    fn pixel(&mut self, record: &RecordRef<'_>, (west, north): (f64, f64), step: f64) -> Result<Option<f32>> {
        // The pixel, and three beside it, since the kernel's scale is a difference.
        let bounds = Bounds::new(west, north - 2.0 * step, west + 2.0 * step, north);
        let tile = TileCoord::at(west + step / 2.0, north - step / 2.0, record.native_zoom());
        let mut plane = ElevationTile::empty(2);
        self.sampler.pool.forget_read();
        self.sampler.draw_uncounted(&Area { tile, bounds, size: 2 }, record, &mut plane, None, None)?;
        Ok((plane.valid[0] == 1).then_some(plane.values[0]))
    }
}

impl std::fmt::Debug for HeightSampler<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeightSampler").field("store", self.store).finish_non_exhaustive()
    }
}
