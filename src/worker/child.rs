//! The worker's side: map the store, take units, write packs.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::pack::{self, FinerPacks, Pack, PackWriter};
use super::protocol::{Finer, JobMessage, Reply, Request, Update, encode};
use super::stale::is_current;
use crate::archive::{self, TileSource};
use crate::error::{Error, Result};
use crate::plan::{Changes, Extent, Unit, ZoomRange};
use crate::render::{
    self, Bounded, FinerTiles, Layer, Made, NoFinerTiles, RasterOpener, ReadRecord, RenderOptions, Renderer, UnitReport,
};
use crate::store::Store;
use crate::threads;
use crate::tile::TileCoord;

/// Serves units until the input ends. `ready` gets the job before the first unit, so that the caller can set the size
/// of GDAL's block cache. `orphaned` is called as soon as the input ends, on a thread of its own, even in the middle of a
/// unit: the coordinator has ended then, and the worker should end, so that it does not run beside the next run's workers.
///
/// # Errors
/// Where the store can't be opened or is not the one of the run, or the pipes break. A unit that fails is no error
/// here; the coordinator is told.
pub fn serve(
    input: impl BufRead + Send + 'static,
    mut output: impl Write,
    opener: &dyn RasterOpener,
    ready: impl FnOnce(&JobMessage) -> Result<()>,
    orphaned: impl FnOnce() + Send + 'static,
) -> Result<()> {
    let pipe = |e| Error::Io { path: "pipe to the coordinator".into(), action: "use", source: e };
    let (sender, lines) = mpsc::channel();
    let listen = move || {
        for line in input.lines() {
            let whole = line.is_ok();
            if sender.send(line).is_err() {
                // The work ended before, and tells why itself.
                return;
            }
            if !whole {
                break;
            }
        }
        orphaned();
    };
    if let Err(error) = threads::start(listen) {
        let reply = Reply::NoRoom(format!("a worker: {error:#}"));
        return writeln!(output, "{}", encode(&reply)?).and_then(|()| output.flush()).map_err(pipe);
    }
    let Ok(first) = lines.recv() else { return Ok(()) };
    let job: JobMessage =
        serde_json::from_str(&first.map_err(pipe)?).map_err(|e| Error::internal(format!("job message: {e}")))?;
    ready(&job)?;
    let options = job.options()?;
    let store = Store::open(&job.store)?.with_roots(&job.roots)?;
    if store.fingerprint() != job.store_fingerprint {
        return Err(Error::invalid("store", "was replaced while the run was going on", "run the same command again")
            .with_path(&job.store));
    }
    let before = job.update.as_ref().map(Before::open).transpose()?;
    let opener = Bounded { opener, most_block: job.most_block };
    let mut maker = Maker::new(&job, &store, &options, before.as_ref(), &opener)?;
    for line in lines {
        let request: Request =
            serde_json::from_str(&line.map_err(pipe)?).map_err(|e| Error::internal(format!("unit message: {e}")))?;
        let reply = match maker.make(&request) {
            Ok(report) => Reply::Done(Box::new(report)),
            Err(error @ Error::Changed { .. }) => Reply::Changed(format!("{error:#}")),
            Err(error @ Error::BlockTooLarge { .. }) => Reply::TooLarge(error.to_string()),
            Err(error @ Error::Remote { passes: true, .. }) => Reply::Later(format!("{error:#}")),
            Err(error) => Reply::Failed(format!("{error:#}")),
        };
        writeln!(output, "{}", encode(&reply)?).and_then(|()| output.flush()).map_err(pipe)?;
    }
    Ok(())
}

/// What an update is made from: the tiles as they were, and which of them are not to be used.
pub(super) struct Before {
    changes: Changes,
    archives: Archives,
}

/// Archives of heights and of lineage.
type Archives = (Box<dyn TileSource>, Option<Box<dyn TileSource>>);

impl Before {
    pub(super) fn open(update: &Update) -> Result<Self> {
        let lineage = update.lineage.as_ref().map(|l| archive::open(l)).transpose()?;
        Ok(Self { changes: Changes::open(&update.changes)?, archives: (archive::open(&update.elevation)?, lineage) })
    }

    pub(super) fn as_update(&self) -> render::Update<'_> {
        render::Update { changes: &self.changes, before: &self.archives }
    }
}

/// The finer tiles of an update: those that changed in packs, the other ones as they were.
struct FinerMixed<'a> {
    packs: &'a dyn FinerTiles,
    before: &'a Before,
    extent: &'a Extent,
}

impl FinerTiles for FinerMixed<'_> {
    fn tile(&self, tile: TileCoord, layer: Layer) -> Result<Option<Vec<u8>>> {
        if self.before.changes.touch(self.extent, tile) {
            self.packs.tile(tile, layer)
        } else {
            self.before.archives.tile(tile, layer)
        }
    }
}

/// Makes packs; keeps rasters and finer tiles open from unit to unit.
pub(super) struct Maker<'a> {
    job: &'a JobMessage,
    store: &'a Store,
    renderer: Renderer<'a>,
    before: Option<&'a Before>,
    extent: &'a Extent,
    finer: Option<(Finer, Box<dyn FinerTiles>)>,
}

