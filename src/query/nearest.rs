//! The records nearest to a point.

use crate::store::{RecordRef, Store};
use crate::tile::{Bounds, web_mercator};

/// A record and how far its footprint is.
#[derive(Debug, Clone, Copy)]
pub struct Neighbour<'a> {
    /// The record.
    pub record: RecordRef<'a>,
    /// From the point to the nearest point of the footprint, EPSG:3857 metres; 0 inside.
    pub distance: f64,
}

impl Store {
    /// The `count` records nearest to a point (EPSG:3857 metres), nearest first; ties in candidate order.
    #[must_use]
    pub fn nearest(&self, x: f64, y: f64, count: usize) -> Vec<Neighbour<'_>> {
        self.by_distance(x, y).take(count).collect()
    }

    /// The `count` records nearest to a longitude and latitude (degrees), nearest first, also across the 180th meridian;
    /// ties in candidate order. Distances are those of [`nearest`](Self::nearest), in Web Mercator metres. Three searches.
    #[must_use]
    pub fn nearest_lon_lat(&self, lon: f64, lat: f64, count: usize) -> Vec<Neighbour<'_>> {
        let (x, y) = web_mercator::from_lon_lat(web_mercator::wrapped(lon), lat);
        let turns = [0.0, -web_mercator::WORLD, web_mercator::WORLD];
        let mut all: Vec<_> = turns.iter().flat_map(|turn| self.nearest(x + turn, y, count)).collect();
        let by_distance = |a: &Neighbour<'_>, b: &Neighbour<'_>| {
            a.distance.total_cmp(&b.distance).then(a.record.rank().cmp(&b.record.rank()))
        };
        // Of a record that is seen on several turns of the world, the nearest.
        all.sort_by(|a, b| a.record.row().cmp(&b.record.row()).then_with(|| by_distance(a, b)));
        all.dedup_by_key(|n| n.record.row());
        all.sort_by(by_distance);
        all.truncate(count);
        all
    }

    /// All records by their distance from a point (EPSG:3857 metres), nearest first, ties in candidate order. Goes as
    /// far as it is asked to: the first record costs O(log n), each further one little more.
    pub fn by_distance(&self, x: f64, y: f64) -> impl Iterator<Item = Neighbour<'_>> {
        let records = self.records();
        let exact = move |row: u32| {
            let rank = records.rank.get(row as usize).copied().unwrap_or(u32::MAX);
            (distance(&records.bounds(row), x, y), rank)
        };
        let rows = self.tree().nearest(x, y, exact);
        rows.filter_map(|(row, distance)| Some(Neighbour { record: self.record(row)?, distance }))
    }
}

fn distance(b: &Bounds, x: f64, y: f64) -> f64 {
    let dx = (b.min_x - x).max(x - b.max_x).max(0.0);
    let dy = (b.min_y - y).max(y - b.max_y).max(0.0);
    dx.hypot(dy)
}
