//! A record as bytes, for sorting: its numbers, then its path.

use std::cmp::Ordering;

use bytemuck::{Pod, Zeroable};

use crate::store::RecordInput;
use crate::tile::Bounds;

/// The numbers of a record. `crs` is the position of its text in order of appearance.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Numbers {
    pub(super) bounds: [f64; 4],
    pub(super) pixel_size: f64,
    pub(super) nodata: f64,
    pub(super) modified_ns: i64,
    pub(super) file_size: u64,
    pub(super) parts: u64,
    pub(super) unit: f64,
    pub(super) scale: f64,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) crs: u32,
    /// How many records were added before.
    pub(super) arrival: u32,
    pub(super) source: u16,
    pub(super) nodata_set: u8,
    pub(super) data_type: u8,
    pub(super) band: u32,
    pub(super) block_width: u32,
    pub(super) block_height: u32,
    pub(super) block_cell: u32,
    pub(super) padding: u32,
}

const LENGTH: usize = size_of::<Numbers>();

impl Numbers {
    pub(super) fn new(record: &RecordInput, crs: u32, arrival: u32) -> Self {
        let b = &record.bounds;
        Self {
            bounds: [b.min_x, b.min_y, b.max_x, b.max_y],
            pixel_size: record.pixel_size,
            nodata: record.nodata.unwrap_or(0.0),
            modified_ns: record.modified_ns,
            file_size: record.file_size,
            width: record.width,
            height: record.height,
            crs,
            arrival,
            source: record.source as u16,
            nodata_set: u8::from(record.nodata.is_some()),
            data_type: record.data_type as u8,
            parts: record.parts,
            band: record.band,
            unit: record.unit,
            scale: record.scale,
            block_width: record.block_width,
            block_height: record.block_height,
            block_cell: record.block_cell,
            padding: 0,
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        let [min_x, min_y, max_x, max_y] = self.bounds;
        Bounds::new(min_x, min_y, max_x, max_y)
    }
}

/// The numbers and the path of an entry.
pub(super) fn parts(entry: &[u8]) -> (Numbers, &[u8]) {
    match entry.split_at_checked(LENGTH) {
        Some((numbers, path)) => (bytemuck::pod_read_unaligned(numbers), path),
        None => (Numbers::zeroed(), &[]),
    }
}

/// By source, then by path.
pub(super) fn by_source_and_path(a: &[u8], b: &[u8]) -> Ordering {
    let ((a, a_path), (b, b_path)) = (parts(a), parts(b));
    a.source.cmp(&b.source).then_with(|| a_path.cmp(b_path))
}
