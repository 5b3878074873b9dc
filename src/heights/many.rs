//! Heights at many points of a mapped file.
//!
//! What a point waits for is memory: an entry of a directory, then a block's header and a residual. Points are taken in groups; each step
//! is done for all points of a group, so that their lines of memory are on the way at the same time.

use std::hint::black_box;

use super::answers::{Height, Sampling, Voids};
use super::at::{Found, at_place};
use super::entry::Entry;
use super::grid::{Place, Tiles as _};
use super::mapped::{MappedTile, View};
use crate::error::Result;
use crate::tile::{LonLat, TileCoord};

/// Points that are looked for together.
const GROUP: usize = 128;

pub(super) fn many(
    heights: &View<'_>,
    points: &[LonLat],
    how: &Sampling,
    answers: &mut Vec<Option<Height>>,
) -> Result<()> {
    answers.clear();
    answers.resize(points.len(), None);
    if points.len() >= GROUP {
        heights.ahead_of_tiles();
    }
    // Points that follow one another often lie in one tile.
    let (mut last, mut found) = (None, Vec::with_capacity(GROUP));
    for (points, answers) in points.chunks(GROUP).zip(answers.chunks_mut(GROUP)) {
        found.clear();
        for (&point, answer) in points.iter().zip(answers) {
            let Some(place) = Place::of(point) else { continue };
            if let Some(tile) = finest(heights, place, how, &mut last)? {
                found.push((tile, place, answer));
            }
        }
        touch(heights, &found);
        for (found, place, answer) in &mut found {
            **answer = match found.height(heights, how)? {
                // The coarser zooms have to be looked at.
                None if how.voids == Voids::FillFromCoarser => at_place(heights, *place, how)?,
                height => height,
            };
        }
    }
    Ok(())
}

/// Reads from each line of memory that these places need. A place lies between four pixels, mostly of one block, at times of two or four; the
/// first and the last pixel are looked at. Loops that do nothing but read have the most lines on the way.
#[inline]
fn touch(heights: &View<'_>, found: &[(Found<MappedTile<'_>>, Place, &mut Option<Height>)]) {
    let size = heights.shape().size;
    let mut blocks = [[0; 2]; GROUP];
    for ((found, ..), blocks) in found.iter().zip(&mut blocks) {
        *blocks = found.corners(size).map(|[x, y]| found.tile.entry_at(x, y));
    }
    heights.ahead_of_entries(&blocks[..found.len()]);
    let mut entries = [[Entry::VOID; 2]; GROUP];
    for (blocks, entries) in blocks[..found.len()].iter().zip(&mut entries) {
        *entries = [heights.entry(blocks[0]), heights.entry(blocks[1])];
    }
    let mut lines = [[0; 6]; GROUP];
    for (((found, ..), entries), lines) in found.iter().zip(&entries).zip(&mut lines) {
        let [first, last] = found.corners(size);
        let ([a, b, c], [d, e, f]) = (found.tile.lines(entries[0], first), found.tile.lines(entries[1], last));
        *lines = [a, b, c, d, e, f];
    }
    let lines = &lines[..found.len()];
    heights.ahead_of_bytes(lines);
    black_box(lines.as_flattened().iter().fold(0, |sum, &at| sum ^ heights.byte(at)));
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
    use crate::container::Schema as _;
    use crate::heights::Heights;

    /// What `Grid::many` does for any grid.
    #[test]
    fn a_batch_has_the_answers_of_its_points() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let heights = crate::heights::tests::made_up(64);
        std::fs::write(file.path(), heights.container().bytes()).unwrap();
        // Of a mapped file the pages are asked for first.
        let mapped = Heights::open(file.path()).unwrap();
        let points: Vec<LonLat> = crate::heights::tests::points(5000).collect();
        for how in crate::heights::tests::samplings() {
            let mut batch = vec![None; 3];
            many(&heights.view(), &points, &how, &mut batch).unwrap();
            assert_eq!(batch.len(), points.len());
            let mut again = Vec::new();
            many(&mapped.view(), &points, &how, &mut again).unwrap();
            assert_eq!(again, batch);
            for (&point, answer) in points.iter().zip(&batch) {
                assert_eq!(*answer, crate::heights::at::at(&heights, point, &how).unwrap(), "{point:?} {how:?}");
            }
        }
    }
}
