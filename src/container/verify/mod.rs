//! The check of a file of any schema: its checksums, what holds of columns in general, and what a schema adds.

mod file;
mod general;

pub use file::{Findings, SchemaChecks, verify_file};
pub(crate) use general::verify as verify_general;

use crate::error::Error;

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The section, or the part of the file: `header`, `section table`, `zeros`.
    pub section: String,
    /// What was expected and what was found.
    pub problem: String,
}

impl Problem {
    pub(crate) fn new(section: &str, problem: impl Into<String>) -> Self {
        Self { section: section.into(), problem: problem.into() }
    }

    /// An error that names its part as a problem of that part; of `section` where it names none.
    pub(crate) fn of(section: &str, error: &Error) -> Self {
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
