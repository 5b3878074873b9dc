//! The table of a finished run.

use super::output;
use crate::render::{ODD_ROWS, Odd, UnitReport};
use crate::store::Store;
use crate::worker::{Summary, odd};

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

/// What the units of a run did and took.
fn work(summary: &Summary, store: &Store, row: &mut dyn FnMut(&str, String)) {
    let r = &summary.report;
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
            format!("{} of {} gave pixels", output::count(summary.records_used), output::count(u64::from(store.len()))),
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
    if r.network.requests > 0 {
        let (requests, bytes) = (output::count(r.network.requests), output::bytes(r.network.bytes));
        row("network", format!("{requests} requests, {bytes}, {:.1} s waiting in all workers", r.network.waiting));
    }
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
}

/// Prints the table of a finished run.
pub fn print(summary: &Summary, store: &Store) {
    let Some((path, archive)) = &summary.output else { return };
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
        work(summary, store, &mut row);
        row("report", summary.report_path.display().to_string());
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
