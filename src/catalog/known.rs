//! What an earlier build knew, so that unchanged files need not be opened again.

use super::{ADJUSTED, part_path};
use crate::error::Result;
use crate::raster::Adjustment;
use crate::store::{DataType, RecordInput, Store, record_id};

/// The records of an earlier store.
#[derive(Debug)]
pub struct Known {
    store: Store,
    /// Texts of coordinate systems by number.
    crs: Vec<String>,
    /// The CRS that each source's files without one were given.
    assumed: serde_json::Map<String, serde_json::Value>,
    /// What was done to the values of each source.
    adjusted: serde_json::Map<String, serde_json::Value>,
}

/// The records of one source of an earlier store.
#[derive(Debug, Clone, Copy)]
pub struct KnownSource<'a> {
    known: &'a Known,
    name: &'a str,
    by: &'a Adjustment,
}

/// The key in the store's metadata under which a build notes the coordinate systems that it assumed, by source.
pub const ASSUMED: &str = "assume_crs";

impl Known {
    /// Takes a store as what is known.
    ///
    /// # Errors
    /// Where the texts of its coordinate systems or its metadata are damaged.
    pub fn new(store: Store) -> Result<Self> {
        let crs = store.crs_names()?;
        let metadata = store.notes()?;
        let of = |key| metadata.get(key).and_then(serde_json::Value::as_object).cloned().unwrap_or_default();
        let (assumed, adjusted) = (of(ASSUMED), of(ADJUSTED));
        Ok(Self { store, crs, assumed, adjusted })
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What is known of a source; nothing where its files without a CRS were given another one than `assume_crs`, since
    /// their footprints then are others, or their values were read in another way: from another band, in another unit.
    #[must_use]
    pub fn source<'a>(
        &'a self,
        name: &'a str,
        assume_crs: Option<&str>,
        by: &'a Adjustment,
    ) -> Option<KnownSource<'a>> {
        let before = self.assumed.get(name).and_then(|v| v.as_str());
        let then: Adjustment = match self.adjusted.get(name) {
            Some(value) => serde_json::from_value(value.clone()).ok()?,
            None => Adjustment::default(),
        };
        let same = (then.band, then.unit, then.scale) == (by.band, by.unit, by.scale);
        (before == assume_crs && same).then_some(KnownSource { known: self, name, by })
    }
}

impl KnownSource<'_> {
    /// The records of a file that has not changed: same path, size, modification time and further files (`parts`). Records that came from a
    /// `bounds.csv` do not count, nor those without a block size: their files were not opened, or by an earlier version.
    #[must_use]
    pub fn records(&self, source: usize, path: &str, file: (u64, i64), parts: u64) -> Option<Vec<RecordInput>> {
        let mut records = vec![self.record(source, path, file, parts)?];
        records.extend(self.record(source, &part_path(path, 1), file, parts));
        Some(records)
    }

    fn record(
        &self,
        source: usize,
        path: &str,
        (file_size, modified_ns): (u64, i64),
        parts: u64,
    ) -> Option<RecordInput> {
        let record = self.known.store.by_id(record_id(self.name, path))?;
        // Stores of earlier versions do not say of which files a raster consists.
        let same = (record.file_size(), record.modified_ns()) == (file_size, modified_ns) && record.parts() == parts;
        if !same || record.data_type() == DataType::Unknown || record.block_width() == 0 {
            return None;
        }
        let crs = self.known.crs.get(record.crs_index() as usize)?.clone();
        let Adjustment { band, unit, scale, .. } = *self.by;
        Some(RecordInput { source, band, unit, scale, ..record.input(path.to_string(), crs) })
    }
}
