//! Whether an archive's heights are what the sources hold: a second opinion that shares no geometry with the renderer.
//!
//! Each place is compared once, at the finest tile that the archive has there; coarser tiles are means of it, which
//! [`check_parents`](crate::pixels::check_parents) compares. For every pixel the centre's longitude and latitude follow from the definition
//! of the tile grid, PROJ takes them to the CRS of each raster around, and the geotransform to a cell. What is shared with
//! the renderer is the reading of cells (nodata, scale, units) and the order of records; places, windows, kernels, seams and turns
//! around the world are not.
//!
//! A kernel that weighs cells gives a height between the least and the greatest of them. So a pixel is *wrong*
//!
//! - where it lies outside of what all cells in reach of its kernel span, by more than half of the rounding step (a whole one where it is a
//!   mean of finer tiles that were not kept; cubic and Lanczos may overshoot by a part of the span),
//! - where it has no height although all cells in reach have one,
//! - where it has one although no cell in reach has; but for voids that were filled, and the height that stands for no data.
//!
//! Cliffs raise no false alarm, since their cells span the cliff. Flat ground hides no error. A tile of which more than one
//! pixel in a thousand is wrong is a [`Finding`].

mod look;
mod places;
mod reference;

use super::provenance::has_finer;
use crate::archive::{Problem, Report, Severity, TileEncoding, TileSource};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::progress::Progress;
use crate::raster::Resampling;
use crate::store::Store;
use crate::terrain::{ElevationTile, Encoding, ImageFormat, TileCodec, VerticalResolution};
use crate::tile::{MAX_ZOOM, TileCoord};
use look::Pixel;
use reference::{How, Reference};

/// A tile is wrong where more than one pixel in so many is.
pub const WRONG_OF: u64 = 1000;

/// The differences of a zoom's pixels, archive minus sources, metres.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Differences {
    /// Tiles compared.
    pub tiles: u64,
    /// Pixels with a height in both.
    pub pixels: u64,
    sum: f64,
    squares: f64,
    /// The least difference.
    pub min: f64,
    /// The greatest difference.
    pub max: f64,
    /// Pixels with a height in the archive only.
    pub only_archive: u64,
    /// Pixels with a height in the sources only.
    pub only_sources: u64,
    /// Pixels that are wrong by the rules of this module.
    pub wrong: u64,
    /// Tiles of which more than one pixel in [`WRONG_OF`] is wrong.
    pub wrong_tiles: u64,
}

impl Differences {
    fn add(&mut self, difference: f64) {
        let first = self.pixels == 0;
        self.min = if first { difference } else { self.min.min(difference) };
        self.max = if first { difference } else { self.max.max(difference) };
        self.pixels += 1;
        self.sum += difference;
        self.squares += difference * difference;
    }

    /// The mean difference.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum / self.pixels.max(1) as f64
    }

    /// The root of the mean square of the differences.
    #[must_use]
    pub fn root_mean_square(&self) -> f64 {
        (self.squares / self.pixels.max(1) as f64).sqrt()
    }
}

/// A tile that is not what the sources say.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The tile.
    pub tile: TileCoord,
    /// Wrong pixels, and all that were compared.
    pub pixels: (u64, u64),
    /// The worst one in words.
    pub worst: String,
}

/// What came out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    /// By zoom.
    pub by_zoom: Vec<(u8, Differences)>,
    /// Wrong tiles, in the order of tile ids; at most [`Comparison::KEPT`].
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more: u64,
}

impl Comparison {
    /// Findings that are kept.
    pub const KEPT: usize = 100;

    /// Puts what is wrong into the report of an archive's verification.
    pub fn add_to(&self, report: &mut Report) {
        let remedy = "make the tile again; where sources changed since, bring the store and the archive up to date \
                      (`catalog::Known`, then `update`)";
        for Finding { tile, pixels: (wrong, all), worst } in &self.findings {
            report.push(Problem {
                severity: Severity::Error,
                tile: Some(*tile),
                message: format!("{wrong} of {all} pixels are not what the sources hold: {worst}"),
                remedy: remedy.to_owned(),
            });
        }
        report.errors += self.more;
        report.more_problems += self.more;
    }
}

