//! Any file of the store format, from its path.

use std::path::Path;

use super::{Problem, general};
use crate::container::{Advice, Container};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// How a schema is checked, beyond what holds of every file.
#[derive(Debug, Clone, Copy)]
pub struct SchemaChecks {
    /// Its name in the header.
    pub schema: &'static str,
    /// Opens a file whose checksums and general parts hold, and enters the number of its rows, where they can be found, and
    /// everything that is wrong. Fails only where the user interrupts.
    pub check: fn(Container, &dyn Progress, &mut Findings) -> Result<()>,
}

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
    /// How many rows (records of a store) it holds; `None` for schemas that are not known, and where they can't be found.
    pub rows: Option<u32>,
    /// True where the schema is known, so that every invariant was looked at and not the general ones alone.
    pub known_schema: bool,
    /// Everything that is wrong: the file must not be used.
    pub problems: Vec<Problem>,
    /// What is against a recommendation of the format and harms no reader.
    pub warnings: Vec<Problem>,
}

/// Verifies any file of the store format: its checksums, what holds of columns in general, and what its schema demands where
/// that is one of `schemas`. Reads the whole file.
///
/// # Errors
/// Where the file can't be opened or the user interrupts. Everything that is wrong with its content is a finding, a
/// damaged header and a newer version too.
pub fn verify_file(path: &Path, schemas: &[SchemaChecks], progress: &dyn Progress) -> Result<Findings> {
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
    let known = schemas.iter().find(|known| known.schema == schema);
    found.version = Some(container.sections().header().version());
    found.sections = container.sections().entries().len();
    found.warnings = general::zeros(&container);
    found.problems = container.checksums(progress)?;
    found.known_schema = known.is_some();
    found.schema = Some(schema);
    // Each step relies on what the steps before it have checked.
    if found.problems.is_empty() {
        found.problems = general::verify(&container);
    }
    if let Some(known) = known.filter(|_| found.problems.is_empty()) {
        (known.check)(container, progress, &mut found)?;
    }
    Ok(found)
}
