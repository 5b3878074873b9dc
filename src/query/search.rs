//! Which records overlap a place.

use std::ops::ControlFlow;

use super::place::{Part, Parts};
use super::{Answers, Place};
use crate::index::ranks::{self, Least};
use crate::index::rtree::BATCH;
use crate::store::{RecordRef, RowId, Store};
use crate::tile::Bounds;

/// The order of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Order {
    /// By row, which is along the Hilbert curve. The index gives rows in this order, so it costs nothing.
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

    /// The row of each of many ids, `None` where an id is absent. Faster than one by one, because the
    /// look-ups wait for memory together.
    pub fn rows_by_id_batch(&self, ids: &[u64], rows: &mut Vec<Option<RowId>>) {
        rows.clear();
        self.ids().rows(ids, |row| rows.push(row));
    }

    /// The records whose footprint overlaps a place, each once, in candidate order.
    ///
    /// These are all records there, of any pixel size. The records that a run samples a tile from are given by
    /// [`Tiles::sampled_for`](crate::index::tiles::Tiles::sampled_for).
    #[must_use]
    pub fn overlapping(&self, place: impl Into<Place>) -> Overlapping<'_> {
        let mut rows = Vec::new();
        self.rows_overlapping(place, Order::Candidate, &mut rows);
        Overlapping { store: self, rows: rows.into_iter() }
    }

    /// Puts the rows that overlap a place into `rows`, which is emptied first.
    ///
    /// O(log n + answer). Candidate order adds a buffer, for answers of more than a few rows, and as a rule O(answer): O(answer log answer)
    /// only where the ranks of an answer are scattered over those of all records.
    pub fn rows_overlapping(&self, place: impl Into<Place>, order: Order, rows: &mut Vec<RowId>) {
        rows.clear();
        self.add_rows(&place.into().parts(), rows);
        if order == Order::Candidate {
            ranks::sort(self.records().rank, rows);
        }
    }

    /// The first record in candidate order that overlaps a place: the one that wins pixels. As
    /// [`best_overlapping`](Self::best_overlapping).
    #[must_use]
    pub fn first_overlapping(&self, place: impl Into<Place>) -> Option<RecordRef<'_>> {
        self.best_overlapping(place, 1).next()
    }

    /// The first `count` records in candidate order that overlap a place, or all where there are fewer. O(log n + answer); sorts
    /// nothing but these and needs memory for no others. For a few of many records this is several times faster than
    /// [`overlapping`](Self::overlapping).
    #[must_use]
    pub fn best_overlapping(&self, place: impl Into<Place>, count: usize) -> Overlapping<'_> {
        let (records, parts) = (self.records(), place.into().parts());
        let mut least = Least::new(records.rank, count);
        for (i, part) in parts.iter().enumerate() {
            let bounds = |row| records.bounds(row);
            // What lies on both sides of the 180th meridian was found on the first.
            let fresh = |row| i == 0 || !parts.iter().take(i).any(|before| before.is_overlapped(&bounds(row)));
            self.tree().search(
                &part.bounds,
                #[inline(always)]
                |found| least.add(found, |row| part.is_overlapped(&bounds(row)), fresh),
            );
        }
        Overlapping { store: self, rows: least.into_rows().into_iter() }
    }

    /// How many records overlap a place. O(log n + answer / 16); nothing is collected.
    #[must_use]
    pub fn count_overlapping(&self, place: impl Into<Place>) -> usize {
        let parts = place.into().parts();
        let mut count = 0;
        let Some(part) = parts.single() else {
            let _ = self.visit(&parts, |_| {
                count += 1;
                ControlFlow::<()>::Continue(())
            });
            return count;
        };
        let records = self.records();
        self.tree().search(&part.bounds, |found| {
            count += found.count(|row| part.is_overlapped(&records.bounds(row)));
        });
        count
    }

    /// Calls `each` once with every row that overlaps a place, until it breaks, and returns what it broke with. Rows come in row
    /// order. Of a place across the 180th meridian, those at the eastern end of the map come first. Nothing is collected.
    ///
    /// ```
    /// # fn sources(store: &hypso::Store, tile: hypso::tile::TileCoord) -> bool {
    /// use std::ops::ControlFlow;
    /// // Is there anything finer than this tile?
    /// let fine = |row: u32| store.records().native_zoom[row as usize] > tile.z();
    /// let found = store.visit_overlapping(tile, |row| if fine(row) { ControlFlow::Break(row) } else { ControlFlow::Continue(()) });
    /// found.is_break()
    /// # }
    /// ```
    pub fn visit_overlapping<B>(
        &self,
        place: impl Into<Place>,
        each: impl FnMut(RowId) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.visit(&place.into().parts(), each)
    }

    /// True where a record overlaps a place. O(log n).
    #[must_use]
    pub fn any_overlapping(&self, place: impl Into<Place>) -> bool {
        self.visit_overlapping(place, |_| ControlFlow::Break(())).is_break()
    }

    /// The rows that overlap each of many places: what [`rows_overlapping`](Self::rows_overlapping) answers for each. It is faster,
    /// because the searches wait for memory together. Put places that lie near one another side by side.
    pub fn rows_overlapping_batch<P: Into<Place> + Copy>(&self, places: &[P], order: Order, answers: &mut Answers) {
        answers.clear();
        self.ask_ahead(places.len(), order);
        let mut group: [Part; BATCH] = [Part::NOWHERE; BATCH];
        let mut length = 0;
        for (i, &place) in places.iter().enumerate() {
            let parts = place.into().parts();
            match parts.single() {
                Some(part) => {
                    group[length] = part;
                    length += 1;
                }
                // A place on both sides of the 180th meridian, or nowhere, is searched alone.
                None => {
                    self.search_group(&group[..length], i - length, answers);
                    length = 0;
                    self.add_rows(&parts, &mut answers.rows);
                    answers.close_until(i + 1);
                }
            }
            if length == BATCH {
                self.search_group(&group, i + 1 - length, answers);
                length = 0;
            }
        }
        self.search_group(&group[..length], places.len() - length, answers);
        if order == Order::Candidate {
            let rank = self.records().rank;
            answers.each_mut(|rows| ranks::sort(rank, rows));
        }
    }

    /// Asks the system for the tree, where a batch will touch a good part of its pages: some thirty for each place.
    fn ask_ahead(&self, places: usize, order: Order) {
        const READ_FOR_A_PLACE: usize = 1 << 20;
        let tree = self.tree().bytes();
        if tree.len() <= places.saturating_mul(READ_FOR_A_PLACE) {
            let ranks = if order == Order::Candidate { self.records().rank } else { &[] };
            self.container().ahead([tree, bytemuck::cast_slice(ranks)].into_iter());
        }
    }

    /// Answers up to [`BATCH`] places together, of which the first has this position in the whole batch.
    fn search_group(&self, group: &[Part], first: usize, answers: &mut Answers) {
        let records = self.records();
        let mut boxes = [Part::NOWHERE.bounds; BATCH];
        boxes.iter_mut().zip(group).for_each(|(bounds, part)| *bounds = part.bounds);
        self.tree().search_batch(&boxes[..group.len()], |i, found| {
            answers.close_until(first + i);
            found.add_to(&mut answers.rows, |row| group[i].is_overlapped(&records.bounds(row)));
        });
        answers.close_until(first + group.len());
    }

    /// Adds the rows of a place behind those that are there, each once and in row order.
    fn add_rows(&self, parts: &Parts, rows: &mut Vec<RowId>) {
        let records = self.records();
        let start = rows.len();
        for part in parts.iter() {
            self.tree().search(&part.bounds, |found| {
                found.add_to(rows, |row| part.is_overlapped(&records.bounds(row)));
            });
        }
        if parts.single().is_none() {
            rows[start..].sort_unstable();
            let mut kept = start;
            for i in start..rows.len() {
                if kept == start || rows[kept - 1] != rows[i] {
                    rows[kept] = rows[i];
                    kept += 1;
                }
            }
            rows.truncate(kept);
        }
    }

    fn visit<B>(&self, parts: &Parts, mut each: impl FnMut(RowId) -> ControlFlow<B>) -> ControlFlow<B> {
        let records = self.records();
        for (i, part) in parts.iter().enumerate() {
            let seen = |footprint: &Bounds| parts.iter().take(i).any(|before| before.is_overlapped(footprint));
            self.tree().search_until(&part.bounds, |found| {
                found.try_each(
                    |row| part.is_overlapped(&records.bounds(row)),
                    |row| if i > 0 && seen(&records.bounds(row)) { ControlFlow::Continue(()) } else { each(row) },
                )
            })?;
        }
        ControlFlow::Continue(())
    }
}
