//! Which records cover a point, a box or a tile.

use super::Answers;
use crate::index::rtree::BATCH;
use crate::store::{RecordRef, Records, RowId, Store};
use crate::tile::{Bounds, LonLatBox, TileCoord, web_mercator};

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

    /// The records whose footprint holds a longitude and latitude (degrees), in candidate order. Longitudes wrap: 190 is
    /// -170, and a point on the 180th meridian lies on both sides of the map. Latitudes beyond 85.0511 degrees are moved to
    /// the rim of the square world, so that a pole is held by what reaches this rim. Not a number is nowhere.
    #[must_use]
    pub fn at_lon_lat(&self, lon: f64, lat: f64) -> Overlapping<'_> {
        let (x, y) = web_mercator::from_lon_lat(web_mercator::wrapped(lon), lat);
        let mut rows = Vec::new();
        self.rows_at_point(x, y, Order::Candidate, &mut rows);
        if x <= -web_mercator::HALF_WORLD {
            let mut others = Vec::new();
            self.rows_at_point(web_mercator::HALF_WORLD, y, Order::Candidate, &mut others);
            self.unite(&mut rows, &others, Order::Candidate);
        }
        Overlapping { store: self, rows: rows.into_iter() }
    }

    /// The records that share area with a box in degrees, each once, in candidate order. A box whose west is above its east
    /// crosses the 180th meridian.
    #[must_use]
    pub fn in_lon_lat_box(&self, bbox: &LonLatBox) -> Overlapping<'_> {
        let mut rows = Vec::new();
        self.rows_in_lon_lat_box(bbox, Order::Candidate, &mut rows);
        Overlapping { store: self, rows: rows.into_iter() }
    }

    /// Puts the rows of [`in_lon_lat_box`](Self::in_lon_lat_box) into `rows`, which is emptied first.
    pub fn rows_in_lon_lat_box(&self, bbox: &LonLatBox, order: Order, rows: &mut Vec<RowId>) {
        rows.clear();
        let mut part = Vec::new();
        for bounds in bbox.parts() {
            self.rows_in_bounds(&bounds, order, &mut part);
            self.unite(rows, &part, order);
        }
    }

    /// Adds rows to others, each once, and puts all in order.
    fn unite(&self, rows: &mut Vec<RowId>, others: &[RowId], order: Order) {
        if rows.is_empty() || others.is_empty() {
            return rows.extend_from_slice(others);
        }
        rows.extend_from_slice(others);
        rows.sort_unstable();
        rows.dedup();
        if order == Order::Candidate {
            sort_by_rank(&self.records(), rows);
        }
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
    /// O(log n + answer); sorting into candidate order adds O(answer log answer) and a scratch buffer for answers of
    /// more than a few rows.
    pub fn rows_in_bounds(&self, bounds: &Bounds, order: Order, rows: &mut Vec<RowId>) {
        self.rows_where(bounds, order, rows, |b| b.overlaps(bounds));
    }

    /// Puts the rows whose footprint holds a point (EPSG:3857 metres) into `rows`, which is emptied first.
    pub fn rows_at_point(&self, x: f64, y: f64, order: Order, rows: &mut Vec<RowId>) {
        self.rows_where(&Bounds::new(x, y, x, y), order, rows, |b| b.contains_point(x, y));
    }

    fn rows_where(&self, bounds: &Bounds, order: Order, rows: &mut Vec<RowId>, exact: impl Fn(&Bounds) -> bool) {
        rows.clear();
        if is_nan(bounds) {
            return;
        }
        let records = self.records();
        self.tree().search(bounds, |found| found.add_to(rows, |row| exact(&records.bounds(row))));
        if order == Order::Candidate {
            sort_by_rank(&records, rows);
        }
    }

    /// The rows that share area with each of many boxes. The same answers as [`rows_in_bounds`](Self::rows_in_bounds)
    /// box by box, faster: the searches share their waiting for memory. Put boxes that lie near one another side by side.
    pub fn rows_in_bounds_batch(&self, boxes: &[Bounds], order: Order, answers: &mut Answers) {
        self.batch(boxes.len(), |i| boxes[i], order, answers, |i, b| b.overlaps(&boxes[i]));
    }

    /// The rows whose footprints hold each of many points `(x, y)`, EPSG:3857 metres.
    pub fn rows_at_points_batch(&self, points: &[(f64, f64)], order: Order, answers: &mut Answers) {
        let point = |i: usize| Bounds::new(points[i].0, points[i].1, points[i].0, points[i].1);
        self.batch(points.len(), point, order, answers, |i, b| b.contains_point(points[i].0, points[i].1));
    }

    /// The rows that share area with each of many tiles.
    pub fn rows_in_tiles_batch(&self, tiles: &[TileCoord], order: Order, answers: &mut Answers) {
        self.batch(tiles.len(), |i| tiles[i].bounds(), order, answers, |i, b| b.overlaps(&tiles[i].bounds()));
    }

    fn batch(
        &self,
        count: usize,
        query: impl Fn(usize) -> Bounds,
        order: Order,
        answers: &mut Answers,
        exact: impl Fn(usize, &Bounds) -> bool,
    ) {
        answers.clear();
        let (records, tree) = (self.records(), self.tree());
        let mut boxes = [Bounds::new(0.0, 0.0, 0.0, 0.0); BATCH];
        for first in (0..count).step_by(BATCH) {
            let length = BATCH.min(count - first);
            for (i, place) in boxes[..length].iter_mut().enumerate() {
                // What is no box takes part as one that nothing lies in.
                let no_box = Bounds::new(f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY);
                *place = Some(query(first + i)).filter(|b| !is_nan(b)).unwrap_or(no_box);
            }
            tree.search_batch(&boxes[..length], |i, found| {
                answers.close_until(first + i);
                found.add_to(&mut answers.rows, |row| exact(first + i, &records.bounds(row)));
            });
            answers.close_until(first + length);
        }
        if order == Order::Candidate {
            answers.each_mut(|rows| sort_by_rank(&records, rows));
        }
    }

    /// The row of each of many ids, `None` where an id is absent. Faster than one by one: the look-ups share their
    /// waiting for memory.
    pub fn rows_by_id_batch(&self, ids: &[u64], rows: &mut Vec<Option<RowId>>) {
        rows.clear();
        self.ids().rows(ids, |row| rows.push(row));
    }
}

fn is_nan(b: &Bounds) -> bool {
    b.min_x.is_nan() || b.min_y.is_nan() || b.max_x.is_nan() || b.max_y.is_nan()
}

/// Sorts rows into candidate order. Long answers read each rank once.
fn sort_by_rank(records: &Records<'_>, rows: &mut [RowId]) {
    let rank = |row: RowId| records.rank.get(row as usize).copied().unwrap_or(u32::MAX);
    if rows.len() <= 24 {
        return rows.sort_unstable_by_key(|&row| rank(row));
    }
    let mut keys: Vec<u64> = rows.iter().map(|&row| u64::from(rank(row)) << 32 | u64::from(row)).collect();
    keys.sort_unstable();
    rows.iter_mut().zip(keys).for_each(|(row, key)| *row = key as u32);
}
