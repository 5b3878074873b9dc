//! What stands between files and a version: whether they are whole, and what is measured of them.

use std::path::Path;

use super::version::File;
use crate::archive::{self, ArchiveKind, VerifyOptions};
use crate::container;
use crate::error::Result;
use crate::pixels::{self, Parents};
use crate::progress::Progress;
use crate::quality::{Figure, Rule, Rules};
use crate::report;
use crate::store;

/// How many tiles are compared with the means of their finer ones.
const PARENTS: Parents = Parents::About(200);

/// What was found out about a file.
#[derive(Default)]
pub(super) struct Checked {
    /// What `hypso verify` finds wrong with it; nothing for files that are neither archive nor of the store format.
    pub(super) problems: Vec<String>,
    pub(super) figures: Vec<Figure>,
}

/// Looks at a file.
pub(super) fn check(path: &Path, sample: Option<u64>, progress: &dyn Progress) -> Result<Checked> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let mut checked = Checked::default();
    match extension {
        "pmtiles" | "mbtiles" | "heights" => {
            let found = pixels::verify(path, VerifyOptions { sample }, None, PARENTS, progress)?;
            let errors = found.report.problems.iter().filter(|p| p.severity == archive::Severity::Error);
            let text = |p: &archive::Problem| match p.tile {
                Some(tile) => format!("tile {tile}: {}", p.message),
                None => p.message.clone(),
            };
            checked.problems = errors.map(text).collect();
            checked.figures = found.figures();
        }
        "hypso" | "inputs" => {
            let found = container::verify_file(path, &[store::CHECKS], progress)?;
            let text = |p: &container::Problem| format!("section {:?}: {}", p.section, p.problem);
            checked.problems = found.problems.iter().map(text).collect();
        }
        "json" => {
            let text = std::fs::read(path).map_err(crate::Error::io("read", path))?;
            let parsed = serde_json::from_slice::<serde::de::IgnoredAny>(&text);
            checked.problems = parsed.err().map(|e| format!("is no JSON: {e}")).into_iter().collect();
            // Other documents measure nothing.
            checked.figures = report::read(path).map(|(_, report)| report.figures()).unwrap_or_default();
        }
        _ => {}
    }
    Ok(checked)
}

/// True where a limit can't be held without a look at the version in use.
pub(super) fn asks_for_changes(rules: &Rules) -> bool {
    rules.has(Rule::ChangedPixels) || rules.has(Rule::GreatestChange)
}

/// Compares the heights of archives with those of the same name in the version in use.
pub(super) fn changes(old: (&[File], &Path), new: (&[File], &Path), progress: &dyn Progress) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for file in new.0.iter().filter(|file| ArchiveKind::of_name(Path::new(&file.name)).is_ok()) {
        let Some(before) = old.0.iter().find(|before| before.name == file.name) else { continue };
        if before.xxh3 == file.xxh3 {
            figures.extend([Rule::ChangedPixels, Rule::GreatestChange].map(|rule| Figure::new(rule, 0.0)));
            continue;
        }
        let [a, b] = [old.1, new.1].map(|folder| archive::open(&folder.join(&file.name)));
        if let Some(found) = pixels::changed(a?.as_ref(), b?.as_ref(), progress)? {
            figures.push(Figure::share(Rule::ChangedPixels, found.pixels, found.of));
            figures.push(Figure::new(Rule::GreatestChange, found.largest));
        }
    }
    Ok(figures)
}
