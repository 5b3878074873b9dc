//! The records nearest to a place.

use super::Place;
use crate::index::rtree::Target;
use crate::store::{RecordRef, Store};
use crate::tile::Bounds;

/// A record and how far its footprint is.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Neighbour<'a> {
    /// The record.
    pub record: RecordRef<'a>,
    /// From the place to the nearest point of the footprint, EPSG:3857 metres; 0 where they have a point in common.
    pub distance: f64,
}

impl Store {
    /// The `count` records nearest to a place, nearest first; ties in candidate order. What [`by_distance`](Self::by_distance) gives
    /// first, in a fraction of the time, because nothing is looked at that is farther than `count` records that were seen.
    #[must_use]
    pub fn nearest(&self, place: impl Into<Place>, count: usize) -> Vec<Neighbour<'_>> {
        let place = place.into();
        let (bounds, around) = place.unrolled();
        let Some(target) = Target::new(&bounds, around) else {
            return self.by_distance(place).take(count).collect();
        };
        let records = self.records();
        let exact = |row: u32| {
            let footprint = records.bounds(row);
            if around { bounds.distance_around(&footprint) } else { bounds.distance(&footprint) }
        };
        let rank = |row: u32| records.rank.get(row as usize).copied().unwrap_or(u32::MAX);
        let rows = self.tree().closest(&target, count, exact, rank).into_iter();
        rows.filter_map(|(row, distance)| Some(Neighbour { record: self.record(row)?, distance })).collect()
    }

    /// All records by their distance from a place, nearest first, ties in candidate order. From a point or box in degrees the
    /// shorter way around the world counts. Distances are EPSG:3857 metres, which are longer than metres on the ground by
    /// 1 / cos(latitude).
    ///
    /// Searches as the iterator is advanced: the first record costs O(log n), each further one little more.
    pub fn by_distance(&self, place: impl Into<Place>) -> impl Iterator<Item = Neighbour<'_>> {
        let (place, around) = place.into().unrolled();
        let distance = move |b: &Bounds| if around { place.distance_around(b) } else { place.distance(b) };
        let records = self.records();
        let rank = move |row: u32| records.rank.get(row as usize).copied().unwrap_or(u32::MAX);
        let rows = self.tree().nearest(distance, move |row| (distance(&records.bounds(row)), rank(row)));
        // Nothing has a distance from a place at infinity, or from none.
        let rows = rows.take_while(|(_, distance)| distance.is_finite());
        rows.filter_map(|(row, distance)| Some(Neighbour { record: self.record(row)?, distance }))
    }
}
