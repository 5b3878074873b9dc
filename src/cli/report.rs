//! What a run tells at its end: a table, a JSON file beside the output, alerts.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::output;
use crate::error::{Error, Result};
use crate::render::{ODD_ROWS, Odd, UnitReport};
use crate::store::Store;
use crate::terrain::ImageFormat;
use crate::worker::{Job, Summary};

/// Shares that passed their threshold, in words. Thresholds are percentages.
pub fn alerts(summary: &Summary, store: &Store, empty: Option<f64>, unused: Option<f64>) -> Vec<String> {
    let mut alerts = Vec::new();
    let mut check = |what: &str, part: u64, of: u64, limit: Option<f64>| {
        let percent = part as f64 / of.max(1) as f64 * 100.0;
        if let Some(limit) = limit.filter(|&limit| percent > limit) {
            alerts.push(format!("{percent:.2} % of the {what} ({part} of {of}), {limit} % are allowed"));
        }
    };
    let r = &summary.report;
    check("tiles have no data", r.empty, r.empty + r.tiles + r.intermediate, empty);
    if summary.update.is_none() && !summary.complete_before {
        let records = u64::from(store.len());
        check("records gave no pixel", records.saturating_sub(summary.records_used), records, unused);
    }
    alerts
}

/// The file for the report of a run: `<stem>.report.json` beside the output; `<output>.report.json` where that is the report of
/// another output, or something else.
///
/// # Errors
/// Where both are.
pub fn place(job: &Job<'_>) -> Result<PathBuf> {
    let stem = job.output.file_stem().unwrap_or_default().to_string_lossy();
    let name = job.output.file_name().unwrap_or_default().to_string_lossy();
    let mut places = [&stem, &name].map(|start| job.output.with_file_name(format!("{start}.report.json"))).into_iter();
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
pub fn write(job: &Job<'_>, summary: &Summary, alerts: &[String], path: PathBuf) -> Result<PathBuf> {
    if summary.complete_before {
        return Ok(path);
    }
    let archive = |archive: &Option<(PathBuf, crate::archive::ArchiveSummary)>| match archive {
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
        "archive": job.output.file_name().map(|name| name.to_string_lossy()),
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
        "memory": {"all_processes": summary.memory.total, "largest_process": summary.memory.process, "budget": job.budget.total},
        "workers": job.budget.jobs,
        "seconds": {"all": summary.took.as_secs_f64(), "archives": summary.writing.as_secs_f64(), "paused": summary.paused.as_secs_f64()},
        "alerts": alerts,
    });
    let text = serde_json::to_string_pretty(&report).map_err(|e| Error::Other(format!("report: {e}")))?;
    let mut file = crate::atomic::AtomicFile::create(&path)?;
    file.file().write_all(text.as_bytes()).map_err(Error::io("write", &path))?;
    file.commit()?;
    Ok(path)
}

/// The records that gave heights which the Earth does not have, by source and path, those with most of them first.
fn odd(store: &Store, report: &UnitReport) -> Result<Vec<(String, Odd)>> {
    let mut out = Vec::new();
    for (&row, &odd) in &report.odd {
        let Some(record) = store.record(row) else { continue };
        let source = record.source().map_or(Ok("".into()), |s| s.name())?;
        out.push((format!("{source}/{}", record.path()?), odd));
    }
    out.sort_by(|a, b| b.1.pixels.cmp(&a.1.pixels).then_with(|| a.0.cmp(&b.0)));
    Ok(out)
}

/// A line about heights that the Earth does not have; `None` where there are none.
fn implausible(store: &Store, report: &UnitReport) -> Option<String> {
    let found = odd(store, report).ok()?;
    let (_, first) = found.first()?;
    let named: Vec<String> = found.iter().take(3).map(|(path, o)| format!("{path} ({})", range(o))).collect();
    let more = match found.len().saturating_sub(3) {
        0 => String::new(),
        n if found.len() >= ODD_ROWS => format!(" and at least {n} more files"),
        n => format!(" and {n} more files"),
    };
    Some(format!(
        "{} pixels are below -11,000 m, above 9,000 m or hold a usual mark of voids: {}{more}; where they mean no value, say \
         `nodata = [{}]` for the source in hypso.toml and build again",
        output::count(report.odd_pixels),
        named.join(", "),
        first.cell
    ))
}

