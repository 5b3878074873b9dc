//! Makes the tiles of a unit.

use std::time::{Duration, Instant};

use super::sampler::Sampler;
use super::vertical::Vertical;
use super::{CopyFacts, FinerTiles, Layer, ODD_ROWS, RasterOpener, UnitReport};
use crate::error::{Error, Result};
use crate::plan::{Changes, Coverage, Extent, Unit, ZoomRange};
use crate::raster::{self, Resampling};
use crate::store::Store;
use crate::terrain::{
    ElevationTile, Encoding, ImageFormat, MOST_SOURCES, NO_SOURCE, TileCodec, VerticalResolution, decode_lineage,
    downsample_into, downsample_lineage_into,
};
use crate::tile::{MAX_ZOOM, TileCoord};

/// How tiles are made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RenderOptions {
    /// Encoding, image format, vertical rounding, nodata elevation.
    pub codec: TileCodec,
    /// The kernel.
    pub resampling: Resampling,
    /// True where lineage tiles are made in the same pass.
    pub lineage: bool,
    /// The wanted zooms and box, for runs.
    #[doc(hidden)]
    pub extent: Extent,
    /// How wide the border between sources is, EPSG:3857 metres: over this distance inside its border, the values of a
    /// source change gradually into those of the next one. 0 for hard borders.
    pub blend: f64,
    /// Voids of up to so many pixels across are filled by interpolation; 0 for none.
    pub fill_gaps: u32,
    /// The vertical datum that all heights are brought to, `EPSG:n` or `ellipsoid`; as they are where `None`.
    pub vertical_datum: Option<String>,
}

impl Default for RenderOptions {
    /// Terrarium in lossless WebP, rounded by zoom, bilinear, with hard borders.
    fn default() -> Self {
        let codec = TileCodec::new(Encoding::Terrarium, ImageFormat::Webp);
        Self {
            codec: TileCodec { vertical: VerticalResolution::ByZoom, ..codec },
            resampling: Resampling::default(),
            lineage: false,
            extent: Extent { coverage: Coverage::Native, zooms: ZoomRange { min: 0, max: MAX_ZOOM }, area: None },
            blend: 0.0,
            fill_gaps: 0,
            vertical_datum: None,
        }
    }
}

/// A finished tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its address.
    pub tile: TileCoord,
    /// What it shows.
    pub layer: Layer,
    /// True where it belongs to the output; else coarser tiles are means of it.
    pub wanted: bool,
    /// The encoded image.
    pub bytes: Vec<u8>,
}

/// Heights as encoded, and their sources.
struct Pixels {
    heights: ElevationTile,
    lineage: Option<Vec<u8>>,
}

/// Makes units; keeps rasters open and buffers allocated between them.
pub struct Renderer<'a> {
    store: &'a Store,
    options: &'a RenderOptions,
    /// That of the options, unless single tiles are wanted.
    pub(super) extent: Extent,
    sampler: Sampler<'a>,
    update: Option<Update<'a>>,
    coding: Duration,
    report: UnitReport,
    /// The sources of a tile's pixels, where no lineage is wanted; kept from tile to tile.
    plane: Vec<u8>,
}

/// What is needed to make only the tiles that changed.
pub struct Update<'a> {
    /// Which tiles those are.
    pub changes: &'a Changes,
    /// The other ones, as they were made before.
    pub before: &'a dyn FinerTiles,
}

impl<'a> Renderer<'a> {
    /// A renderer.
    ///
    /// # Errors
    /// Where lineage is wanted and the store has more than [`MOST_SOURCES`] sources, the options ask for more than a worker may hold, or its metadata are not of this version.
    pub fn new(store: &'a Store, options: &'a RenderOptions, opener: &'a dyn RasterOpener) -> Result<Self> {
        if options.lineage && store.sources().len() > MOST_SOURCES {
            return Err(Error::argument(
                "lineage",
                format!("works with at most {MOST_SOURCES} sources; the store has {}", store.sources().len()),
            ));
        }
        options.check(store)?;
        let mut sampler = Sampler::new(store, opener, options.resampling)?;
        sampler.vertical = options.vertical_datum.as_deref().map(Vertical::new);
        let extent = options.extent.clone();
        Ok(Self {
            store,
            options,
            extent,
            sampler,
            update: None,
            coding: Duration::ZERO,
            report: UnitReport::default(),
            plane: Vec::new(),
        })
    }

