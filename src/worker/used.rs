//! Which records were read, which gave a pixel, and whether they are still what they were then.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::raster;
use crate::render::{ReadRecord, Seen, UnitReport};
use crate::store::{RowId, Store};

/// A bit for each record that gave a pixel, and 8 bytes for each one that was read.
#[derive(Debug, Clone, Default)]
pub(super) struct UsedRecords {
    words: Vec<u64>,
    /// By row; 0 for those that were not read.
    stamps: Vec<u64>,
    /// Which stamps these are.
    seen: Seen,
    /// The further files of records that have some.
    further: HashMap<RowId, Vec<PathBuf>>,
    /// One that two units read in two states.
    torn: Option<RowId>,
}

impl UsedRecords {
    pub(super) fn new(records: u32, seen: Seen) -> Self {
        let count = records as usize;
        Self { words: vec![0; count.div_ceil(64)], stamps: vec![0; count], seen, ..Self::default() }
    }

    /// Adds what a unit read.
    pub(super) fn add(&mut self, unit: &UnitReport) {
        for &row in &unit.used {
            if let Some(word) = self.words.get_mut(row as usize / 64) {
                *word |= 1 << (row % 64);
            }
        }
        for read in &unit.read {
            let Some(stamp) = self.stamps.get_mut(read.row as usize) else { continue };
            let now = if self.seen == Seen::Here { read.stamp } else { read.plain };
            if *stamp != 0 && *stamp != now {
                self.torn = Some(read.row);
            }
            *stamp = now;
            if !read.further.is_empty() {
                self.further.insert(read.row, read.further.clone());
            }
        }
    }

    /// How many gave a pixel.
    pub(super) fn count(&self) -> u64 {
        self.words.iter().map(|w| u64::from(w.count_ones())).sum()
    }

    /// Looks whether all that was read is what it was then. A system call a file.
    ///
    /// # Errors
    /// Where a raster is not, which is named; where one is gone; where the user interrupts.
    pub(super) fn check(&self, store: &Store, progress: &dyn Progress) -> Result<()> {
        if let Some(record) = self.torn.and_then(|row| store.record(row)) {
            return Err(Error::Changed { path: record.full_path()?, in_use: true });
        }
        if let Ok(reader) = raster::reader() {
            reader.objects().forget();
        }
        look_ahead(store, (0..).zip(&self.stamps).filter(|(_, stamp)| **stamp != 0).map(|(row, _)| row))?;
        for (row, &stamp) in (0..).zip(&self.stamps).filter(|(_, stamp)| **stamp != 0) {
            if row % 1024 == 0 && progress.interrupted() {
                return Err(Error::Interrupted);
            }
            let further = self.further.get(&row).cloned().unwrap_or_default();
            ReadRecord { row, stamp, plain: stamp, further }.check(store, self.seen)?;
        }
        Ok(())
    }
}

/// Asks for the facts of those records that lie on a network, many at once.
///
/// # Errors
/// Where the store is damaged.
pub(super) fn look_ahead(store: &Store, rows: impl IntoIterator<Item = RowId>) -> Result<()> {
    if !raster::reader().is_ok_and(|reader| reader.remote_allowed()) {
        return Ok(());
    }
    let records = rows.into_iter().filter_map(|row| store.record(row));
    raster::look_ahead(&records.map(|record| record.full_path()).collect::<Result<Vec<_>>>()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_once() {
        let mut used = UsedRecords::new(130, Seen::Here);
        let unit = |used: &[u32]| UnitReport { used: used.to_vec(), ..UnitReport::default() };
        used.add(&unit(&[0, 5, 129]));
        used.add(&unit(&[5, 63, 64, 1000]));
        assert_eq!(used.count(), 5);
    }

    #[test]
    fn a_record_that_was_read_in_two_states_is_known() {
        let mut used = UsedRecords::new(10, Seen::Here);
        let unit = |stamp| {
            let read = vec![ReadRecord { row: 3, stamp, plain: 0, further: Vec::new() }];
            UnitReport { read, ..UnitReport::default() }
        };
        used.add(&unit(7));
        used.add(&unit(7));
        assert_eq!(used.torn, None);
        used.add(&unit(8));
        assert_eq!(used.torn, Some(3));
    }
}
