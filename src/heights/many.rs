//! Heights at many points of a mapped file.
//!
//! What a point waits for is memory: an entry of a directory, then a block's header and a residual. Points are taken in groups; each step
//! is done for all points of a group, so that their lines of memory are on the way at the same time.

use std::hint::black_box;

use super::answers::{Height, Sampling, Voids};
use super::at::{Found, at_place};
use super::block::HEADER;
use super::entry::{Entry, SIDE};
use super::grid::{Grid as _, Place};
use super::mapped::{MappedTile, View};
use crate::error::Result;
use crate::tile::{LonLat, TileCoord};

/// Points that are looked for together.
const GROUP: usize = 32;

pub(super) fn many(
    heights: &View<'_>,
    points: &[LonLat],
    how: &Sampling,
    answers: &mut Vec<Option<Height>>,
) -> Result<()> {
    answers.clear();
    answers.reserve(points.len());
    // Points that follow one another often lie in one tile.
    let mut last = None;
    for points in points.chunks(GROUP) {
        let mut found: [Option<(Place, Found<MappedTile<'_>>)>; GROUP] = [const { None }; GROUP];
        for (&point, found) in points.iter().zip(&mut found) {
            if let Some(place) = Place::of(point) {
                *found = finest(heights, place, how, &mut last)?.map(|tile| (place, tile));
            }
        }
        let mut entries = [(Entry::VOID, 0); GROUP];
        for (found, entry) in found.iter().zip(&mut entries) {
            if let Some((_, found)) = found {
                *entry = found.tile.entry_of(found.column, found.row);
            }
        }
        let mut touched = 0u8;
        for ((entry, start), found) in entries.iter().zip(&found) {
            if let Some((_, found)) = found {
                let quarter = (found.row as usize % SIDE / 8) * 2 + found.column as usize % SIDE / 8;
                let row = found.row as usize % 8;
                let residual = entry.widths_before(quarter) as usize * 8 + row * entry.width(quarter) as usize;
                touched ^= found.tile.byte(*start, entry.offset());
                touched ^= found.tile.byte(*start, entry.offset() + HEADER + residual);
            }
        }
        black_box(touched);
        for found in &found[..points.len()] {
            answers.push(match found {
                None => None,
                Some((place, found)) => match found.height(heights, *place, how)? {
                    // The coarser zooms have to be looked at.
                    None if how.voids == Voids::FillFromCoarser => at_place(heights, *place, how)?,
                    height => height,
                },
            });
        }
    }
    Ok(())
}

fn finest<'a>(
    heights: &View<'a>,
    place: Place,
    how: &Sampling,
    last: &mut Option<(TileCoord, MappedTile<'a>)>,
) -> Result<Option<Found<MappedTile<'a>>>> {
    for zoom in heights.shape().zooms(how) {
        if let Some(found) = Found::at_or_in(heights, place, zoom, last.as_ref())? {
            *last = Some((found.coord, found.tile));
            return Ok(Some(found));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `Grid::many` does for any grid.
    #[test]
    fn a_batch_has_the_answers_of_its_points() {
        let heights = crate::heights::tests::made_up(64);
        let points: Vec<LonLat> = crate::heights::tests::points(5000).collect();
        for how in crate::heights::tests::samplings() {
            let mut batch = vec![None; 3];
            many(&heights.view(), &points, &how, &mut batch).unwrap();
            assert_eq!(batch.len(), points.len());
            for (&point, answer) in points.iter().zip(&batch) {
                assert_eq!(*answer, crate::heights::at::at(&heights, point, &how).unwrap(), "{point:?} {how:?}");
            }
        }
    }
}
