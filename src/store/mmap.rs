//! The one place that maps files, and the one place with `unsafe` code.
#![allow(unsafe_code)]

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use super::advice::Advice;
use super::identity::FileIdentity;
use crate::error::{Error, Result};

/// A whole file, mapped for reading.
pub(super) struct Map {
    map: memmap2::Mmap,
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
        let file = File::open(path).map_err(Error::io("open", path))?;
        let facts = file.metadata().map_err(Error::io("look at", path))?;
        if facts.is_dir() {
            return Err(Error::invalid(
                "store",
                "is a folder, a store file was expected",
                "give the file that `hypso build -o` wrote",
            )
            .with_path(path));
        }
        if facts.len() == 0 {
            return Err(Error::invalid("store", "is empty", "build it again with `hypso build`").with_path(path));
        }
        // SAFETY: a map is only sound while nobody changes the file below it. hypso never does: a store is written
        // under another name, synced and renamed over the old one, so that the mapped inode stays as it was for as
        // long as the map lives. What other programs do to the file can't be prevented; `Store::open` tells its
        // callers not to write into it or cut it. All bytes are read as plain integers and floats, for which every
        // bit pattern is valid, and every offset is checked before it is used.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(Error::io("map", path))?;
        let map = Self { map, identity: FileIdentity::of(&facts) };
        // Before the first touch: a page that is read with read-ahead brings its neighbours along.
        map.advise(Advice::Random, 0..facts.len() as usize).map_err(Error::io("advise about", path))?;
        Ok(map)
    }

    /// Asks the system to read a range into large pages, where it has such pages for files (Linux); random reads then wait
    /// less for address translation. A system that has none takes no notice.
    pub(super) fn ask_for_large_pages(&self, range: Range<usize>) {
        #[cfg(target_os = "linux")]
        if !range.is_empty() && range.end <= self.map.len() {
            let _ = self.map.advise_range(memmap2::Advice::HugePage, range.start, range.len());
        }
        #[cfg(not(target_os = "linux"))]
        let _ = range;
    }

    /// Which file this is; of the open file itself, whatever has its name by now.
    pub(super) fn identity(&self) -> FileIdentity {
        self.identity
    }

    /// Passes advice about a range of bytes on to the system, in whole pages. Does nothing where the system takes no
    /// advice. `Preload` is no advice; it is passed on as `WillNeed`.
    pub(super) fn advise(&self, advice: Advice, range: Range<usize>) -> std::io::Result<()> {
        if range.is_empty() || range.end > self.map.len() {
            return Ok(());
        }
        #[cfg(unix)]
        {
            let advice = match advice {
                Advice::Normal => memmap2::Advice::Normal,
                Advice::Random => memmap2::Advice::Random,
                Advice::Sequential => memmap2::Advice::Sequential,
                Advice::WillNeed | Advice::Preload => memmap2::Advice::WillNeed,
            };
            self.map.advise_range(advice, range.start, range.len())
        }
        #[cfg(not(unix))]
        {
            let _ = advice;
            Ok(())
        }
    }
}

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}
