//! What a run made and took.

use std::path::PathBuf;
use std::time::Duration;

use super::assemble::ByZoom;
use super::crew::{SetAside, unless_said};
use super::memory::MemoryPeak;
use crate::archive::ArchiveSummary;
use crate::error::Error;
use crate::quality::Finding;
use crate::render::UnitReport;
use crate::text::one_line;

/// What a run made and took.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The output and what it holds; nothing where units are missing.
    pub output: Option<(PathBuf, ArchiveSummary)>,
    /// The lineage archive, where one was made.
    pub lineage: Option<(PathBuf, ArchiveSummary)>,
    /// The archives of groups that stay.
    pub groups: Vec<PathBuf>,
    /// True where an earlier run had made it all.
    pub complete_before: bool,
    /// What all units gave, those of an earlier start included.
    pub report: UnitReport,
    /// Units made now.
    pub units_made: u64,
    /// Units that were there from an earlier start.
    pub units_found: u64,
    /// Tries that failed and were repeated.
    pub retried: u64,
    /// Units that were made in parts.
    pub split: u64,
    /// Workers that the watchdog ended.
    pub ended: u64,
    /// How long nothing new was begun because a disk was nearly full.
    pub paused: Duration,
    /// Units that kept failing.
    pub set_aside: Vec<SetAside>,
    /// Units that wait for those.
    pub blocked: u64,
    /// So many units in a row failed that the others were not tried.
    pub hopeless: bool,
    /// What an update found: records added, removed, changed.
    pub update: Option<(u64, u64, u64)>,
    /// Records that gave at least one pixel, among units whose packs were looked at.
    pub records_used: u64,
    /// The largest memory seen.
    pub memory: MemoryPeak,
    /// Wall time of this start, and of it the writing of archives.
    pub took: Duration,
    /// Seconds that went into the archives.
    pub writing: Duration,
    /// The plan file with the units that were set aside.
    pub aside: Option<PathBuf>,
    /// What was measured, held against the rules of the options.
    pub quality: Vec<Finding>,
    /// By zoom, the tiles and bytes of the output that were written at this start.
    pub zooms: ByZoom,
    /// The file with all of this, JSON.
    pub report_path: PathBuf,
}

impl Summary {
    /// What is wrong, where units are missing.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        if self.set_aside.is_empty() {
            return None;
        }
        let units = |n: u64| format!("{n} unit{}", if n == 1 { "" } else { "s" });
        let mut text = format!("{} could not be made:", units(self.set_aside.len() as u64));
        let mut last = String::new();
        for aside in self.set_aside.iter().take(20) {
            let reason = one_line(unless_said(&aside.reason, &mut last), 300);
            text += &format!("\n  {} ({} tiles): {reason}", aside.unit.id(), aside.unit.tiles);
        }
        if self.set_aside.len() > 20 {
            text += &format!("\n  and {} more", self.set_aside.len() - 20);
        }
        if self.hopeless {
            text += "\nso many in a row failed that the others were not tried";
        }
        if self.blocked > 0 {
            let (s, wait) = if self.blocked == 1 { ("", "waits") } else { ("s", "wait") };
            text += &format!("\n{} coarser unit{s} {wait} for them", self.blocked);
        }
        text += &format!(
            "\n{} made and kept, and no archive is written; mend the cause and run the same command again",
            units(self.units_made + self.units_found)
        );
        Some(Error::Incomplete { problem: text })
    }
}
