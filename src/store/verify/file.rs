//! Any file of the store format, from its path.

use std::path::Path;

use super::super::{Advice, Container, names};
use super::{Problem, parts, verify_records};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// What [`verify_file`] found.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Findings {
    /// What the sections mean, from the header; `None` where the header can't be read.
    pub schema: Option<String>,
    /// Major and minor version of the format.
    pub version: Option<(u16, u16)>,
    /// The size of the file, bytes.
    pub bytes: u64,
    /// How many sections were checked.
    pub sections: usize,
    /// How many records it holds; `None` for other schemas, and where they can't be found.
    pub records: Option<u32>,
    /// True where the schema is known, so that every invariant was looked at and not the general ones alone.
    pub known_schema: bool,
    /// Everything that is wrong: the file must not be used.
    pub problems: Vec<Problem>,
    /// What is against a recommendation of the format and harms no reader.
    pub warnings: Vec<Problem>,
}

/// Verifies a store, or any other file of the store format. Reads the whole file; takes memory for the paths and the indices.
///
/// # Errors
/// Where the file can't be opened or the user interrupts. Everything that is wrong with its content is a finding, a
/// damaged header and a newer version too.
pub fn verify_file(path: &Path, progress: &dyn Progress) -> Result<Findings> {
    let bytes = std::fs::metadata(path).map_err(Error::io("open", path))?.len();
    let mut found = Findings { bytes, ..Findings::default() };
    let container = match Container::open(path) {
        Ok(container) => container,
        Err(error @ (Error::Invalid { .. } | Error::OtherKind { .. } | Error::UnsupportedVersion { .. })) => {
            if let Error::UnsupportedVersion { found: version, .. } = error {
                found.version = Some(version);
            }
            found.problems.push(Problem::of("header", &error));
            return Ok(found);
        }
        Err(error) => return Err(error),
    };
    container.advise(Advice::Normal)?;
    let schema = container.schema();
    found.version = Some(container.sections().header().version());
    found.sections = container.sections().entries().len();
    found.warnings = parts::zeros(&container);
    found.problems = container.checksums(progress)?;
    found.known_schema = schema == names::SCHEMA;
    found.schema = Some(schema);
    // Each step relies on what the steps before it have checked.
    if found.problems.is_empty() {
        found.problems = parts::verify(&container);
    }
    if found.problems.is_empty() && found.known_schema {
        (found.records, found.problems) = verify_records(container, progress)?;
    }
    Ok(found)
}
