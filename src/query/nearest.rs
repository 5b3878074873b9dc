//! The records nearest to a point.

use crate::store::{RecordRef, Store};
use crate::tile::Bounds;

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
    ///
    /// Searches boxes that grow fourfold until enough records are certainly found.
    #[must_use]
    pub fn nearest(&self, x: f64, y: f64, count: usize) -> Vec<Neighbour<'_>> {
        let wanted = count.min(self.len() as usize);
        if wanted == 0 || !x.is_finite() || !y.is_finite() {
            return Vec::new();
        }
        let mut radius = 1000.0;
        loop {
            let mut found: Vec<Neighbour<'_>> = self
                .in_bounds(&Bounds::new(x - radius, y - radius, x + radius, y + radius))
                .map(|record| Neighbour { record, distance: distance(&record.bounds(), x, y) })
                .collect();
            // What lies outside the box is farther than its half side; nothing nearer can be missing.
            let certain = found.iter().filter(|n| n.distance <= radius).count();
            if certain >= wanted || radius > 1e9 {
                found.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.record.rank().cmp(&b.record.rank())));
                found.truncate(wanted);
                return found;
            }
            radius *= 4.0;
        }
    }
}

fn distance(b: &Bounds, x: f64, y: f64) -> f64 {
    let dx = (b.min_x - x).max(x - b.max_x).max(0.0);
    let dy = (b.min_y - y).max(y - b.max_y).max(0.0);
    dx.hypot(dy)
}
