//! What a run tells at its end: a JSON file beside the output, what it measured, the records with heights that the Earth does not have.

use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::aggregate::Job;
use super::summary::Summary;
use crate::archive::ArchiveSummary;
use crate::atomic::AtomicFile;
use crate::error::{Error, Result};
use crate::quality::{Figure, Rule};
use crate::render::{Odd, Seams, UnitReport};
use crate::store::Store;
use crate::terrain::ImageFormat;
use crate::url;

/// What the run measured.
pub(super) fn figures(job: &Job<'_>, summary: &Summary) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    if summary.complete_before {
        return Ok(figures);
    }
    let r = &summary.report;
    figures.push(Figure::share(Rule::EmptyTiles, r.empty, r.empty + r.tiles + r.intermediate));
    figures.push(Figure::share(Rule::Voids, r.void, r.pixels));
    figures.push(Figure::new(Rule::ImplausiblePixels, r.odd_pixels as f64));
    // An update makes the tiles of some records only.
    if summary.update.is_none() {
        let records = u64::from(job.store.len());
        figures.push(Figure::share(Rule::UnusedRecords, records.saturating_sub(summary.records_used), records));
    }
    if let Some((low, high)) = r.heights {
        figures.push(Figure::new(Rule::LowestHeight, low.into()));
        figures.push(Figure::new(Rule::HighestHeight, high.into()));
    }
    let names = job.store.sources().iter().map(|source| source.name()).collect::<Result<Vec<_>>>()?;
    for (source, counts) in r.sources.iter().filter(|(_, counts)| counts.asked > 0) {
        let void = counts.asked.saturating_sub(counts.filled);
        figures.extend(
            names
                .get(usize::from(*source))
                .map(|name| Figure::share(Rule::SourceVoids, void, counts.asked).of(&**name)),
        );
    }
    for (key, steps) in r.seams.between.iter().filter(|(_, steps)| steps.pairs >= FEWEST_PAIRS) {
        let [a, b] = Seams::pair(*key).map(|source| names.get(usize::from(source)));
        let (Some(a), Some(b), Some(mean)) = (a, b, steps.mean()) else { continue };
        figures.push(Figure::new(Rule::Seams, mean).of(format!("{a}, {b}")));
    }
    Ok(figures)
}

/// Of fewer pairs of pixels a mean says little: one cliff would be the seam.
const FEWEST_PAIRS: u64 = 1000;

/// Where sources meet, and how steep the ground is there.
fn seams(job: &Job<'_>, seams: &Seams) -> Result<Value> {
    let mut between = Vec::new();
    for (key, steps) in &seams.between {
        let [a, b] = Seams::pair(*key).map(|source| job.store.sources().get(source));
        let (Some(a), Some(b)) = (a, b) else { continue };
        between.push(json!({"sources": [a.name()?, b.name()?], "pairs": steps.pairs, "mean_step": steps.mean()}));
    }
    Ok(json!({"between": between, "inside": {"pairs": seams.inside.pairs, "mean_step": seams.inside.mean()}}))
}

/// The file for the report of a run: `<stem>.report.json` beside the output; `<output>.report.json` where that is the report of
/// another output, or something else.
///
/// # Errors
/// Where both are.
pub(super) fn place(job: &Job<'_>) -> Result<PathBuf> {
    let name = job.output().file_name().unwrap_or_default().to_string_lossy();
    let places = crate::report::places(job.output());
    let free = places.iter().find(|path| path.symlink_metadata().is_err() || crate::report::is_of(path, &name));
    free.cloned().ok_or_else(|| {
        let problem =
            "is in the way of the run's report, and is none of this output; move it away, or choose another output";
        Error::argument(places[1].display().to_string(), problem)
    })
}

