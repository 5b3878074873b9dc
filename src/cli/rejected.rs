//! The files that a scan can't use, as `build` and `tiles` list them.

use std::collections::BTreeMap;

use super::output;
use crate::catalog::{Reason, Rejected};
use crate::store::SourceInput;
use crate::text::cut;

/// Files that are listed.
const MOST: usize = 20;

/// Characters of a file's path, and of what is said about it, that are shown.
const LONGEST: usize = 100;

/// Characters of a reason.
const REASON: usize = 200;

/// Lists the first files with the reason, counts the others by reason, and says what to do, once for each reason. The log tells all of
/// them at the level `info`.
pub fn say(files: &[Rejected], sources: &[SourceInput]) {
    super::say_table(&table(files, sources));
    let mut counts: BTreeMap<Reason, u64> = BTreeMap::new();
    for file in files {
        *counts.entry(file.reason).or_default() += 1;
    }
    if files.len() > MOST {
        let counts: Vec<String> =
            counts.iter().map(|(reason, n)| format!("{} {}", output::count(*n), reason.name())).collect();
        super::say(&format!(
            "and {} more; in all {}; --log-level info lists each of them",
            output::count((files.len() - MOST) as u64),
            counts.join(", ")
        ));
    }
    for reason in counts.keys() {
        super::say(&format!("{}: {}", reason.name(), reason.remedy()));
    }
    for file in files {
        tracing::info!("not used: {}", crate::text::message(&file.to_string()));
    }
}

fn table(files: &[Rejected], sources: &[SourceInput]) -> String {
    let mut rows = vec![["source", "file", "reason"].map(String::from).to_vec()];
    for file in files.iter().take(MOST) {
        let source = sources.get(file.source).map_or("", |source| &source.name);
        rows.push(vec![source.into(), cut(&file.path, LONGEST).into(), cut(&file.words(), REASON).into()]);
    }
    output::table(&rows, &[])
}