    /// Makes only tiles that changed from here on; the other ones are taken as they were.
    pub fn set_update(&mut self, update: Update<'a>) {
        self.update = Some(update);
    }

    /// Takes copies of rasters for what they are copies of, though their times are others.
    pub fn set_copies(&mut self, copies: &[CopyFacts]) {
        self.sampler.pool.copies = copies.iter().map(|copy| (copy.row, copy.clone())).collect();
    }

    fn is_unchanged(&self, tile: TileCoord) -> bool {
        self.update.as_ref().is_some_and(|u| !u.changes.touch(&self.extent, tile))
    }

    /// Makes all tiles of a unit and gives each to `out`. `finer` has the tiles of the zoom below the unit.
    ///
    /// # Errors
    /// Where a raster or a finer tile can't be read, or a raster was changed since it was opened; the message names it.
    pub fn unit(
        &mut self,
        unit: &Unit,
        finer: &dyn FinerTiles,
        out: &mut dyn FnMut(Made) -> Result<()>,
    ) -> Result<UnitReport> {
        self.report = UnitReport::default();
        self.coding = Duration::ZERO;
        self.sampler.pool.forget_read();
        let network = raster::network();
        let (reading, warping, opened) = (self.sampler.reading, self.sampler.warping, self.sampler.opened());
        for tile in self.extent.tiles(self.store, unit.block, unit.zooms.min) {
            if !self.is_unchanged(tile) {
                self.tile(tile, unit, finer, out)?;
            }
        }
        self.report.reading = (self.sampler.reading - reading).as_secs_f64();
        self.report.warping = (self.sampler.warping - warping).as_secs_f64();
        self.report.coding = self.coding.as_secs_f64();
        self.report.opened = self.sampler.opened() - opened;
        (self.report.sources, self.report.used) = self.sampler.take_counts();
        self.report.read = self.sampler.pool.take_read(self.store)?;
        let odd = self.sampler.take_odd();
        self.report.network = raster::network().since(&network);
        self.report.odd_pixels = odd.values().map(|o| o.pixels).sum();
        self.report.odd = odd.into_iter().take(ODD_ROWS).collect();
        Ok(std::mem::take(&mut self.report))
    }

    fn tile(
        &mut self,
        tile: TileCoord,
        unit: &Unit,
        finer: &dyn FinerTiles,
        out: &mut dyn FnMut(Made) -> Result<()>,
    ) -> Result<Option<Pixels>> {
        let size = self.store.tile_size();
        let pixels = (size * size) as usize;
        let mut heights = ElevationTile::empty(size);
        let mut lineage = self.options.lineage.then(|| vec![NO_SOURCE; pixels]);
        let mut made_of_finer = [false; 4];
        for (quadrant, child) in tile.children().into_iter().flatten().enumerate() {
            let native = self.store.tiles().contains(child);
            let within = child.z() <= unit.zooms.max;
            if !native {
                // An overzoomed tile belongs to the output, but is the mean of nothing and nothing is a mean of it.
                let extent = &self.extent;
                if within && extent.wants(child) && extent.exists(self.store, child) && !self.is_unchanged(child) {
                    self.tile(child, unit, finer, out)?;
                }
                continue;
            }
            made_of_finer[quadrant] = true;
            let below = match &self.update {
                Some(update) if self.is_unchanged(child) => self.decode(child, update.before)?,
                _ if within => self.tile(child, unit, finer, out)?,
                _ => self.decode(child, finer)?,
            };
            if let Some(below) = below {
                downsample_into(&mut heights, quadrant, &below.heights);
                if let (Some(mine), Some(theirs)) = (&mut lineage, &below.lineage) {
                    downsample_lineage_into(mine, size, quadrant, theirs);
                }
            }
        }
        if made_of_finer.contains(&false) {
            match &mut lineage {
                Some(plane) => self.sample(tile, made_of_finer, &mut heights, plane)?,
                None => {
                    // Where sources meet is looked at in any case.
                    let mut plane = std::mem::take(&mut self.plane);
                    plane.clear();
                    plane.resize(pixels, NO_SOURCE);
                    self.sample(tile, made_of_finer, &mut heights, &mut plane)?;
                    self.plane = plane;
                }
            }
        }
        self.finish(tile, unit, Pixels { heights, lineage }, out)
    }

