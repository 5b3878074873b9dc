//! The worker's side: map the store, take units, write packs.

use std::io::{BufRead, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::pack::{FinerPacks, Pack, PackWriter};
use super::protocol::{Finer, JobMessage, Reply, Request, Update, encode};
use crate::archive::{self, TileSource};
use crate::error::{Error, Result};
use crate::plan::{Changes, Extent, Unit, ZoomRange};
use crate::render::{self, FinerTiles, Layer, Made, NoFinerTiles, RasterOpener, RenderOptions, Renderer, UnitReport};
use crate::store::Store;
use crate::tile::TileCoord;

/// Serves units until the input ends. `ready` gets the job before the first unit, so that the caller can set the size
/// of GDAL's block cache. `orphaned` is called as soon as the input ends, on a thread of its own, even in the middle of a
/// unit: the coordinator is gone then, and a process should end, so that it does not work beside the next run.
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
    std::thread::spawn(move || {
        for line in input.lines() {
            if line.is_err() || sender.send(line).is_err() {
                break;
            }
        }
        orphaned();
    });
    let Ok(first) = lines.recv() else { return Ok(()) };
    let job: JobMessage =
        serde_json::from_str(&first.map_err(pipe)?).map_err(|e| Error::Other(format!("job message: {e}")))?;
    ready(&job)?;
    let options = job.options()?;
    let store = Store::open(&job.store)?;
    if store.fingerprint() != job.store_fingerprint {
        return Err(Error::invalid("store", "was replaced while the run was going on", "run the same command again")
            .with_path(&job.store));
    }
    let update = job.update.as_ref().map(Before::open).transpose()?;
    let mut renderer = Renderer::new(&store, &options, opener)?;
    if let Some(before) = &update {
        renderer.set_update(before.as_update());
    }
    for line in lines {
        let request: Request =
            serde_json::from_str(&line.map_err(pipe)?).map_err(|e| Error::Other(format!("unit message: {e}")))?;
        let reply = match make(&job, &mut renderer, &request, update.as_ref(), &options) {
            Ok(report) => Reply::Done(Box::new(report)),
            Err(error) => Reply::Failed(error.to_string()),
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

/// Makes the pack of a unit, if it is not there yet.
pub(super) fn make(
    job: &JobMessage,
    renderer: &mut Renderer<'_>,
    request: &Request,
    before: Option<&Before>,
    options: &RenderOptions,
) -> Result<UnitReport> {
    let unit = request.unit()?;
    let path = Pack::path_of(&job.work, &unit);
    if let Ok(pack) = Pack::open(&path, job.run) {
        return Ok(pack.report);
    }
    let finer = open_finer(job, &request.finer)?;
    let mixed = before.map(|before| FinerMixed { packs: finer.as_ref(), before, extent: &options.extent });
    let finer = mixed.as_ref().map_or(finer.as_ref(), |m| m as &dyn FinerTiles);
    if request.joins {
        return join(job, renderer, &unit, before, options);
    }
    let mut pack = PackWriter::create(&path, job.run)?;
    let mut writing = Duration::ZERO;
    let mut report = renderer.unit(&unit, finer, &mut |made| {
        let started = Instant::now();
        let put = pack.put(&made);
        writing += started.elapsed();
        put
    })?;
    finish(pack, &mut report, writing)?;
    Ok(report)
}

fn finish(pack: PackWriter, report: &mut UnitReport, writing: Duration) -> Result<()> {
    report.writing = writing.as_secs_f64();
    let started = Instant::now();
    pack.finish(report)?;
    report.writing += started.elapsed().as_secs_f64();
    Ok(())
}

/// Makes a unit from its parts, whose packs go.
fn join(
    job: &JobMessage,
    renderer: &mut Renderer<'_>,
    unit: &Unit,
    before: Option<&Before>,
    options: &RenderOptions,
) -> Result<UnitReport> {
    let Some(parts) = unit.parts() else { return Err(Error::Other(format!("unit {} has no parts", unit.id()))) };
    let packs = parts.units.iter().map(|u| Pack::open(&Pack::path_of(&job.work, u), job.run));
    let packs = packs.collect::<Result<Vec<_>>>()?;
    let mut pack = PackWriter::create(&Pack::path_of(&job.work, unit), job.run)?;
    let mut report = UnitReport::default();
    let mut used: Vec<u32> = Vec::new();
    if let Some(rest) = &parts.rest {
        let [first, ..] = &parts.units;
        let finer = FinerPacks::new(&job.work, job.run, first.zooms, first.block.z());
        let mixed = before.map(|before| FinerMixed { packs: &finer, before, extent: &options.extent });
        let finer = mixed.as_ref().map_or(&finer as &dyn FinerTiles, |m| m);
        let top = renderer.unit(rest, finer, &mut |made| pack.put(&made))?;
        used.extend(&top.used);
        report.add(&top);
    }
    for part in packs {
        // What was only kept for the rest has served.
        for (tile, layer, wanted) in part.tiles().filter(|(t, _, wanted)| *wanted || t.z() == unit.zooms.min) {
            if let Some(bytes) = part.read(tile, layer)? {
                pack.put(&Made { tile, layer, wanted, bytes })?;
            }
        }
        used.extend(&part.report.used);
        report.add(&part.report);
    }
    used.sort_unstable();
    used.dedup();
    report.used = used;
    let writing = Duration::from_secs_f64(report.writing);
    finish(pack, &mut report, writing)?;
    for part in &parts.units {
        let _ = std::fs::remove_file(Pack::path_of(&job.work, part));
    }
    Ok(report)
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
