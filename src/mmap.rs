//! The one place that maps files.
#![allow(unsafe_code)]

use std::fs::{File, Metadata};
use std::ops::Range;
use std::path::Path;

use crate::error::{Error, Result};

mod ahead;
#[cfg(all(unix, feature = "cli"))]
pub(crate) mod bus_error;

pub(crate) use ahead::{PRELOAD, WINDOW, pieces};

/// A whole file, mapped for reading.
#[derive(Debug)]
pub(crate) struct Mapped {
    map: memmap2::Mmap,
    asked: ahead::Asked,
    #[cfg(all(unix, feature = "cli"))]
    _named: bus_error::Named,
}

/// What the system is told about how a map will be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "what is used depends on the features")]
pub(crate) enum Reading {
    /// The system's own read-ahead.
    Normal,
    /// No read-ahead.
    Random,
    /// Much read-ahead.
    Sequential,
    /// Read now.
    WillNeed,
}

impl Mapped {
    /// Maps a file after `check` has looked at it. The system reads nothing ahead until [`advise`](Self::advise) says otherwise.
    ///
    /// # Errors
    /// Where the file can't be opened or mapped, or `check` refuses it.
    pub(crate) fn open(path: &Path, check: impl FnOnce(&Metadata) -> Result<()>) -> Result<(Self, Metadata)> {
        // Before it is opened: opening a pipe without a writer would wait for ever.
        crate::local::input(path)?;
        let file = File::open(path).map_err(Error::io("open", path))?;
        let facts = file.metadata().map_err(Error::io("look at", path))?;
        check(&facts)?;
        // SAFETY: a map is only sound while nobody changes the file below it. hypso never does: stores and archives are
        // written under another name, synced and renamed over the old one, so that the mapped inode stays as it was for
        // as long as the map lives. What other programs do to the file can't be prevented; the public functions that map
        // (`Store::open`, `pmtiles::TileReader::open`) tell their callers not to write into it or cut it. All bytes are
        // read as plain integers and floats, for which every bit pattern is valid, and every offset is checked before it
        // is used.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(Error::io("map", path))?;
        let mapped = Self {
            #[cfg(all(unix, feature = "cli"))]
            _named: bus_error::Named::new(&map, path),
            map,
            asked: ahead::Asked::default(),
        };
        // Before the first touch: a page that is read with read-ahead brings its neighbours along.
        mapped.advise(Reading::Random, 0..mapped.map.len()).map_err(Error::io("advise about", path))?;
        Ok((mapped, facts))
    }

    /// Asks the system to read a range into large pages, where it has such pages for files (Linux); random reads then wait
    /// less for address translation. A system that has none takes no notice.
    fn ask_for_large_pages(&self, range: Range<usize>) {
        #[cfg(target_os = "linux")]
        if !range.is_empty() && range.end <= self.map.len() {
            let _ = self.map.advise_range(memmap2::Advice::HugePage, range.start, range.len());
        }
        #[cfg(not(target_os = "linux"))]
        let _ = range;
    }

    /// Passes advice about a range of bytes on to the system, in whole pages. Does nothing where the system takes no advice.
    pub(crate) fn advise(&self, reading: Reading, range: Range<usize>) -> std::io::Result<()> {
        if range.is_empty() || range.end > self.map.len() {
            return Ok(());
        }
        #[cfg(unix)]
        {
            let advice = match reading {
                Reading::Normal => memmap2::Advice::Normal,
                Reading::Random => memmap2::Advice::Random,
                Reading::Sequential => memmap2::Advice::Sequential,
                Reading::WillNeed => memmap2::Advice::WillNeed,
            };
            self.map.advise_range(advice, range.start, range.len())
        }
        #[cfg(not(unix))]
        {
            let _ = reading;
            Ok(())
        }
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}
