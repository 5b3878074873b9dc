//! Records: all of them as columns, one of them as a row.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::columns::{Column, RecordInput};
use super::{DataType, SourceInput, SourceRef, Store};
use crate::column::Element;
use crate::error::{Error, Result};
use crate::index::RowId;
use crate::tile::Bounds;
use crate::url;

/// The columns of all records. Indexing with a [`RowId`] below the number of records never fails.
#[derive(Debug, Clone, Copy)]
pub struct Records<'a> {
    store: &'a Store,
    /// Western edges, EPSG:3857 metres.
    pub min_x: &'a [f64],
    /// Southern edges, EPSG:3857 metres.
    pub min_y: &'a [f64],
    /// Eastern edges, EPSG:3857 metres.
    pub max_x: &'a [f64],
    /// Northern edges, EPSG:3857 metres.
    pub max_y: &'a [f64],
    /// Position of each record in the candidate order: (priority, pixel size, path).
    pub rank: &'a [u32],
    /// Native zooms for the store's tile size.
    pub native_zoom: &'a [u8],
}

impl<'a> Records<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self {
            store,
            min_x: store.numbers(Column::min_x),
            min_y: store.numbers(Column::min_y),
            max_x: store.numbers(Column::max_x),
            max_y: store.numbers(Column::max_y),
            rank: store.numbers(Column::rank),
            native_zoom: store.numbers(Column::native_zoom),
        }
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.len() as usize
    }

    /// True without records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.store.is_empty()
    }

    /// The record in a row.
    #[must_use]
    pub fn get(&self, row: RowId) -> Option<RecordRef<'a>> {
        self.store.record(row)
    }

    /// All records in row order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = RecordRef<'a>> + use<'a> {
        let store = self.store;
        (0..self.store.len()).map(move |row| RecordRef::new(store, row))
    }

    /// The footprint of a row.
    #[must_use]
    pub fn bounds(&self, row: RowId) -> Bounds {
        let at = |column: &[f64]| column.get(row as usize).copied().unwrap_or(f64::NAN);
        Bounds::new(at(self.min_x), at(self.min_y), at(self.max_x), at(self.max_y))
    }
}

impl Store {
    /// The distinct coordinate systems of all records: `EPSG:n`, WKT, or empty where it was not known.
    ///
    /// # Errors
    /// Where the section is damaged.
    pub fn crs_names(&self) -> Result<Vec<String>> {
        let column = self.inner.layout.crs_name.over(self.bytes());
        (0..column.len()).map(|i| column.text(i).map(Cow::into_owned)).collect()
    }

    /// Calls `each` with every record as it was given to the writer, in row order. Decodes each block of paths once:
    /// this is the way to read many paths.
    ///
    /// # Errors
    /// Where a section is damaged, or `each` fails.
    pub fn each_input(&self, mut each: impl FnMut(RecordInput) -> Result<()>) -> Result<()> {
        let crs = self.crs_names()?;
        let damaged = |row| {
            let problem = "has a source, a path or a coordinate system that is damaged";
            self.container().named(Error::invalid(format!("record {row}"), problem, "build the store again"))
        };
        self.inner.layout.path.over(self.bytes()).for_each(|row, path| {
            let r = self.record(row as u32).filter(|r| r.source().is_some()).ok_or_else(|| damaged(row))?;
            let path = String::from_utf8(path.to_vec()).map_err(|_| damaged(row))?;
            let crs = crs.get(r.crs_index() as usize).cloned().ok_or_else(|| damaged(row))?;
            each(r.input(path, crs))
        })
    }

    /// All sources as they were given to the writer.
    ///
    /// # Errors
    /// Where a section is damaged.
    pub fn source_inputs(&self) -> Result<Vec<SourceInput>> {
        self.sources().iter().map(|source| source.input()).collect()
    }
}

