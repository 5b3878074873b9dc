//! Advice to the system about how a mapped file will be read.

use super::Container;
use crate::error::{Error, Result};
use crate::format::{SectionEntry, byte_range};

/// How a mapped file, or a part of it, will be read from now on.
///
/// Advice changes no answer. It decides how much the system reads when a page is touched that is not in memory yet, so it
/// matters for files that are *cold*; where all pages are in memory, it costs and gains nothing. It holds for this
/// open file (and its clones), not for other processes.
///
/// Files are opened with [`Random`](Self::Random), which is best for queries. **Before a scan of a cold file, ask for
/// [`Normal`](Self::Normal) or [`Sequential`](Self::Sequential)**, or it takes many times as long. Measured on a virtual disk
/// that reads 8 MiB ahead, with a store of 4 million records (585 MiB):
///
/// | cold file | `Random` | `Normal` | `Sequential` | after `Preload` |
/// |---|---|---|---|---|
/// | first box query, 20 records with their paths | 1.3-2.0 ms, reads 68 kB | 84-129 ms, reads 74 MB | 86 ms, reads 74 MB | 0.01 ms |
/// | a scan of three columns (96 MB) | 2.1-2.3 s | 0.07-0.09 s | 0.15-0.18 s | 0.01 s |
/// | checksums of all sections | 10-14 s | 0.6-0.9 s | 0.5-1.3 s | 0.05 s |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Advice {
    /// The system's own read-ahead: some pages around each page that is touched. For a mixture of queries and scans.
    Normal,
    /// Reads the page that is touched and no other. A cold query reads little and is quick; a cold scan waits for every page
    /// on its own. What files are opened with. Batches (of boxes, rows, heights) ask for their pages themselves.
    Random,
    /// Reads far ahead, and lets pages go soon after they were used. For one scan over a file that does not fit
    /// into memory; say `Random` again afterwards.
    Sequential,
    /// Asks the system to start reading now, and returns when it has been asked (0.15-0.3 s for the store above). Pages
    /// that are touched before they arrive are waited for.
    WillNeed,
    /// Reads everything now and returns when it is in memory, as fast as the disk reads in order (0.7-1.4 s): for a service that
    /// starts, or that is about to switch to a new version. On Linux the pages are large ones (2 MiB) where the file system can
    /// do that, and queries take up to half the time. The system may drop pages again when memory is short. Works on
    /// every platform, since it touches every page.
    Preload,
}

impl Container {
    /// Tells the system how the whole file will be read. Takes microseconds, but for [`Advice::WillNeed`] and
    /// [`Advice::Preload`]. Does nothing for a file in memory, and nothing but preloading on systems that take no advice (all
    /// but Unix).
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn advise(&self, advice: Advice) -> Result<()> {
        self.advise_range(advice, 0..self.bytes().len())
    }

    /// As [`Advice::Preload`], beside others who read. False for a file in memory.
    #[cfg(feature = "serve")]
    pub(crate) fn preload_beside(&self) -> bool {
        let map = self.backing().mapped();
        map.inspect(|map| map.preload_beside(0..self.bytes().len())).is_some()
    }

    /// Tells the system how some sections will be read, in whole pages.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn advise_sections(&self, advice: Advice, which: impl Fn(&SectionEntry) -> bool) -> Result<()> {
        // Sections that follow one another go into one call.
        for run in self.sections().entries().chunk_by(|a, b| which(a) == which(b)) {
            if let [first, ..] = run
                && which(first)
            {
                let end = run.last().map_or(0, |last| byte_range(last).end);
                self.advise_range(advice, byte_range(first).start..end)?;
            }
        }
        Ok(())
    }

    /// Tells the system how some bytes of this file will be read, for instance to have the rows of a batch read from the
    /// disk at the same time instead of one after another: [`Ragged::stored`](crate::column::Ragged::stored) with
    /// [`Advice::WillNeed`]. Bytes that are not of this file are ignored.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn advise_bytes(&self, advice: Advice, bytes: &[u8]) -> Result<()> {
        let start = (bytes.as_ptr() as usize).checked_sub(self.bytes().as_ptr() as usize);
        match start.filter(|start| start.saturating_add(bytes.len()) <= self.bytes().len()) {
            Some(start) if !bytes.is_empty() => self.advise_range(advice, start..start + bytes.len()),
            _ => Ok(()),
        }
    }

    fn advise_range(&self, advice: Advice, range: std::ops::Range<usize>) -> Result<()> {
        let place = self.path().unwrap_or("bytes in memory".as_ref());
        self.backing().advise(advice, range).map_err(Error::io("take advice about", place))
    }
}
