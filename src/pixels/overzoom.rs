//! Finer tiles that an archive lacks, out of its coarser ones.

mod jobs;
mod log;
mod make;

use std::collections::BTreeMap;
use std::path::Path;

use jobs::{Job, Jobs};
use log::Log;
use make::Maker;
use serde_json::{Value, json};

use crate::archive::convert::tell;
use crate::archive::pipeline::{batches, in_order, threads};
use crate::archive::seen::Seen;
use crate::archive::{
    Additions, ArchiveMetadata, ArchiveSummary, IntoSummary, Selection, TileSink, TileSource, add_in_place,
};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::progress::Progress;
use crate::terrain::{WebpEncoder, webp::Level};
use crate::tile::{TileCoord, Zooms};

/// The key of the metadata that says which tiles were made out of coarser ones.
const OVERZOOMED: &str = "overzoomed";
/// Jobs in one piece of work.
const BATCH: usize = 4;
/// The most tiles that one job makes.
const MOST: u64 = 16;

/// Which finer tiles [`OverzoomPlan`] makes, and how.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overzoom {
    /// The zooms and the area of the tiles to make. The finest zoom has to be given.
    pub selection: Selection,
    /// Which encoder writes WebP.
    pub encoder: WebpEncoder,
    /// How much time it spends.
    pub level: Level,
}

/// Tiles that are made out of those of a coarser zoom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overzoomed {
    /// Their zoom.
    pub zoom: u8,
    /// The zoom of the pixels that they are made from.
    pub from: u8,
    /// How many.
    pub tiles: u64,
}

/// What overzooming an archive makes: known before anything is made.
///
/// A tile is made where the archive lacks it and has a coarser one, unless all pixels of that are void there. Each of its pixels has the height
/// that the archive has at the pixel's centre: bilinear between the pixels of the finest coarser tile, by the rule of
/// [`HeightQueries`](crate::heights::HeightQueries), and rounded as heights of its zoom are. Lineage takes the nearest pixel.
pub struct OverzoomPlan<'a> {
    maker: Maker<'a>,
    selection: Selection,
    zooms: Zooms,
    made: Vec<Overzoomed>,
}

impl<'a> OverzoomPlan<'a> {
    /// Counts what is to make. Decodes each tile that lacks finer ones, for each zoom to make.
    ///
    /// # Errors
    /// Where the tiles hold neither heights nor lineage, the finest zoom is not given, no tile is missing, the source can't be read, or the user
    /// interrupts.
    pub fn new(source: &'a dyn TileSource, options: Overzoom, progress: &dyn Progress) -> Result<Self> {
        let Overzoom { selection, encoder, level } = options;
        if selection.max_zoom.is_none() && selection.zooms.is_none() {
            return Err(Error::argument("max_zoom", "is missing: the finest zoom to make, such as 14"));
        }
        let zooms = selection.filter()?.zooms().and(Zooms::range(1, crate::tile::MAX_ZOOM));
        let maker = Maker::of(source, encoder, level)?;
        let mut plan = Self { maker, selection, zooms, made: Vec::new() };
        progress.begin("looking for missing tiles", None, "tiles");
        let mut counts: BTreeMap<(u8, u8), u64> = BTreeMap::new();
        let area = plan.selection.area.as_ref();
        for zoom in plan.zooms.iter() {
            let jobs = Jobs::new(&plan.maker, area, zoom, u64::MAX)?;
            let jobs = jobs.filter(|job| !matches!(job, Ok(Job::Copy(_))));
            let work = |batch: Vec<Job>| -> Result<Vec<(u8, u64)>> {
                batch.into_iter().map(|job| plan.maker.count(&job, area)).collect()
            };
            in_order(threads(), batches(jobs, BATCH, progress), work, |counted| {
                progress.advance(counted.len() as u64);
                for (from, count) in counted.into_iter().filter(|&(_, count)| count > 0) {
                    let sum = counts.entry((zoom, from)).or_default();
                    *sum = sum.saturating_add(count);
                }
                Ok(())
            })?;
        }
        progress.end();
        plan.made = counts.into_iter().map(|((zoom, from), tiles)| Overzoomed { zoom, from, tiles }).collect();
        if plan.made.is_empty() {
            let remedy = "ask for finer zooms or another area; `archive::summary` shows which zooms there are";
            return Err(Error::invalid("tiles", "none is missing in these zooms", remedy).with_path(source.path()));
        }
        Ok(plan)
    }

    /// What will be made, by zoom.
    #[must_use]
    pub fn made(&self) -> &[Overzoomed] {
        &self.made
    }