/// The error for an archive that can't be compared.
fn refused(problem: String) -> Error {
    Error::argument("against", problem)
}

/// Compares an archive with the sources of a store by the rules of this module, at about `sample` tiles, spread evenly, or all.
///
/// Costs the reading of the cells under each tile, and about a second for four million pixels.
///
/// # Errors
/// Where the archive holds no heights, its tiles are of another size than the store's or can't be decoded, a source can't be read or
/// was changed since the store was built, or the user interrupts.
pub fn compare(
    archive: &dyn TileSource,
    store: &Store,
    sample: Option<u64>,
    progress: &dyn Progress,
) -> Result<Comparison> {
    let made = Made::of(archive)?;
    let last = archive.metadata().maxzoom.unwrap_or(MAX_ZOOM);
    let is_leaf = |tile: TileCoord| quadrants(store, tile, last).contains(&true);
    let leaves = || {
        let coords = archive.ids()?.map(|id| id.map(|id| id.coord().filter(|&tile| is_leaf(tile))));
        Ok::<_, Error>(coords.filter_map(Result::transpose))
    };
    let all = leaves()?.try_fold(0u64, |count, tile| tile.map(|_| count + 1))?;
    let step = sample.map_or(1, |wanted| (all / wanted.max(1)).max(1));
    progress.begin("comparing with the sources", Some(all.div_ceil(step)), "tiles");
    let mut by_zoom = vec![Differences::default(); usize::from(MAX_ZOOM) + 1];
    let mut out = Comparison::default();
    let mut reference = Reference::new(store, &made.how)?;
    for tile in leaves()?.step_by(step as usize) {
        let tile = tile?;
        if progress.interrupted() {
            return Err(Error::Interrupted);
        }
        let Some(bytes) = archive.tile(tile)? else { continue };
        let found =
            made.codec.decode(&bytes).map_err(|e| e.of_part(format_args!("tile {tile}"), Some(archive.path())))?;
        if found.size != store.tile_size() {
            return Err(refused(format!(
                "tile {tile} has {} pixels a side, but the store is made for {}; build one with `tile_size = {0}`",
                found.size,
                store.tile_size()
            )));
        }
        let means = tile.z() >= last && has_finer(store, tile);
        let allowed = reference.tile(tile, means)?;
        let compared = quadrants(store, tile, last);
        let zoom = &mut by_zoom[usize::from(tile.z())];
        if let Some(finding) = made.judge(tile, &found, &allowed, compared, means, zoom) {
            if out.findings.len() < Comparison::KEPT {
                out.findings.push(finding);
            } else {
                out.more += 1;
            }
        }
        progress.advance(1);
    }
    progress.end();
    out.by_zoom = (0u8..).zip(by_zoom).filter(|(_, d)| d.tiles > 0).collect();
    Ok(out)
}

/// The quadrants of a tile that are not the mean of a finer tile.
fn quadrants(store: &Store, tile: TileCoord, last: u8) -> [bool; 4] {
    let children = tile.children().filter(|_| tile.z() < last);
    children.map_or([true; 4], |children| children.map(|child| !store.tiles().contains(child)))
}

/// How an archive was made, by its metadata.
struct Made {
    codec: TileCodec,
    how: How,
    by_zoom: bool,
    filled: bool,
    nodata: f64,
}