/// Writes the report of a run; one that had nothing to do leaves the report of the run that did it.
pub(super) fn write(job: &Job<'_>, summary: &Summary, path: PathBuf) -> Result<PathBuf> {
    if summary.complete_before {
        return Ok(path);
    }
    let archive = |archive: &Option<(PathBuf, ArchiveSummary)>| match archive {
        None => Value::Null,
        Some((path, a)) => {
            json!({"path": path, "tiles": a.tiles, "distinct": a.contents, "tile_bytes": a.bytes, "file_bytes": a.file_size})
        }
    };
    let r = &summary.report;
    let mut sources = Vec::new();
    for source in job.store.sources().iter() {
        let counts = r.sources.get(&source.index()).copied().unwrap_or_default();
        let void = (counts.asked > 0).then(|| 1.0 - counts.filled as f64 / counts.asked as f64);
        sources.push(json!({
            "name": source.name()?, "records": source.record_count(), "pixels": counts.filled, "nodata_share": void,
        }));
    }
    let aside = summary.set_aside.iter();
    let aside = aside.map(|a| json!({"unit": a.unit.id(), "tiles": a.unit.tiles, "reason": a.reason}));
    let codec = &job.options.codec;
    let encoder = if codec.format == ImageFormat::Png { "png".to_string() } else { codec.encoder.to_string() };
    let report = json!({
        "format": "hypso report 1",
        "version": env!("CARGO_PKG_VERSION"),
        "archive": job.output().file_name().map(|name| name.to_string_lossy()),
        "complete": summary.output.is_some(),
        "store": {"path": job.store.path(), "fingerprint": format!("{:016x}", job.store.fingerprint()), "records": job.store.len()},
        "output": archive(&summary.output),
        "lineage": archive(&summary.lineage),
        "groups": summary.groups,
        "images": {"format": codec.format.to_string(), "encoder": encoder, "level": codec.level.to_string()},
        "update": summary.update.map(|(added, removed, changed)| json!({"added": added, "removed": removed, "changed": changed})),
        "tiles": {"made": r.tiles, "intermediate": r.intermediate, "without_data": r.empty, "bytes": r.bytes, "values_clamped": r.clamped,
            "pixels": r.pixels, "pixels_without_data": r.void},
        "units": {"made": summary.units_made, "found": summary.units_found, "retried": summary.retried, "split": summary.split,
            "ended_by_watchdog": summary.ended, "set_aside": aside.collect::<Vec<_>>(), "blocked": summary.blocked},
        "implausible": {"pixels": r.odd_pixels, "records": odd(job.store, r)?.into_iter().map(|(path, o)| json!({
            "path": path, "pixels": o.pixels, "lowest": o.lowest, "highest": o.highest, "cell": o.cell})).collect::<Vec<_>>()},
        "records": {"used": summary.records_used, "unused": u64::from(job.store.len()).saturating_sub(summary.records_used)},
        "sources": sources,
        "worker_seconds": {"read": r.reading, "warp_and_merge": r.warping, "encode_and_decode": r.coding, "write": r.writing},
        "rasters_opened": r.opened,
        "network": {"requests": r.network.requests, "bytes": r.network.bytes, "waiting_seconds": r.network.waiting},
        "memory": {"all_processes": summary.memory.total, "largest_process": summary.memory.process, "budget": job.budget.total,
            "every_seconds": summary.memory.over_time.every.as_secs_f64(), "over_time": summary.memory.over_time.values},
        "workers": job.budget.jobs,
        "seconds": {"all": summary.took.as_secs_f64(), "archives": summary.writing.as_secs_f64(), "paused": summary.paused.as_secs_f64()},
        "zooms": summary.zooms.iter().map(|(zoom, (tiles, bytes))| json!({"zoom": zoom, "tiles": tiles, "bytes": bytes})).collect::<Vec<_>>(),
        "heights": r.heights.map(|(low, high)| json!({"lowest": low, "highest": high})),
        "seams": seams(job, &r.seams)?,
        "quality": summary.quality,
        "alerts": summary.quality.iter().filter(|finding| finding.raised).collect::<Vec<_>>(),
    });
    let text = serde_json::to_string_pretty(&report).map_err(|e| Error::internal(format!("report: {e}")))?;
    let mut file = AtomicFile::create(&path)?;
    file.file().write_all(url::masked(&text).as_bytes()).map_err(Error::io("write", &path))?;
    file.commit()?;
    Ok(path)
}

/// The records that gave heights which the Earth does not have, by source and path, those with most of them first.
///
/// # Errors
/// Where the store is damaged.
pub fn odd(store: &Store, report: &UnitReport) -> Result<Vec<(String, Odd)>> {
    let mut out = Vec::new();
    for (&row, &odd) in &report.odd {
        let Some(record) = store.record(row) else { continue };
        let source = record.source().map_or(Ok("".into()), |s| s.name())?;
        out.push((format!("{source}/{}", record.path()?), odd));
    }
    out.sort_by(|a, b| b.1.pixels.cmp(&a.1.pixels).then_with(|| a.0.cmp(&b.0)));
    Ok(out)
}
