//! What a run tells at its end: a JSON file beside the output, alerts, the records with heights that the Earth does not have.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::aggregate::{Job, Summary};
use crate::archive::ArchiveSummary;
use crate::atomic::AtomicFile;
use crate::error::{Error, Result};
use crate::render::{Odd, UnitReport};
use crate::store::Store;
use crate::terrain::ImageFormat;
use crate::url;

/// Shares that passed their threshold, in words.
pub(super) fn alerts(job: &Job<'_>, summary: &Summary) -> Vec<String> {
    let mut alerts = Vec::new();
    let mut check = |what: &str, part: u64, of: u64, limit: Option<f64>| {
        let percent = part as f64 / of.max(1) as f64 * 100.0;
        if let Some(limit) = limit.filter(|&limit| percent > limit) {
            alerts.push(format!("{percent:.2} % of the {what} ({part} of {of}), {limit} % are allowed"));
        }
    };
    let r = &summary.report;
    check("tiles have no data", r.empty, r.empty + r.tiles + r.intermediate, job.how.alert_empty);
    if summary.update.is_none() && !summary.complete_before {
        let records = u64::from(job.store.len());
        check("records gave no pixel", records.saturating_sub(summary.records_used), records, job.how.alert_unused);
    }
    alerts
}

/// The file for the report of a run: `<stem>.report.json` beside the output; `<output>.report.json` where that is the report of
/// another output, or something else.
///
/// # Errors
/// Where both are.
pub(super) fn place(job: &Job<'_>) -> Result<PathBuf> {
    let stem = job.output().file_stem().unwrap_or_default().to_string_lossy();
    let name = job.output().file_name().unwrap_or_default().to_string_lossy();
    let mut places =
        [&stem, &name].map(|start| job.output().with_file_name(format!("{start}.report.json"))).into_iter();
    let last = places.clone().next_back();
    places.find(|path| is_free(path, &name)).ok_or_else(|| {
        let problem =
            "is in the way of the run's report, and is none of this output; move it away, or choose another output";
        Error::argument(last.unwrap_or_default().display().to_string(), problem)
    })
}

/// A larger file is no report, bytes.
const LARGEST: u64 = 256 << 20;

/// True where nothing stands, or a report of the same output.
fn is_free(path: &Path, output: &str) -> bool {
    if path.symlink_metadata().is_err() {
        return true;
    }
    let found: Option<Value> =
        crate::local::read(path, LARGEST).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let Some(found) = found.filter(|f| f["format"].as_str().is_some_and(|f| f.starts_with("hypso report"))) else {
        return false;
    };
    // Before they said what they are of, they named the archive where there was one.
    let name =
        |path: &Value| path.as_str().and_then(|p| Some(Path::new(p).file_name()?.to_string_lossy().into_owned()));
    name(&found["archive"]).or_else(|| name(&found["output"]["path"])).is_none_or(|of| of == output)
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
        "memory": {"all_processes": summary.memory.total, "largest_process": summary.memory.process, "budget": job.budget.total},
        "workers": job.budget.jobs,
        "seconds": {"all": summary.took.as_secs_f64(), "archives": summary.writing.as_secs_f64(), "paused": summary.paused.as_secs_f64()},
        "alerts": summary.alerts,
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
