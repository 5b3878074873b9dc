//! What holds of the parts of a file whatever its schema: see *General parts* in `store-format.md`.

use super::Problem;
use crate::column::view;
use crate::container::Container;
use crate::error::Result;
use crate::format::{ElementType, Kind, SectionEntry, byte_range, layout};

/// Checks columns of texts and lists, dictionaries, documents, boxes and tables of ids.
pub(crate) fn verify(container: &Container) -> Vec<Problem> {
    let mut problems = Vec::new();
    for entry in container.sections().entries() {
        let name = entry.name();
        if let Err(error) = check(container, entry, &name) {
            problems.push(Problem::of(&name, &error));
        }
    }
    problems
}

fn check(container: &Container, entry: &SectionEntry, name: &str) -> Result<()> {
    let sections = container.sections();
    let has = |name: &str, kind| sections.find(name, kind).is_some();
    if entry.is(name, Kind::Json) {
        return json(container, name);
    }
    if entry.is(name, Kind::Tree) {
        let prefix = name.strip_suffix(".tree").unwrap_or(name);
        return container.boxes(prefix)?.verify();
    }
    if entry.is(name, Kind::Bytes) {
        let texts = container.ragged(name)?;
        texts.check_offsets()?;
        let dictionary = has(name, Kind::Column);
        let mut last: Option<Vec<u8>> = None;
        texts.for_each(|row, text| {
            if dictionary && last.as_deref().is_some_and(|last| last >= text) {
                return Err(damaged(name, format!("text {row} does not come after the one before it")));
            }
            if dictionary {
                last = Some(text.to_vec());
            }
            Ok(())
        })?;
        if dictionary {
            let codes = container.dictionary(name)?.codes();
            if let Some(row) = codes.iter().position(|&code| code as usize >= texts.len()) {
                return Err(damaged(name, format!("row {row} has text {}; there are {}", codes[row], texts.len())));
            }
        }
        return Ok(());
    }
    if entry.is(name, Kind::Offsets) && !has(name, Kind::Bytes) {
        return list(container, name);
    }
    match name.strip_suffix(".keys") {
        Some(prefix) if entry.is(name, Kind::Column) && has(&format!("{prefix}.directory"), Kind::Column) => {
            let (ids, keys) = (container.ids(prefix)?, container.column::<u64>(name)?);
            let rows = container.column::<u32>(&format!("{prefix}.rows"))?;
            match keys.iter().zip(rows).position(|(&key, &row)| ids.row(key) != Some(row)) {
                Some(at) => Err(damaged(name, format!("key {at} ({:016x}) does not lead to its row", keys[at]))),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// UTF-8 and JSON.
fn json(container: &Container, name: &str) -> Result<()> {
    crate::format::json::check(container.json(name)?).map_err(|e| damaged(name, format!("is no JSON: {e}")))
}

/// The offsets of a list, whatever its numbers are.
fn list(container: &Container, name: &str) -> Result<()> {
    let offsets = container.sections().raw(name, Kind::Offsets, ElementType::U64, None)?;
    let offsets = view::<u64>(container.bytes(), &offsets);
    let count = container.sections().find(name, Kind::Column).map_or(0, SectionEntry::count);
    if (offsets.first(), offsets.last()) == (Some(&0), Some(&count)) && offsets.is_sorted() {
        return Ok(());
    }
    Err(damaged(name, format!("its offsets do not rise from 0 to {count}")))
}

fn damaged(name: &str, problem: String) -> crate::error::Error {
    crate::error::Error::invalid(format!("section {name:?}"), problem, "build the file again from its sources")
}

/// The bytes between the parts, which no checksum covers and which should be zero.
pub(super) fn zeros(container: &Container) -> Vec<Problem> {
    let entries = container.sections().entries();
    let mut at = layout::TABLE_OFFSET + entries.len() * layout::ENTRY_LENGTH;
    let mut before = "the section table".to_owned();
    let ends = entries.iter().map(|e| (byte_range(e), format!("section {:?}", e.name())));
    let end = container.bytes().len();
    let mut problems = Vec::new();
    for (range, name) in ends.chain([(end..end, "the end of the file".to_owned())]) {
        let gap = container.bytes().get(at..range.start).unwrap_or(&[]);
        if let Some(odd) = gap.iter().position(|&byte| byte != 0) {
            let problem =
                format!("byte {} between {before} and {name} is {}, not zero: it was altered", at + odd, gap[odd]);
            problems.push(Problem::new("zeros", problem));
        }
        (at, before) = (range.end, name);
    }
    problems
}
