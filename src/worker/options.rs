//! What a run is asked for, before there is a store: typed, with defaults, and checked at once.

use std::path::PathBuf;

use super::budget::{Budget, BudgetOptions, Needs, tiles_in_work};
use super::outputs::check_output;
use crate::error::{Error, Result};
use crate::plan::{Plan, PlanOptions, ZoomRange};
use crate::quality::Rules;
use crate::raster::{RasterReader, Resampling};
use crate::render::{RenderOptions, check_blend, check_gaps};
use crate::terrain::{Encoding, ImageFormat, TileCodec, VerticalResolution};

/// All that decides a run besides the store: which tiles, their pixels, their bytes, and how the work is done.
///
/// ```
/// use hypso::worker::JobOptions;
///
/// let mut options = JobOptions::new("japan.pmtiles");
/// options.tiles.max_zoom = Some(12);
/// options.blend = -1.0;
/// let error = options.check().unwrap_err();
/// assert_eq!(error.to_string(), "blend: must be a number of metres from 0 on");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JobOptions {
    /// The archive to write, `.pmtiles` or `.mbtiles`.
    pub output: PathBuf,
    /// Zooms, area, coverage, and how zooms are cut into groups.
    pub tiles: PlanOptions,
    /// The archive (and its lineage) with the tiles one zoom below the finest wanted one, instead of making them.
    pub finer: Option<(PathBuf, Option<PathBuf>)>,
    /// Pixels along a tile's side; the store's where `None`. For another one, the records are indexed again.
    pub tile_size: Option<u32>,
    /// How heights become the bytes of images.
    pub codec: TileCodec,
    /// Write an archive that says which source every pixel came from.
    pub lineage: bool,
    /// The kernel.
    pub resampling: Resampling,
    /// See [`RenderOptions::blend`].
    pub blend: f64,
    /// See [`RenderOptions::fill_gaps`].
    pub fill_gaps: u32,
    /// See [`RenderOptions::vertical_datum`].
    pub vertical_datum: Option<String>,
    /// Workers, memory and time.
    pub budget: BudgetOptions,
    /// The folder for the work folder, where that is not to be beside the output.
    pub tmpdir: Option<PathBuf>,
    /// The work folder itself, where packs were brought together elsewhere.
    pub packs: Option<PathBuf>,
    /// Replace existing outputs and other unfinished runs.
    pub overwrite: bool,
    /// Bring the output up to date instead of making it again.
    pub update: bool,
    /// Keep the archives of groups beside the output.
    pub keep_intermediates: bool,
    /// Begin with this group (0 is the finest); finer ones must be finished.
    pub resume_from: Option<usize>,
    /// Below this many free bytes nothing new is begun.
    pub disk_reserve: u64,
    /// Begin although the disk seems too small.
    pub ignore_space: bool,
    /// The limits of what is measured.
    pub rules: Rules,
}

impl JobOptions {
    /// The defaults of `hypso aggregate`: all native tiles as terrarium in WebP, a worker for each processor.
    #[must_use]
    pub fn new(output: impl Into<PathBuf>) -> Self {
        let vertical = VerticalResolution::ByZoom;
        Self {
            output: output.into(),
            tiles: PlanOptions::default(),
            finer: None,
            tile_size: None,
            codec: TileCodec { vertical, ..TileCodec::new(Encoding::Terrarium, ImageFormat::Webp) },
            lineage: false,
            resampling: Resampling::Bilinear,
            blend: 0.0,
            fill_gaps: 0,
            vertical_datum: None,
            budget: BudgetOptions {
                jobs: std::thread::available_parallelism().map_or(1, usize::from),
                ..BudgetOptions::default()
            },
            tmpdir: None,
            packs: None,
            overwrite: false,
            update: false,
            keep_intermediates: false,
            resume_from: None,
            disk_reserve: 256 << 20,
            ignore_space: false,
            rules: Rules::default(),
        }
    }

    /// Refuses what can't be right whatever the store holds: before a country is scanned for it. Reads no raster.
    ///
    /// # Errors
    /// Naming the field and the rule.
    pub fn check(&self) -> Result<()> {
        check_output(&self.output)?;
        if let (Some(min), Some(max)) = (self.tiles.min_zoom, self.tiles.max_zoom) {
            ZoomRange::new(min, max)?;
        }
        if self.update && (self.keep_intermediates || self.resume_from.is_some() || self.finer.is_some()) {
            let problem = "makes the whole output; it does not go with `keep_intermediates`, `resume_from` or `finer`";
            return Err(Error::argument("update", problem));
        }
        if self.lineage && self.finer.as_ref().is_some_and(|(_, lineage)| lineage.is_none()) {
            return Err(Error::argument("finer_lineage", "is needed with `finer` and `lineage`"));
        }
        self.codec.check()?;
        check_gaps(self.fill_gaps)?;
        check_blend(self.blend)?;
        // The smallest tiles need the least memory.
        let tiles = tiles_in_work(self.tile_size.unwrap_or(256), 4);
        Budget::new(&self.budget, &Needs { tiles, block: None }).map(drop)
    }

    /// [`JobOptions::check`], and that the reader of rasters knows the vertical datum.
    ///
    /// # Errors
    /// As [`JobOptions::check`].
    pub fn check_with(&self, reader: &dyn RasterReader) -> Result<()> {
        self.check()?;
        self.vertical_datum.as_deref().map_or(Ok(()), |datum| reader.check_datum(datum))
    }

    /// How the tiles of a plan are made.
    pub(super) fn render(&self, plan: &Plan) -> RenderOptions {
        RenderOptions {
            codec: self.codec,
            resampling: self.resampling,
            lineage: self.lineage,
            extent: plan.extent.clone(),
            blend: self.blend,
            fill_gaps: self.fill_gaps,
            vertical_datum: self.vertical_datum.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_store_can_mend_is_refused_before_there_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let said = |change: &dyn Fn(&mut JobOptions)| {
            let mut options = JobOptions::new(folder.path().join("a.pmtiles"));
            change(&mut options);
            options.check().map_err(|e| e.to_string()).unwrap_err()
        };
        assert!(said(&|o| o.output = folder.path().join("a.tif")).contains("must end in"));
        assert!(said(&|o| (o.tiles.min_zoom, o.tiles.max_zoom) = (Some(9), Some(3))).contains("9-3 is impossible"));
        assert!(said(&|o| o.fill_gaps = 9999).starts_with("fill_gaps: "));
        assert!(said(&|o| o.blend = f64::NAN).starts_with("blend: "));
        assert!(said(&|o| o.budget.memory = Some(1 << 20)).starts_with("memory: "));
        assert!(said(&|o| (o.update, o.resume_from) = (true, Some(1))).starts_with("update: "));
        assert!(said(&|o| (o.lineage, o.finer) = (true, Some(("b".into(), None)))).starts_with("finer_lineage: "));
        JobOptions::new(folder.path().join("a.pmtiles")).check().unwrap();
    }
}
