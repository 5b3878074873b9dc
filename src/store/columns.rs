//! The columns of records: one line of a table for each. The input and the methods of records, the layout of a file, its writer and
//! its checks follow from it. `store-format.md` lists the same columns, and a test compares the two.

use std::ops::Range;

use bytemuck::Zeroable;

use super::table::{columns, line};
use super::{DataType, RecordRef, RowId, Store};
use crate::column::Element;
use crate::error::{Error, Result};
use crate::format::{ElementType, Kind, Sections};
use crate::tile::{Bounds, MAX_ZOOM};

columns! {
    made {
        min_x: f64 = "record.min_x", "a finite number below record.max_x", |r| r.min_x.is_finite() && r.min_x < r.max_x;
        min_y: f64 = "record.min_y", "a finite number below record.max_y", |r| r.min_y.is_finite() && r.min_y < r.max_y;
        max_x: f64 = "record.max_x", "a finite number", |r| r.max_x.is_finite();
        max_y: f64 = "record.max_y", "a finite number", |r| r.max_y.is_finite();
        rank: u32 = "record.rank", "any", |_| true;
        native_zoom: u8 = "record.native_zoom", "0 to 22", |r| r.native_zoom <= MAX_ZOOM;
        id: u64 = "record.id", "any", |_| true;
        source: u16 = "record.source", "any", |_| true;
        // A source's priority is its position today; the column is its own so that this may change.
        priority: u16 = "record.priority", "the priority of its source", |r| r.priority == r.source;
        crs: u32 = "record.crs", "any", |_| true;
        nodata: f64 = "record.nodata", "any", |_| true;
        nodata_set: u8 = "record.nodata_set", "0 or 1", |r| r.nodata_set <= 1;
        data_type: u8 = "record.data_type", "any", |_| true;
    }
    always {
        /// The pixel size in EPSG:3857 metres: the side of a square with the area of the pixel at the footprint's centre.
        pixel_size: f64 = "record.pixel_size", "a positive number", |r| r.pixel_size.is_finite() && r.pixel_size > 0.0;
        /// Columns of the raster.
        width: u32 = "record.width", "at least 1", |r| r.width > 0;
        /// Rows of the raster.
        height: u32 = "record.height", "at least 1", |r| r.height > 0;
        /// The file's size when the record was made, bytes.
        file_size: u64 = "record.file_size", "any", |_| true;
        /// The file's modification time when the record was made, nanoseconds since 1970 (UTC).
        modified_ns: i64 = "record.modified", "any", |_| true;
    }
    optional {
        /// A digest of the raster's further files (sources of a VRT, masks, sidecars); 0 where it has none, and
        /// where the store does [not say](super::Store::knows_parts).
        parts: u64 = "record.parts", "any", |_| true;
        /// The band that holds the heights, from 1 on; 0 for the only one.
        band: u32 = "record.band", "any", |_| true;
        /// Metres of one unit of the heights; 0 where the file says.
        unit: f64 = "record.unit", "0 or a finite number above", |r| r.unit.is_finite() && r.unit >= 0.0;
        /// What cells are multiplied by; 0 where the file says.
        scale: f64 = "record.scale", "a finite number", |r| r.scale.is_finite();
        /// Columns of the blocks that the file is stored in; 0 where the file was not opened. Of a VRT, those of its source
        /// with the largest blocks.
        block_width: u32 = "record.block_width", "0 exactly where record.block_height is 0",
            |r| (r.block_width == 0) == (r.block_height == 0);
        /// Rows of the blocks; 0 exactly where `block_width` is.
        block_height: u32 = "record.block_height", "0 exactly where record.block_width is 0",
            |r| (r.block_width == 0) == (r.block_height == 0);
        /// Bytes that one cell of a decoded block takes, where these are not the bytes of one cell of the type of cells: bands
        /// that are stored together count together, and a mask counts. Else 0.
        block_cell: u32 = "record.block_cell", "any", |_| true;
    }
}

/// What the table says of a column.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) element: ElementType,
    pub(super) optional: bool,
    /// The legal values, as far as they depend on the same record alone; see `verify.rs` for the rest.
    pub(super) expected: &'static str,
    pub(super) legal: fn(&Row) -> bool,
    pub(super) show: fn(&Row) -> String,
}

/// A column of records, as `store-format.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordColumn {
    /// The name of its section.
    pub name: &'static str,
    /// The type of its numbers.
    pub element: ElementType,
    /// True where a file without it holds 0 in every row.
    pub optional: bool,
}