impl Made {
    fn of(archive: &dyn TileSource) -> Result<Self> {
        let metadata = archive.metadata();
        let encoding = match &metadata.encoding {
            None => Encoding::Terrarium,
            Some(TileEncoding::Elevation(encoding)) => *encoding,
            Some(other) => {
                let path = archive.path().display();
                return Err(refused(format!("works with elevation; {path} is of encoding {}", other.name())));
            }
        };
        let other = |key: &str| metadata.other.get(key);
        let text = |key: &str| other(key).and_then(Json::as_str);
        let number = |key: &str| other(key).and_then(Json::as_f64).unwrap_or(0.0);
        Ok(Self {
            codec: TileCodec::new(encoding, ImageFormat::Webp),
            how: How {
                resampling: text("resampling").and_then(|r| r.parse::<Resampling>().ok()).unwrap_or_default(),
                blended: number("blend_metres") > 0.0,
                vertical_datum: text("vertical_datum").map(str::to_owned),
            },
            by_zoom: text("vertical_resolution") != Some("full"),
            filled: number("filled_gaps_pixels") > 0.0,
            nodata: number("nodata_elevation"),
        })
    }

    /// How far beyond the cells around it a height may be, metres, and in parts of what they span.
    fn tolerance(&self, z: u8, means: bool) -> (f64, f64) {
        let step = if self.by_zoom { VerticalResolution::ByZoom.step(z) } else { 0.0 };
        let finest = self.codec.encoding.finest_step();
        let steps = step.max(finest) * if means { 1.0 } else { 0.5 };
        let moved = if self.how.vertical_datum.is_some() { 0.1 } else { 0.0 };
        let overshoot = match self.how.resampling {
            Resampling::Cubic => 0.3,
            Resampling::Lanczos => 0.8,
            _ => 0.0,
        };
        (steps + moved + 2e-3, overshoot)
    }

    /// Compares a tile's pixels.
    fn judge(
        &self,
        tile: TileCoord,
        found: &ElevationTile,
        allowed: &[Pixel],
        compared: [bool; 4],
        means: bool,
        zoom: &mut Differences,
    ) -> Option<Finding> {
        let side = found.size as usize;
        let (metres, parts) = self.tolerance(tile.z(), means);
        let (mut wrong, mut all, mut worst) = (0, 0, (0.0, String::new()));
        zoom.tiles += 1;
        for (at, pixel) in allowed.iter().enumerate() {
            if !compared[usize::from(at / side >= side / 2) * 2 + usize::from(at % side >= side / 2)] {
                continue;
            }
            let height = (found.valid[at] == 1).then(|| f64::from(found.values[at]));
            match (height, pixel.height) {
                (Some(height), Some(expected)) => zoom.add(height - expected),
                (Some(_), None) => zoom.only_archive += 1,
                (None, Some(_)) => zoom.only_sources += 1,
                (None, None) => {}
            }
            all += u64::from(height.is_some() || pixel.certain);
            let here = || format!("column {}, row {}", at % side, at / side);
            let problem = match height {
                None if pixel.certain => Some((f64::INFINITY, format!("{} has no height, the sources have", here()))),
                None => None,
                Some(height) if pixel.least > pixel.greatest => {
                    let none = !self.filled && (height - self.nodata).abs() > metres;
                    none.then(|| (f64::MAX, format!("{} has {height:.1} m, the sources have no data there", here())))
                }
                Some(height) => {
                    let spare = metres + parts * (pixel.greatest - pixel.least) + height.abs() * 1e-6;
                    let off = (pixel.least - height).max(height - pixel.greatest);
                    (off > spare).then(|| {
                        let span = format!("{:.1} to {:.1} m", pixel.least, pixel.greatest);
                        (off, format!("{} has {height:.1} m, the cells there have {span}", here()))
                    })
                }
            };
            if let Some((off, words)) = problem {
                wrong += 1;
                if off > worst.0 {
                    worst = (off, words);
                }
            }
        }
        zoom.wrong += wrong;
        let bad = wrong * WRONG_OF > all;
        zoom.wrong_tiles += u64::from(bad);
        bad.then_some(Finding { tile, pixels: (wrong, all), worst: worst.1 })
    }
}
