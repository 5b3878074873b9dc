//! Which records cover a point, a box or a tile.

use crate::index::rtree::Found;
use crate::store::{RecordRef, RowId, Store};
use crate::tile::{Bounds, TileCoord, web_mercator};

/// The order of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By row: along the Hilbert curve, and what the index gives at no cost.
    Row,
    /// In the order in which records win pixels: priority, pixel size, path.
    #[default]
    Candidate,
}

/// The records of an answer.
#[derive(Debug, Clone)]
pub struct Overlapping<'a> {
    store: &'a Store,
    rows: std::vec::IntoIter<RowId>,
}

impl<'a> Iterator for Overlapping<'a> {
    type Item = RecordRef<'a>;

    fn next(&mut self) -> Option<RecordRef<'a>> {
        self.rows.next().and_then(|row| self.store.record(row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for Overlapping<'_> {}

impl Store {
    /// The record with this id.
    #[must_use]
    pub fn by_id(&self, id: u64) -> Option<RecordRef<'_>> {
        self.record(self.ids().row(id)?).filter(|r| r.id() == id)
    }

    /// The records whose footprint holds a point (its edges included), in candidate order. EPSG:3857 metres.
    #[must_use]
    pub fn at_point(&self, x: f64, y: f64) -> Overlapping<'_> {
        let mut rows = Vec::new();
        self.rows_at_point(x, y, Order::Candidate, &mut rows);
        Overlapping { store: self, rows: rows.into_iter() }
    }

    /// The records whose footprint holds a longitude and latitude (degrees), in candidate order.
    #[must_use]
    pub fn at_lon_lat(&self, lon: f64, lat: f64) -> Overlapping<'_> {
        let (x, y) = web_mercator::from_lon_lat(lon, lat);
        self.at_point(x, y)
    }

    /// The records that share area with a box, in candidate order. EPSG:3857 metres.
    #[must_use]
    pub fn in_bounds(&self, bounds: &Bounds) -> Overlapping<'_> {
        let mut rows = Vec::new();
        self.rows_in_bounds(bounds, Order::Candidate, &mut rows);
        Overlapping { store: self, rows: rows.into_iter() }
    }

    /// The records that share area with a tile, in candidate order.
    #[must_use]
    pub fn in_tile(&self, tile: TileCoord) -> Overlapping<'_> {
        self.in_bounds(&tile.bounds())
    }

    /// Puts the rows that share area with a box into `rows`, which is emptied first.
    ///
    /// O(log n + answer); sorting into candidate order adds O(answer log answer).
    pub fn rows_in_bounds(&self, bounds: &Bounds, order: Order, rows: &mut Vec<RowId>) {
        self.rows_where(bounds, order, rows, |b| b.overlaps(bounds));
    }

    /// Puts the rows whose footprint holds a point (EPSG:3857 metres) into `rows`, which is emptied first.
    pub fn rows_at_point(&self, x: f64, y: f64, order: Order, rows: &mut Vec<RowId>) {
        self.rows_where(&Bounds::new(x, y, x, y), order, rows, |b| b.contains_point(x, y));
    }

    fn rows_where(&self, bounds: &Bounds, order: Order, rows: &mut Vec<RowId>, exact: impl Fn(&Bounds) -> bool) {
        rows.clear();
        if [bounds.min_x, bounds.min_y, bounds.max_x, bounds.max_y].iter().any(|v| v.is_nan()) {
            return;
        }
        let records = self.records();
        self.tree().search(bounds, |found| match found {
            Found::Inside(range) => rows.extend(range),
            Found::Maybe(row) => {
                if exact(&records.bounds(row)) {
                    rows.push(row);
                }
            }
        });
        if order == Order::Candidate {
            rows.sort_unstable_by_key(|&row| records.rank.get(row as usize).copied().unwrap_or(u32::MAX));
        }
    }
}