/// All columns of numbers that a store has for its records, in the order in which they are written.
pub fn record_columns() -> impl Iterator<Item = RecordColumn> {
    Column::ALL.iter().map(|column| {
        let &Line { name, element, optional, .. } = column.line();
        RecordColumn { name, element, optional }
    })
}

impl Column {
    /// What queries look at.
    pub(super) const FOOTPRINTS: [Self; 6] =
        [Self::min_x, Self::min_y, Self::max_x, Self::max_y, Self::rank, Self::native_zoom];

    pub(super) fn name(self) -> &'static str {
        self.line().name
    }
}

/// Finds all columns of a file with `rows` rows: where each lies, by its place in [`Column::ALL`].
pub(super) fn find(sections: &Sections, rows: u64) -> Result<Vec<Range<usize>>> {
    let find = |column: &Column| {
        let line = column.line();
        match sections.find(line.name, Kind::Column) {
            None if line.optional => Ok(0..0),
            _ => sections.raw(line.name, Kind::Column, line.element, Some(rows)),
        }
    };
    Column::ALL.iter().map(find).collect()
}

impl Row {
    /// What a record gives by itself. Its id, rank, zoom and the number of its CRS are 0 until they are known.
    pub(super) fn of(record: &RecordInput) -> Self {
        let mut row = Self::zeroed();
        row.enter(record);
        let b = &record.bounds;
        (row.min_x, row.min_y, row.max_x, row.max_y) = (b.min_x, b.min_y, b.max_x, b.max_y);
        (row.source, row.priority) = (record.source as u16, record.source as u16);
        (row.nodata, row.nodata_set) = (record.nodata.unwrap_or(0.0), u8::from(record.nodata.is_some()));
        row.data_type = record.data_type as u8;
        row
    }

    /// The numbers of a row of a store; 0 in columns that are left out.
    pub(super) fn read(store: &Store, row: RowId) -> Self {
        let mut read = Self::zeroed();
        let mut rest = bytemuck::bytes_of_mut(&mut read);
        for (column, range) in Column::ALL.iter().zip(&store.inner.layout.columns) {
            let size = column.line().element.size() as usize;
            let (value, after) = rest.split_at_mut(size);
            let at = range.start + row as usize * size;
            if let Some(bytes) = store.bytes().get(at..at + size).filter(|_| at < range.end) {
                value.copy_from_slice(bytes);
            }
            rest = after;
        }
        read
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds::new(self.min_x, self.min_y, self.max_x, self.max_y)
    }

    /// The bytes of each value, in the order of [`Column::ALL`].
    pub(super) fn values(&self) -> impl Iterator<Item = (Column, &[u8])> {
        let mut rest = bytemuck::bytes_of(self);
        Column::ALL.iter().map(move |&column| {
            let (value, after) = rest.split_at(column.line().element.size() as usize);
            rest = after;
            (column, value)
        })
    }

    /// The first column whose value is not legal, as far as that can be told from one row.
    pub(super) fn fault(&self) -> Option<&'static Line> {
        Column::ALL.iter().map(|column| column.line()).find(|line| !(line.legal)(self))
    }
}

impl RecordInput {
    /// Checks that the record can be stored.
    ///
    /// # Errors
    /// Where the path is empty, the footprint has no area, or `store-format.md` does not allow a value.
    pub fn check(&self) -> Result<()> {
        let problem = if self.path.is_empty() {
            "has no path".to_owned()
        } else if !self.bounds.has_area() {
            "has a footprint without area or with coordinates that are not finite".to_owned()
        } else {
            let row = Row::of(self);
            let Some(line) = row.fault() else { return Ok(()) };
            format!("has {} as its {}; {} expected", (line.show)(&row), line.name, line.expected)
        };
        Err(Error::raster(&self.path, problem))
    }
}

/// Which columns hold a value other than 0.
#[derive(Debug, Clone, Default)]
pub(super) struct Filled(u64);

const _: () = assert!(Column::ALL.len() <= 64, "a bit for each column");

impl Filled {
    pub(super) fn add(&mut self, row: &Row) {
        for (column, value) in row.values() {
            if column.line().optional && value.iter().any(|&byte| byte != 0) {
                self.0 |= 1 << column as u64;
            }
        }
    }

    /// True where the column has to be written.
    pub(super) fn needs(&self, column: Column) -> bool {
        !column.line().optional || self.0 >> column as u64 & 1 == 1
    }
}