fn range(odd: &Odd) -> String {
    if odd.lowest == odd.highest { format!("{} m", odd.lowest) } else { format!("{} to {} m", odd.lowest, odd.highest) }
}

/// Prints the table of a finished run.
pub fn print(summary: &Summary, store: &Store, report: &std::path::Path) {
    let Some((path, archive)) = &summary.output else { return };
    let r = &summary.report;
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.into(), value]);
    row("made", path.display().to_string());
    let distinct = if archive.contents < archive.tiles {
        format!(" ({} distinct)", output::count(archive.contents))
    } else {
        String::new()
    };
    row("tiles", format!("{}{distinct}, {}", output::count(archive.tiles), output::bytes(archive.file_size)));
    if let Some((path, archive)) = &summary.lineage {
        row("lineage", format!("{} ({})", path.display(), output::bytes(archive.file_size)));
    }
    for path in &summary.groups {
        row("group", path.display().to_string());
    }
    if summary.complete_before {
        row("units", "all of an earlier run of the same store and options; nothing to do".into());
    } else {
        if let Some((added, removed, changed)) = summary.update {
            row(
                "update",
                format!(
                    "{} added, {removed} removed, {changed} changed; {} made anew",
                    output::counted(added, "record"),
                    output::counted(r.tiles, "tile")
                ),
            );
        }
        let mut units = format!(
            "{} made, {} found from before, {} tries repeated",
            summary.units_made, summary.units_found, summary.retried
        );
        if summary.split + summary.ended > 0 {
            units += &format!(
                ", {} made in parts, {} ended by the watchdog",
                summary.split,
                output::counted(summary.ended, "worker")
            );
        }
        row("units", units);
        if r.intermediate + r.empty + r.clamped > 0 {
            row(
                "besides",
                format!(
                    "{}, {} without data skipped, {} clamped",
                    output::counted(r.intermediate, "intermediate tile"),
                    output::counted(r.empty, "tile"),
                    output::counted(r.clamped, "value")
                ),
            );
        }
        if let Some(line) = implausible(store, r) {
            row("heights", line);
        }
        if summary.update.is_none() {
            row(
                "records",
                format!(
                    "{} of {} gave pixels",
                    output::count(summary.records_used),
                    output::count(u64::from(store.len()))
                ),
            );
        }
        row(
            "workers",
            format!(
                "{:.1} s reading, {:.1} s warping, {:.1} s coding, {:.1} s writing, {} opened",
                r.reading,
                r.warping,
                r.coding,
                r.writing,
                output::counted(r.opened, "raster")
            ),
        );
        if summary.memory.total > 0 {
            row(
                "memory",
                format!(
                    "{} at most in all processes (proportional), {} in one",
                    output::bytes(summary.memory.total),
                    output::bytes(summary.memory.process)
                ),
            );
        }
        row("report", report.display().to_string());
    }
    let rate = archive.tiles as f64 / summary.took.as_secs_f64().max(1e-9);
    let rate = if summary.complete_before || summary.update.is_some() {
        String::new()
    } else {
        format!(", {rate:.1} tiles/s")
    };
    row("time", format!("{}{rate}", output::duration(summary.took)));
    super::say_table(&output::list(&rows));
    if archive.tiles == 0 {
        super::say(&format!(
            "warning: {} holds no tile: no record has a value in the wanted part; look at nodata with gdalinfo, and at the box with hypso info",
            path.display()
        ));
        return;
    }
    let relief = path.with_extension("png");
    super::say(&format!("next: hypso verify {0} && hypso preview {0} -o {1}", path.display(), relief.display()));
}
