//! A record as bytes, for sorting: its numbers, then its path.

use std::cmp::Ordering;

use bytemuck::Zeroable;

use crate::store::columns::Row;

/// The numbers and the path of an entry. Until the order of records is known, `rank` holds how many were added before, and `crs` the
/// position of its text in order of appearance.
pub(super) fn parts(entry: &[u8]) -> (Row, &[u8]) {
    match entry.split_at_checked(size_of::<Row>()) {
        Some((numbers, path)) => (bytemuck::pod_read_unaligned(numbers), path),
        None => (Row::zeroed(), &[]),
    }
}

/// By source, then by path.
pub(super) fn by_source_and_path(a: &[u8], b: &[u8]) -> Ordering {
    let ((a, a_path), (b, b_path)) = (parts(a), parts(b));
    let (a, b) = (a.source, b.source);
    a.cmp(&b).then_with(|| a_path.cmp(b_path))
}