    /// The metadata of the archive with the new tiles: they say which zooms were made from which (`overzoomed`).
    #[must_use]
    pub fn metadata(&self) -> ArchiveMetadata {
        let mut metadata = self.maker.source.metadata().clone();
        metadata.forget_contents();
        let before = metadata.other.get(OVERZOOMED).and_then(|list| list.value().as_array().cloned());
        let new = self.made.iter().map(|made| json!({"zoom": made.zoom, "from": made.from, "tiles": made.tiles}));
        let all: Vec<Value> = before.into_iter().flatten().chain(new).collect();
        metadata.other.insert(OVERZOOMED.to_owned(), Json::of(Value::Array(all)));
        metadata
    }

    /// Copies all tiles of the source into `sink`, byte by byte, and makes those that it lacks.
    ///
    /// Streams on all processors, in the order of tile ids. Memory holds some decoded tiles, 128 MB at most, and a few tiles for each thread.
    ///
    /// # Errors
    /// Where the source can't be read, the sink can't be written, or the user interrupts.
    pub fn write(&self, mut sink: Box<dyn TileSink>, progress: &dyn Progress) -> Result<ArchiveSummary> {
        let source = self.maker.source;
        progress.begin("writing tiles", Some(source.tile_count()?.saturating_add(self.count())), "tiles");
        let mut seen = Seen::new(sink.metadata_mut());
        self.each(true, progress, |tile, bytes| seen.put(sink.as_mut(), tile, bytes))?;
        progress.end();
        tell(&[source], progress);
        seen.finish(sink, &[], source.path(), progress)
    }

    fn count(&self) -> u64 {
        self.made.iter().fold(0, |sum, made| sum.saturating_add(made.tiles))
    }

    /// Gives the tiles that are made to `take`, in the order of their ids; with those that are there where `all` is true.
    fn each(
        &self,
        all: bool,
        progress: &dyn Progress,
        mut take: impl FnMut(TileCoord, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let (source, area) = (self.maker.source, self.selection.area.as_ref());
        let finest = source.metadata().maxzoom.max(self.made.last().map(|made| made.zoom)).unwrap_or(0);
        for zoom in 0..=finest {
            let jobs: Box<dyn Iterator<Item = Result<Job>>> = if self.zooms.contains(zoom) {
                Box::new(Jobs::new(&self.maker, area, zoom, MOST)?)
            } else {
                Box::new(source.tiles_of(zoom)?.map(|tile| tile.map(Job::Copy)))
            };
            let jobs = jobs.filter(|job| all || !matches!(job, Ok(Job::Copy(_))));
            let work = |batch: Vec<Job>| -> Result<Vec<(TileCoord, Vec<u8>)>> {
                let mut out = Vec::new();
                batch.into_iter().try_for_each(|job| self.maker.run(&job, area, &mut out))?;
                Ok(out)
            };
            in_order(threads(), batches(jobs, BATCH, progress), work, |tiles| {
                progress.advance(tiles.len() as u64);
                tiles.into_iter().try_for_each(|(tile, bytes)| take(tile, &bytes))
            })?;
        }
        Ok(())
    }
}

/// Puts the finer tiles that an MBTiles archive lacks into it, in one transaction: it has all of them afterwards, or is as it was. They have the same
/// bytes as by [`OverzoomPlan::write`]. `tell` hears what comes before anything is made.
///
/// Beside the archive it takes the space of what is made.
///
/// # Errors
/// As [`OverzoomPlan`] and [`merge_into`](crate::archive::merge_into); those of `tell`.
pub fn overzoom_in_place(
    path: &Path,
    options: Overzoom,
    tell: impl FnOnce(&[Overzoomed]) -> Result<()>,
    progress: &dyn Progress,
) -> Result<IntoSummary> {
    let make = |source: &dyn TileSource| {
        let plan = OverzoomPlan::new(source, options, progress)?;
        tell(plan.made())?;
        let mut log = Log::beside(path)?;
        progress.begin("making finer tiles", Some(plan.count()), "tiles");
        plan.each(false, progress, |tile, bytes| log.put(tile, bytes))?;
        progress.end();
        let mut metadata = plan.metadata();
        metadata.maxzoom = metadata.maxzoom.max(plan.made.last().map(|made| made.zoom));
        Ok(Additions { metadata, count: plan.count(), tiles: Box::new(log.read()) })
    };
    add_in_place(path, make, progress)
}

/// The zooms of which tiles were made out of coarser ones, as the metadata say.
pub(super) fn overzoomed(metadata: &ArchiveMetadata) -> Vec<u8> {
    let list = metadata.other.get(OVERZOOMED).and_then(|list| list.value().as_array());
    let zoom = |made: &Value| made.get("zoom")?.as_u64()?.try_into().ok();
    list.into_iter().flatten().filter_map(zoom).collect()
}