impl<'a> Maker<'a> {
    pub(super) fn new(
        job: &'a JobMessage,
        store: &'a Store,
        options: &'a RenderOptions,
        before: Option<&'a Before>,
        opener: &'a dyn RasterOpener,
    ) -> Result<Self> {
        let mut renderer = Renderer::new(store, options, opener)?;
        renderer.set_copies(&job.copies);
        if let Some(before) = before {
            renderer.set_update(before.as_update());
        }
        Ok(Self { job, store, renderer, before, extent: &options.extent, finer: None })
    }

    /// Makes the pack of a unit, if it is not there yet, made from the rasters as they are.
    pub(super) fn make(&mut self, request: &Request) -> Result<UnitReport> {
        let unit = request.unit()?;
        let path = Pack::path_of(&self.job.work, &unit);
        if let Ok(pack) = Pack::open(&path, self.job.run)
            && is_current(&pack.report, self.store, self.job.seen)
        {
            return Ok(pack.report);
        }
        let mut pack = PackWriter::create(&path, self.job.run)?;
        let started = Instant::now();
        let (mut report, rendering) = if request.joins {
            self.join(&unit, &mut pack)?
        } else {
            let finer = match self.finer.take() {
                Some((known, tiles)) if known == request.finer => tiles,
                _ => open_finer(self.job, &request.finer)?,
            };
            let report = self.render(&unit, finer.as_ref(), &mut pack);
            self.finer = Some((request.finer.clone(), finer));
            report?
        };
        pack.finish(&mut report, started.elapsed().saturating_sub(rendering))?;
        if request.joins {
            for part in unit.parts().iter().flat_map(|p| &p.units) {
                let _ = pack::discard(&Pack::path_of(&self.job.work, part));
            }
        }
        Ok(report)
    }

    /// Renders a unit into a pack; also gives the time that did not go into writing.
    fn render(&mut self, unit: &Unit, finer: &dyn FinerTiles, pack: &mut PackWriter) -> Result<(UnitReport, Duration)> {
        let mixed = self.before.map(|before| FinerMixed { packs: finer, before, extent: self.extent });
        let finer = mixed.as_ref().map_or(finer, |m| m);
        let (started, mut writing) = (Instant::now(), Duration::ZERO);
        let report = self.renderer.unit(unit, finer, &mut |made| {
            let started = Instant::now();
            let put = pack.put(&made);
            writing += started.elapsed();
            put
        })?;
        Ok((report, started.elapsed().saturating_sub(writing)))
    }

    /// Makes a unit from the packs of its parts.
    fn join(&mut self, unit: &Unit, pack: &mut PackWriter) -> Result<(UnitReport, Duration)> {
        let Some(parts) = unit.parts() else { return Err(Error::internal(format!("unit {} has no parts", unit.id()))) };
        let packs = parts.units.iter().map(|u| Pack::open(&Pack::path_of(&self.job.work, u), self.job.run));
        let packs = packs.collect::<Result<Vec<_>>>()?;
        let (mut report, mut used, mut rendering) = (UnitReport::default(), Vec::new(), Duration::ZERO);
        let mut read: BTreeMap<u32, ReadRecord> = BTreeMap::new();
        let (store, seen) = (self.store, self.job.seen);
        let mut add_read = |part: &UnitReport| -> Result<()> {
            for record in &part.read {
                // Parts that were made from different states of a raster must not be mixed.
                record.check(store, seen)?;
                read.insert(record.row, record.clone());
            }
            Ok(())
        };
        if let Some(rest) = &parts.rest {
            let [first, ..] = &parts.units;
            let finer = FinerPacks::new(&self.job.work, self.job.run, first.zooms, first.block.z());
            let (top, took) = self.render(rest, &finer, pack)?;
            rendering = took;
            used.extend(&top.used);
            report.add(&top);
            add_read(&top)?;
        }
        for part in packs {
            // Tiles that were kept only for the rest are not needed any more.
            for (tile, layer, wanted) in part.tiles().filter(|(t, _, wanted)| *wanted || t.z() == unit.zooms.min) {
                if let Some(bytes) = part.read(tile, layer)? {
                    pack.put(&Made { tile, layer, wanted, bytes })?;
                }
            }
            used.extend(&part.report.used);
            report.add(&part.report);
            add_read(&part.report)?;
        }
        used.sort_unstable();
        used.dedup();
        report.used = used;
        report.read = read.into_values().collect();
        Ok((report, rendering))
    }
}

fn open_finer(job: &JobMessage, finer: &Finer) -> Result<Box<dyn FinerTiles>> {
    Ok(match finer {
        Finer::Nothing => Box::new(NoFinerTiles),
        Finer::Packs { min, max, block_zoom } => {
            Box::new(FinerPacks::new(&job.work, job.run, ZoomRange::new(*min, *max)?, *block_zoom))
        }
        Finer::Archives { elevation, lineage } => {
            let lineage = lineage.as_ref().map(|l| archive::open(l)).transpose()?;
            Box::new((archive::open(elevation)?, lineage))
        }
    })
}
