//! `hypso verify` of a store, or of any other file of the store format.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};

use super::inspect::Format;
use super::progress::Terminal;
use super::{Outcome, exit, output};
use crate::archive::ArchiveKind;
use crate::container::{self, Findings, Problem};
use crate::error::Error;
use crate::format::layout;
use crate::store;

/// What to do with a file that is damaged.
const REMEDY: &str = "copy it again from where it is whole, or build it again from its sources";

/// True for files of the store format but heights, which are archives, by their first bytes; where these are damaged, by the name.
pub fn is_one(path: &Path) -> bool {
    let mut head = Vec::new();
    if !path.is_file() || File::open(path).and_then(|file| file.take(8).read_to_end(&mut head)).is_err() {
        return false;
    }
    if matches!(ArchiveKind::detect(path), Ok(ArchiveKind::Heights)) {
        return false;
    }
    let same = head.iter().zip(layout::MAGIC).filter(|(a, b)| **a == *b).count();
    let named = path.extension().is_some_and(|e| e == "hypso" || e == "inputs");
    same == layout::MAGIC.len() || (same > 4 || named) && ArchiveKind::detect(path).is_err()
}

/// Verifies the file and prints what was found.
pub fn run(path: &Path, strict: bool, format: Format) -> Outcome {
    let progress = Terminal::default();
    let found = container::verify_file(path, &[store::CHECKS], &progress)?;
    let failed = !found.problems.is_empty() || (strict && !found.warnings.is_empty());
    match format {
        Format::Json => output::line(serde_json::to_string_pretty(&document(path, &found, failed))?)?,
        Format::Table => output::line(table(path, &found).trim_end())?,
    }
    Ok(if failed { exit::PROBLEMS } else { exit::OK })
}

/// All that was found, worst first, each with what to do.
fn all(found: &Findings) -> impl Iterator<Item = (&'static str, &Problem, &'static str)> {
    let newer = found.version.is_some_and(|(major, _)| major > layout::VERSION_MAJOR);
    let remedy = if newer { "verify it with a newer hypso" } else { REMEDY };
    let errors = found.problems.iter().map(move |p| ("error", p, remedy));
    errors.chain(
        found.warnings.iter().map(|p| ("warning", p, "harmless to readers; a copy or a disk may have altered it")),
    )
}

/// What kind of file it is, in words.
fn kind(found: &Findings) -> &'static str {
    match found.schema.as_deref() {
        _ if found.known_schema => "store",
        Some("hypso-inputs") => "inputs of an output",
        Some("hypso-changes") => "changes of an update",
        Some(_) => "container",
        None => "unknown",
    }
}

fn document(path: &Path, found: &Findings, failed: bool) -> Value {
    let problem = |(severity, p, remedy): (&str, &Problem, &str)| json!({"severity": severity, "section": p.section, "message": p.problem, "remedy": remedy});
    json!({
        "ok": !failed, "path": path, "kind": kind(found), "schema": found.schema,
        "version": found.version.map(|(major, minor)| format!("{major}.{minor}")), "bytes": found.bytes,
        "records": found.rows, "checked": found.sections, "errors": found.problems.len(), "warnings": found.warnings.len(),
        "every_invariant": found.known_schema, "problems": all(found).map(problem).collect::<Vec<_>>(),
    })
}

fn table(path: &Path, found: &Findings) -> String {
    let mut text = String::new();
    for (severity, p, remedy) in all(found) {
        let place = match p.section.as_str() {
            "header" | "section table" | "zeros" | "sections" | "store" => p.section.clone(),
            section => format!("section {section:?}"),
        };
        text += &format!("{severity:7}  {}: {place}: {}; {remedy}\n", output::path(path), p.problem);
    }
    let what = match (&found.schema, found.version) {
        (Some(schema), Some((major, minor))) => format!("{} (schema {schema}, version {major}.{minor})", kind(found)),
        _ => "of the store format, but its header can't be used".to_owned(),
    };
    let records = found.rows.map_or_else(String::new, |n| format!(", {}", output::counted(u64::from(n), "record")));
    let depth = match (found.sections, found.known_schema) {
        (0, _) => String::new(),
        (n, true) => format!(", {n} sections: checksums, values, order and indices"),
        (n, false) => format!(", {n} sections: checksums and general parts; what this schema means is not checked"),
    };
    text + &format!(
        "{}: {what}, {}{records}{depth}; errors: {}, warnings: {}\n",
        output::path(path),
        output::bytes(found.bytes),
        found.problems.len(),
        found.warnings.len()
    )
}

/// Options that only archives have.
pub fn refuse(options: &[(&str, bool)]) -> Result<(), Error> {
    match options.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Error::argument(*name, "is for archives of tiles; leave it out for a store")),
        None => Ok(()),
    }
}
