//! The blocks that files are stored in, which GDAL decodes whole.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ::gdal::raster::RasterBand;
use ::gdal::{Dataset, GdalOpenFlags, Metadata};

use super::end::HUGE;
use super::{GdalRaster, end, local, said};
use crate::raster::{Block, parts};

/// VRTs within VRTs that are followed.
const DEEPEST: u8 = 50;
/// Bands of a source that are looked at.
const BANDS: usize = 64;

/// How the cells of a raster are stored.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// The largest block that must be decoded to read a cell.
    pub(super) largest: Block,
    /// Why the end of a file is known to be missing. Looked for only where blocks are huge.
    pub(super) cut_short: Option<String>,
}

impl GdalRaster {
    pub(super) fn stored(&self) -> &Stored {
        self.stored.get_or_init(|| {
            let mut out = Stored::default();
            self.each_stored(&mut |path, dataset, band| {
                let block = stored(dataset, band);
                if block.bytes() > out.largest.bytes() {
                    out.largest = block;
                }
                if block.bytes() > HUGE && out.cut_short.is_none() {
                    let problem = end::cut_short(path, dataset, band);
                    let of =
                        if path == self.info.path { String::new() } else { format!("its source {} ", path.display()) };
                    out.cut_short = problem.map(|problem| format!("{of}{problem}"));
                }
            });
            out
        })
    }

    /// Calls `visit` with what cells are read from, and the band: the raster itself; of a VRT all of its sources, through
    /// VRTs of VRTs, each once. What can't be opened is left out.
    fn each_stored(&self, visit: &mut dyn FnMut(&Path, &Dataset, usize)) {
        if self.dataset.driver().short_name() == "VRT" {
            below(&self.info.path, 0, &mut HashSet::new(), visit);
        } else {
            visit(&self.info.path, &self.dataset, self.band);
        }
        said();
    }
}

fn below(vrt: &Path, depth: u8, seen: &mut HashSet<PathBuf>, visit: &mut dyn FnMut(&Path, &Dataset, usize)) {
    for name in parts::opened_by(vrt) {
        if !seen.insert(name.clone()) || local::refused(&name).is_some() {
            continue;
        }
        let Ok(source) = local::open(&name, GdalOpenFlags::empty(), None) else { continue };
        if source.driver().short_name() != "VRT" {
            let bands = 1..=source.raster_count().min(BANDS);
            let largest = bands.max_by_key(|&band| stored(&source, band).bytes());
            largest.into_iter().for_each(|band| visit(&name, &source, band));
        } else if depth < DEEPEST {
            below(&name, depth + 1, seen, visit);
        }
    }
}

/// The block of one band of a file that holds cells itself, with what is decoded together with it.
fn stored(dataset: &Dataset, number: usize) -> Block {
    let Ok(band) = dataset.rasterband(number) else { return Block::default() };
    // GDAL's driver for GRIB reports a block of one line, but decodes the whole grid as float64 to read it.
    if dataset.driver().short_name() == "GRIB" {
        let (width, height) = dataset.raster_size();
        return block((width, height), (width as u64 * height as u64).saturating_mul(8));
    }
    let together = dataset.metadata_item("INTERLEAVE", "IMAGE_STRUCTURE").is_some_and(|how| how == "PIXEL");
    let cell = match together {
        true => (1..=dataset.raster_count()).filter_map(|n| dataset.rasterband(n).ok()).map(|b| bytes(&b)).sum(),
        false => bytes(&band),
    };
    let size = band.block_size();
    let flags = band.mask_flags().ok();
    let mask = match flags.filter(|flags| flags.is_per_dataset() && !(flags.is_alpha() && together)) {
        Some(_) => band.open_mask_band().map_or(0, |mask| {
            let (width, height) = mask.block_size();
            (width as u64 * height as u64).saturating_mul(bytes(&mask))
        }),
        None => 0,
    };
    said();
    block(size, (size.0 as u64 * size.1 as u64).saturating_mul(cell).saturating_add(mask))
}

fn bytes(band: &RasterBand<'_>) -> u64 {
    u64::from(band.band_type().bits()).div_ceil(8)
}

/// A block of so many bytes.
fn block((width, height): (usize, usize), bytes: u64) -> Block {
    let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let cell = bytes.div_ceil((width as u64 * height as u64).max(1));
    Block { width: side(width), height: side(height), cell: u32::try_from(cell).unwrap_or(u32::MAX) }
}
