//! Which file a name leads to, found out without reading it.

use std::fs::Metadata;
use std::path::Path;
use std::time::SystemTime;

use crate::error::{Error, Result};

/// What tells one file from another: device and number of the file where the system has them, length and times.
///
/// While a file is mapped its number is not given to another one, so equal identities are the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileIdentity {
    number: (u64, u64),
    length: u64,
    modified: Option<SystemTime>,
    created: Option<SystemTime>,
}

impl FileIdentity {
    /// The identity of an open file.
    pub(super) fn of(facts: &Metadata) -> Self {
        #[cfg(unix)]
        let number = {
            use std::os::unix::fs::MetadataExt;
            (facts.dev(), facts.ino())
        };
        #[cfg(not(unix))]
        let number = (0, 0);
        // Where the file has a number, the time of its birth says nothing more, and costs another system call.
        let created = if cfg!(unix) { None } else { facts.created().ok() };
        Self { number, length: facts.len(), modified: facts.modified().ok(), created }
    }

    /// The identity of the file that has this name now; follows links.
    pub(super) fn at(path: &Path) -> Result<Self> {
        std::fs::metadata(path).map(|facts| Self::of(&facts)).map_err(Error::io("look at", path))
    }
}