    /// Fills the quadrants without a finer tile from the records; the other ones stay as they are.
    fn sample(
        &mut self,
        tile: TileCoord,
        made_of_finer: [bool; 4],
        heights: &mut ElevationTile,
        lineage: &mut [u8],
    ) -> Result<()> {
        let side = heights.size as usize;
        // The halves of rows that are finished count as valid while records are drawn, so that nothing is drawn over them.
        let done = |half: &usize| made_of_finer[usize::from(half / 2 >= side / 2) * 2 + half % 2];
        let halves = || (0..2 * side).filter(done).map(|half| half * (side / 2)..(half + 1) * (side / 2));
        let before = heights.valid.clone();
        halves().for_each(|half| heights.valid[half].fill(1));
        if self.options.looks_around() {
            self.sampler.fill_wide(tile, self.options, heights, Some(lineage))?;
        } else {
            self.sampler.fill(tile, heights, Some(lineage))?;
        }
        halves().for_each(|half| heights.valid[half.clone()].copy_from_slice(&before[half]));
        self.report.seams.look(heights, lineage, made_of_finer);
        Ok(())
    }

    fn decode(&mut self, tile: TileCoord, finer: &dyn FinerTiles) -> Result<Option<Pixels>> {
        let Some(bytes) = finer.tile(tile, Layer::Elevation)? else { return Ok(None) };
        let started = Instant::now();
        let bad = |e: Error| e.of_part(format_args!("finer tile {tile}"), None);
        let heights = self.options.codec.decode(&bytes).map_err(bad)?;
        let expected = self.store.tile_size();
        if heights.size != expected {
            return Err(Error::argument(
                "finer tiles",
                format!("tile {tile} has {} pixels a side, the store is made for {expected}", heights.size),
            ));
        }
        let mut lineage = None;
        if self.options.lineage {
            let missing = || {
                Error::argument(
                    "finer tiles",
                    format!("tile {tile} has no lineage; give a lineage archive as well, or leave `lineage` out"),
                )
            };
            let (size, sources) =
                decode_lineage(&finer.tile(tile, Layer::Lineage)?.ok_or_else(missing)?).map_err(bad)?;
            if size != expected {
                return Err(Error::argument(
                    "finer tiles",
                    format!("lineage tile {tile} has {size} pixels a side, the store is made for {expected}"),
                ));
            }
            lineage = Some(sources);
        }
        self.coding += started.elapsed();
        Ok(Some(Pixels { heights, lineage }))
    }

    fn finish(
        &mut self,
        tile: TileCoord,
        unit: &Unit,
        mut pixels: Pixels,
        out: &mut dyn FnMut(Made) -> Result<()>,
    ) -> Result<Option<Pixels>> {
        if pixels.heights.is_empty() {
            self.report.empty += 1;
            return Ok(None);
        }
        let codec = &self.options.codec;
        let started = Instant::now();
        self.report.clamped += codec.quantize(tile.z(), &mut pixels.heights);
        let wanted = self.extent.wants(tile);
        if wanted {
            self.report.tiles += 1;
            self.report.pixels += pixels.heights.valid.len() as u64;
            let (low, high, valid) = pixels.heights.range();
            self.report.void += pixels.heights.valid.len() as u64 - valid;
            self.report.take_heights((low, high));
        } else {
            self.report.intermediate += 1;
        }
        if wanted || tile.z() == unit.zooms.min {
            let elevation = codec.encode(&pixels.heights)?;
            let lineage = match &pixels.lineage {
                Some(sources) => Some(codec.encode_lineage(pixels.heights.size, sources)?),
                None => None,
            };
            self.coding += started.elapsed();
            for (layer, bytes) in [(Layer::Elevation, Some(elevation)), (Layer::Lineage, lineage)] {
                if let Some(bytes) = bytes {
                    self.report.bytes += bytes.len() as u64;
                    out(Made { tile, layer, wanted, bytes })?;
                }
            }
        } else {
            self.coding += started.elapsed();
        }
        Ok(Some(pixels))
    }
}
