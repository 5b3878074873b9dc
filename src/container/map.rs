//! A file, mapped, with what tells it from another file of its name.

use std::ops::Range;
use std::path::Path;

use super::advice::Advice;
use super::identity::FileIdentity;
use crate::error::{Error, Result};
use crate::mmap::{Mapped, Reading};

/// A whole file, mapped for reading.
pub(super) struct Map {
    map: Mapped,
    identity: FileIdentity,
}

impl Map {
    /// Maps a file. The system reads nothing ahead until [`advise`](Self::advise) says otherwise.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if cfg!(target_family = "wasm") {
            let problem = "can't be mapped on this platform";
            let remedy = "read the file yourself and give its bytes to `from_bytes`";
            return Err(Error::invalid("store", problem, remedy).with_path(path));
        }
        let (map, facts) = Mapped::open(path, |facts| {
            if facts.is_dir() {
                let problem = "is a folder, a store file was expected";
                return Err(Error::other_kind(problem, "give the file that `store::Builder` wrote").with_path(path));
            }
            if facts.len() == 0 {
                return Err(Error::invalid("store", "is empty", "build it again (`store::Builder`)").with_path(path));
            }
            Ok(())
        })?;
        Ok(Self { map, identity: FileIdentity::of(&facts) })
    }

    pub(super) fn mapped(&self) -> &Mapped {
        &self.map
    }

    /// Which file this is; of the open file itself, whatever has its name by now.
    pub(super) fn identity(&self) -> FileIdentity {
        self.identity
    }

    /// Passes advice about a range of bytes on to the system. `Preload` is no advice; it is passed on as `WillNeed`.
    pub(super) fn advise(&self, advice: Advice, range: Range<usize>) -> std::io::Result<()> {
        let reading = match advice {
            Advice::Normal => Reading::Normal,
            Advice::Random => Reading::Random,
            Advice::Sequential => Reading::Sequential,
            Advice::WillNeed | Advice::Preload => Reading::WillNeed,
        };
        self.map.advise(reading, range)
    }
}

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        self.map.as_ref()
    }
}
