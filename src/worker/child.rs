//! The worker's side: map the store, take units, write packs.

use std::io::{BufRead, Write};
use std::sync::mpsc;

use super::pack::{FinerPacks, Pack};
use super::protocol::{Finer, JobMessage, Reply, Request, encode};
use crate::error::{Error, Result};
use crate::plan::ZoomRange;
use crate::render::{FinerTiles, NoFinerTiles, RasterOpener, Renderer};
use crate::store::Store;

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
    let mut renderer = Renderer::new(&store, &options, opener)?;
    let mut finer: Option<(Finer, Box<dyn FinerTiles>)> = None;
    for line in lines {
        let request: Request =
            serde_json::from_str(&line.map_err(pipe)?).map_err(|e| Error::Other(format!("unit message: {e}")))?;
        if finer.as_ref().is_none_or(|(known, _)| *known != request.finer) {
            finer = Some((request.finer.clone(), open_finer(&job, &request.finer)?));
        }
        let reply = match finer.as_ref().map(|(_, tiles)| make(&job, &mut renderer, &request, tiles.as_ref())) {
            Some(Ok(report)) => Reply::Done(report),
            Some(Err(error)) => Reply::Failed(error.to_string()),
            None => Reply::Failed("no finer tiles".into()),
        };
        writeln!(output, "{}", encode(&reply)?).and_then(|()| output.flush()).map_err(pipe)?;
    }
    Ok(())
}

pub(super) fn make(
    job: &JobMessage,
    renderer: &mut Renderer<'_>,
    request: &Request,
    finer: &dyn FinerTiles,
) -> Result<crate::render::UnitReport> {
    let unit = request.unit()?;
    let mut tiles = Vec::new();
    let report = renderer.unit(&unit, finer, &mut |made| {
        tiles.push(made);
        Ok(())
    })?;
    Pack::write(&Pack::path_of(&job.work, &unit), job.run, &report, &tiles)?;
    Ok(report)
}

pub(super) fn open_finer(job: &JobMessage, finer: &Finer) -> Result<Box<dyn FinerTiles>> {
    Ok(match finer {
        Finer::Nothing => Box::new(NoFinerTiles),
        Finer::Packs { min, max } => Box::new(FinerPacks::new(&job.work, job.run, ZoomRange::new(*min, *max)?)),
        Finer::Archives { elevation, lineage } => {
            let lineage = lineage.as_ref().map(|l| crate::archive::open(l)).transpose()?;
            Box::new((crate::archive::open(elevation)?, lineage))
        }
    })
}