/// One record. Reading an attribute reads one number of its column.
#[derive(Debug, Clone, Copy)]
pub struct RecordRef<'a> {
    store: &'a Store,
    row: RowId,
}

impl<'a> RecordRef<'a> {
    /// A row that exists.
    pub(super) fn new(store: &'a Store, row: RowId) -> Self {
        Self { store, row }
    }

    /// The store that it belongs to.
    #[must_use]
    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// The record's row.
    #[must_use]
    pub fn row(&self) -> RowId {
        self.row
    }

    pub(super) fn number<T: Element + Default>(&self, column: Column) -> T {
        self.store.numbers::<T>(column).get(self.row as usize).copied().unwrap_or_default()
    }

    /// The record's id: a hash of source name and path, the same in every build.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.number(Column::id)
    }

    /// The smallest zoom whose pixels are no larger than the record's.
    #[must_use]
    pub fn native_zoom(&self) -> u8 {
        self.number(Column::native_zoom)
    }

    /// The number of the record's coordinate system in [`Store::crs_names`].
    #[must_use]
    pub fn crs_index(&self) -> u32 {
        self.number(Column::crs)
    }

    /// The position of the record's source.
    #[must_use]
    pub fn source_index(&self) -> u16 {
        self.number(Column::source)
    }

    /// The priority of the record's source; 0 wins.
    #[must_use]
    pub fn priority(&self) -> u16 {
        self.number(Column::priority)
    }

    /// Position in the candidate order of all records: (priority, pixel size, path).
    #[must_use]
    pub fn rank(&self) -> u32 {
        self.number(Column::rank)
    }

    /// Bytes that one decoded block of the file takes in memory: what must be decoded to read a single cell. 0 where it is
    /// not known.
    #[must_use]
    pub fn block_bytes(&self) -> u64 {
        let cell = match self.block_cell() {
            0 => self.data_type().bytes(),
            cell => u64::from(cell),
        };
        (u64::from(self.block_width()) * u64::from(self.block_height())).saturating_mul(cell)
    }

    /// The footprint, EPSG:3857 metres.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.store.records().bounds(self.row)
    }

    /// The declared nodata value.
    #[must_use]
    pub fn nodata(&self) -> Option<f64> {
        (self.number::<u8>(Column::nodata_set) == 1).then(|| self.number(Column::nodata))
    }

    /// The type of the raster's cells.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        DataType::from_number(self.number(Column::data_type))
    }

    /// The record's source.
    #[must_use]
    pub fn source(&self) -> Option<SourceRef<'a>> {
        self.store.source(self.source_index())
    }

    /// The path below the source's root. Decodes a block of 64 KiB where paths are compressed.
    ///
    /// # Errors
    /// Where the section is damaged.
    pub fn path(&self) -> Result<Cow<'a, str>> {
        self.store.inner.layout.path.over(self.store.bytes()).text(self.row as usize)
    }

    /// The path with its source's root before it, or with the one of this machine ([`Store::with_roots`](super::Store::with_roots)): what
    /// to open.
    ///
    /// # Errors
    /// Where a section is damaged.
    pub fn full_path(&self) -> Result<PathBuf> {
        let source = self.source().ok_or_else(|| {
            let problem = format!("belongs to source {}, of {}", self.source_index(), self.store.sources().len());
            let error = Error::invalid(format!("record {}", self.row), problem, "build the store again");
            self.store.container().named(error)
        })?;
        let path = self.path()?;
        match self.store.moved_root(self.source_index()) {
            Some(root) => Ok(url::join(root, &path)),
            None => Ok(url::join(Path::new(&*source.root()?), &path)),
        }
    }

    /// The CRS as `EPSG:n` or WKT; empty where it was not known.
    ///
    /// # Errors
    /// Where the section is damaged.
    pub fn crs(&self) -> Result<Cow<'a, str>> {
        let names = self.store.inner.layout.crs_name.over(self.store.bytes());
        names.text(self.crs_index() as usize)
    }
}
