//! Which file a name leads to, found out without reading it.

use std::fs::Metadata;
use std::path::Path;
use std::time::SystemTime;

use crate::error::{Error, Result};

/// What tells one file from another: device and number of the file where the system has them, length and times.
///
/// While a file is mapped its number is not given to another one, so equal identities are the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    number: (u64, u64),
    length: u64,
    modified: Option<SystemTime>,
    created: Option<SystemTime>,
}

impl FileIdentity {
    /// The identity of an open file.
    pub(crate) fn of(facts: &Metadata) -> Self {
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
    pub(crate) fn at(path: &Path) -> Result<Self> {
        std::fs::metadata(path).map(|facts| Self::of(&facts)).map_err(Error::io("look at", path))
    }

    /// The identity of an object that is no file: a number for its version, and its length.
    #[cfg(feature = "serve")]
    pub(crate) fn of_object(version: u64, length: u64) -> Self {
        // No device has this number.
        Self { number: (u64::MAX, version), length, modified: None, created: None }
    }

    /// A number that differs where identities do, but for chance.
    #[cfg(feature = "serve")]
    pub(crate) fn number(&self) -> u64 {
        let since = |time: Option<SystemTime>| {
            let time = time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok()).unwrap_or_default();
            time.as_nanos() as u64
        };
        let (device, file) = self.number;
        let parts = [device, file, self.length, since(self.modified), since(self.created)];
        crate::format::checksum::checksum(&parts.map(u64::to_le_bytes).concat())
    }

    /// When the file was last written.
    #[cfg(feature = "serve")]
    pub(crate) fn modified(&self) -> Option<SystemTime> {
        self.modified
    }
}
