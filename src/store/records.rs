//! Records: all of them as columns, one of them as a row.

use std::borrow::Cow;
use std::path::PathBuf;

use super::{DataType, RecordInput, SourceInput, SourceRef, Store};
use crate::error::{Error, Result};
use crate::index::RowId;
use crate::tile::Bounds;

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
        let l = &store.inner.layout;
        Self {
            store,
            min_x: store.slice(&l.bounds[0]),
            min_y: store.slice(&l.bounds[1]),
            max_x: store.slice(&l.bounds[2]),
            max_y: store.slice(&l.bounds[3]),
            rank: store.slice(&l.rank),
            native_zoom: store.slice(&l.native_zoom),
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
        (row < self.store.len()).then_some(RecordRef { store: self.store, row })
    }

    /// All records in row order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = RecordRef<'a>> + use<'a> {
        let store = self.store;
        (0..self.store.len()).map(move |row| RecordRef { store, row })
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
            each(RecordInput {
                source: usize::from(r.source_index()),
                path: String::from_utf8(path.to_vec()).map_err(|_| damaged(row))?,
                bounds: r.bounds(),
                pixel_size: r.pixel_size(),
                width: r.width(),
                height: r.height(),
                crs: crs.get(r.crs_index() as usize).cloned().ok_or_else(|| damaged(row))?,
                nodata: r.nodata(),
                data_type: r.data_type(),
                file_size: r.file_size(),
                modified_ns: r.modified_ns(),
                parts: r.parts().unwrap_or(0),
                band: r.band(),
                unit: r.unit(),
                scale: r.scale(),
                block_width: r.block_width(),
                block_height: r.block_height(),
                block_cell: r.block_cell(),
            })
        })
    }

    /// All sources as they were given to the writer.
    ///
    /// # Errors
    /// Where a section is damaged.
    pub fn source_inputs(&self) -> Result<Vec<SourceInput>> {
        let input = |s: SourceRef<'_>| {
            Ok(SourceInput {
                name: s.name()?.into_owned(),
                root: PathBuf::from(&*s.root()?),
                attribution: s.attribution()?.into_owned(),
                licence: s.licence()?.into_owned(),
                vertical_datum: s.vertical_datum()?.into_owned(),
            })
        };
        self.sources().iter().map(input).collect()
    }
}

/// One record. Reading an attribute reads one number of its column.
#[derive(Debug, Clone, Copy)]
pub struct RecordRef<'a> {
    store: &'a Store,
    row: RowId,
}

macro_rules! attribute {
    ($(#[$doc:meta])* $name:ident: $type:ty = $column:ident) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> $type {
            self.store.slice::<$type>(&self.store.inner.layout.$column).get(self.row as usize).copied().unwrap_or_default()
        }
    };
}

impl<'a> RecordRef<'a> {
    /// The record's row.
    #[must_use]
    pub fn row(&self) -> RowId {
        self.row
    }

    attribute!(
        /// The record's id: a hash of source name and path, the same in every build.
        id: u64 = id
    );
    attribute!(
        /// Pixel size in EPSG:3857 metres.
        pixel_size: f64 = pixel_size
    );
    attribute!(
        /// Columns of the raster.
        width: u32 = width
    );
    attribute!(
        /// Rows of the raster.
        height: u32 = height
    );
    attribute!(
        /// The smallest zoom whose pixels are no larger than the record's.
        native_zoom: u8 = native_zoom
    );
    attribute!(
        /// The number of the record's coordinate system in [`Store::crs_names`].
        crs_index: u32 = crs
    );
    attribute!(
        /// The position of the record's source.
        source_index: u16 = source
    );
    attribute!(
        /// The priority of the record's source; 0 wins.
        priority: u16 = priority
    );
    attribute!(
        /// Position in the candidate order of all records: (priority, pixel size, path).
        rank: u32 = rank
    );
    attribute!(
        /// The file's size when the store was built, bytes.
        file_size: u64 = file_size
    );
    attribute!(
        /// The file's modification time when the store was built, nanoseconds since 1970 (UTC).
        modified_ns: i64 = modified
    );
    attribute!(
        /// The band that holds the heights, from 1 on; 0 for the only one.
        band: u32 = band
    );
    attribute!(
        /// Metres of one unit of the heights; 0 where the file says.
        unit: f64 = unit
    );
    attribute!(
        /// What cells are multiplied by; 0 where the file says.
        scale: f64 = scale
    );
    attribute!(
        /// Columns of the blocks that the file is stored in; 0 where nobody has opened it, or in stores before version 1.3.
        block_width: u32 = block_width
    );
    attribute!(
        /// Rows of the blocks; 0 where [`block_width`](Self::block_width) is.
        block_height: u32 = block_height
    );
    attribute!(
        /// Bytes that one cell of a decoded block takes; 0 where these are the bytes of [`data_type`](Self::data_type).
        block_cell: u32 = block_cell
    );

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

    /// What told the raster's further files from others when the store was built: 0 where it had none; `None` in stores before
    /// version 1.3, which do not say.
    #[must_use]
    pub fn parts(&self) -> Option<u64> {
        let says = self.store.sections().header().version().1 >= 3;
        let value = self.store.slice::<u64>(&self.store.inner.layout.parts).get(self.row as usize).copied();
        value.or(says.then_some(0))
    }

    /// The footprint, EPSG:3857 metres.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.store.records().bounds(self.row)
    }

    /// The declared nodata value.
    #[must_use]
    pub fn nodata(&self) -> Option<f64> {
        let l = &self.store.inner.layout;
        let set = self.store.slice::<u8>(&l.nodata_set).get(self.row as usize).copied().unwrap_or(0);
        (set == 1).then(|| self.store.slice::<f64>(&l.nodata).get(self.row as usize).copied().unwrap_or(f64::NAN))
    }

    /// The type of the raster's cells.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        let number = self.store.slice::<u8>(&self.store.inner.layout.data_type).get(self.row as usize).copied();
        DataType::from_number(number.unwrap_or(0))
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

    /// The path with its source's root before it: what to open.
    ///
    /// # Errors
    /// Where a section is damaged.
    pub fn full_path(&self) -> Result<PathBuf> {
        let source = self.source().ok_or_else(|| {
            let problem = format!("belongs to source {}, of {}", self.source_index(), self.store.sources().len());
            let error = Error::invalid(format!("record {}", self.row), problem, "build the store again");
            self.store.container().named(error)
        })?;
        Ok(PathBuf::from(&*source.root()?).join(&*self.path()?))
    }

    /// The CRS as `EPSG:n` or WKT; empty where it was not known.
    ///
    /// # Errors
    /// Where the section is damaged.
    pub fn crs(&self) -> Result<Cow<'a, str>> {
        let l = &self.store.inner.layout;
        let index = self.store.slice::<u32>(&l.crs).get(self.row as usize).copied().unwrap_or(u32::MAX);
        l.crs_name.over(self.store.bytes()).text(index as usize)
    }
}
