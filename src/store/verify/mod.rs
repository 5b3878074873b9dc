//! The full check of a file of the store format: every checksum and every invariant.
//!
//! [`verify_file`] looks at any such file; what it knows of the file's schema decides how far it can look: all that
//! `store-format.md` says of `terrain-records`, and of every other schema the checksums and the general parts.

mod file;
mod parts;
mod records;

pub use file::{Findings, verify_file};

use super::{Container, Store};
use crate::error::{Error, Result};
use crate::progress::{Progress, Silent};

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The section, or the part of the file: `header`, `section table`, `zeros`.
    pub section: String,
    /// What was expected and what was found.
    pub problem: String,
}

impl Problem {
    fn new(section: &str, problem: impl Into<String>) -> Self {
        Self { section: section.into(), problem: problem.into() }
    }

    /// An error that names its part as a problem of that part; of `section` where it names none.
    fn of(section: &str, error: &Error) -> Self {
        match error {
            Error::Invalid { part, problem, .. } => {
                let bare = |part: &str| part.split('"').nth(1).map_or(part.to_owned(), str::to_owned);
                let row = part.split_once("\", ").map_or(String::new(), |(_, row)| format!("{row} "));
                Self { section: bare(part), problem: format!("{row}{problem}") }
            }
            Error::UnsupportedVersion { found, supported, .. } => {
                let problem =
                    format!("has format version {}.{}; versions up to {}.x can be read", found.0, found.1, supported.0);
                Self::new("header", problem)
            }
            Error::OtherKind { problem, .. } => Self::new("header", problem),
            other => Self::new(section, format!("{other:#}")),
        }
    }
}

/// Checks the checksum of every section; about 0.1 s a GiB.
#[must_use]
pub fn verify_checksums(store: &Store) -> Vec<Problem> {
    store.container().verify_checksums()
}

/// Checks every checksum, every value that `store-format.md` limits, and that every index is exactly the one that the
/// records give. Reads the whole file; takes memory for the paths and the indices.
#[must_use]
pub fn verify(store: &Store) -> Vec<Problem> {
    let Ok(problems) = store.container().checksums(&Silent) else { return Vec::new() };
    if !problems.is_empty() {
        return problems;
    }
    let problems = parts::verify(store.container());
    if problems.is_empty() { records::verify(store, &Silent).unwrap_or_default() } else { problems }
}

/// All checks of a file with the schema of records that can be opened, after those of [`verify`]'s first part.
fn verify_records(container: Container, progress: &dyn Progress) -> Result<(Option<u32>, Vec<Problem>)> {
    match Store::of(container) {
        Ok(store) => Ok((Some(store.len()), records::verify(&store, progress)?)),
        Err(error) => Ok((None, vec![Problem::of("sections", &error)])),
    }
}
