//! The heights of an area.
//!
//! From the world down, a tile's place is either covered by finer tiles, which are then looked at, or counts with its own pixels or with those of
//! the tile above it. What lies wholly in the area is not read: least, greatest, number and sum of a tile stand in columns. Of a
//! tile on the area's rim, blocks on the rim are tested pixel by pixel.

use super::answers::Statistics;
use super::entry::{PIXELS, SIDE};
use super::grid::{Grid, Pixels, Tiles};
use crate::error::Result;
use crate::tile::{Area, Bounds, Contact, TileCoord, web_mercator};

/// What is known of the pixels that were seen.
#[derive(Debug, Clone, Copy)]
struct Seen {
    least: i64,
    greatest: i64,
    sum: f64,
    valid: f64,
    void: f64,
}

struct Scan<'a, G: Grid> {
    grid: &'a G,
    area: &'a Area,
    finest: u8,
    /// Only the least and the greatest are wanted: what can't change them is passed over.
    range_only: bool,
    seen: Seen,
    /// What lies on the rim of the area, for after what lies inside: then most of it changes nothing.
    rim: Vec<Part<'a, G>>,
}

/// A part of a tile: the place of a tile that is it or lies below it, and whether all of it is in the area.
struct Part<'a, G: Grid + 'a> {
    holder: Holder<'a, G>,
    cell: TileCoord,
    inside: bool,
}

/// A tile, and which one.
type Holder<'a, G> = (<G as Tiles>::Tile<'a>, TileCoord);

pub(super) fn statistics<G: Grid>(grid: &G, area: &Area, max_zoom: Option<u8>) -> Result<Statistics> {
    let (seen, finest) = scan(grid, area, max_zoom, false)?;
    let shape = grid.shape();
    let metres = |code: f64| (seen.valid > 0.0).then(|| shape.metres(code));
    let pixels = pixels_of_boxes(area, shape.world(finest) as f64);
    let (low, high) = ordered(shape.scale, seen.least, seen.greatest);
    Ok(Statistics {
        least: metres(low as f64),
        greatest: metres(high as f64),
        mean: metres(seen.sum / seen.valid),
        valid: seen.valid,
        void: seen.void,
        uncovered: pixels.map(|pixels| (pixels - seen.valid - seen.void).max(0.0)),
        zoom: finest,
    })
}

/// The least and the greatest height, metres.
pub(super) fn range<G: Grid>(grid: &G, area: &Area, max_zoom: Option<u8>) -> Result<Option<(f64, f64)>> {
    let (seen, _) = scan(grid, area, max_zoom, true)?;
    let (low, high) = ordered(grid.shape().scale, seen.least, seen.greatest);
    Ok((seen.least <= seen.greatest).then(|| (grid.shape().metres(low as f64), grid.shape().metres(high as f64))))
}

/// Codes in the order of their heights.
fn ordered(scale: f64, least: i64, greatest: i64) -> (i64, i64) {
    if scale < 0.0 { (greatest, least) } else { (least, greatest) }
}

fn scan<G: Grid>(grid: &G, area: &Area, max_zoom: Option<u8>, range_only: bool) -> Result<(Seen, u8)> {
    let finest = max_zoom.map_or(grid.shape().max_zoom, |zoom| zoom.min(grid.shape().max_zoom));
    let seen = Seen { least: i64::MAX, greatest: i64::MIN, sum: 0.0, valid: 0.0, void: 0.0 };
    let mut scan = Scan { grid, area, finest, range_only, seen, rim: Vec::new() };
    if let Some(world) = TileCoord::new(0, 0, 0).filter(|_| grid.shape().tiles > 0) {
        scan.visit(world, None)?;
    }
    for part in std::mem::take(&mut scan.rim) {
        scan.part(&part)?;
    }
    Ok((scan.seen, finest))
}

/// How many pixels of a world of `side` pixels have their centres in an area of boxes that don't overlap; `None` for other areas.
fn pixels_of_boxes(area: &Area, side: f64) -> Option<f64> {
    let boxes = area.boxes();
    let alone = |i: usize| boxes[i + 1..].iter().all(|other| !boxes[i].overlaps(other));
    if boxes.is_empty() || area.polygons().is_some() || !(0..boxes.len()).all(alone) {
        return None;
    }
    let count = |low: f64, high: f64| {
        let at = |metres: f64| (metres / web_mercator::WORLD + 0.5) * side - 0.5;
        (at(high).floor().min(side - 1.0) - at(low).ceil().max(0.0) + 1.0).max(0.0)
    };
    Some(boxes.iter().map(|b| count(b.min_x, b.max_x) * count(b.min_y, b.max_y)).sum())
}

impl<'a, G: Grid> Scan<'a, G> {
    fn visit(&mut self, cell: TileCoord, above: Option<&Holder<'a, G>>) -> Result<()> {
        let contact = self.area.contact(&cell.bounds());
        if contact == Contact::Outside {
            return Ok(());
        }
        let own = self.grid.tile(cell)?.map(|tile| (tile, cell));
        let holder = own.as_ref().or(above);
        if cell.z() < self.finest && self.grid.has_finer(cell, self.finest)? {
            return cell.children().into_iter().flatten().try_for_each(|child| self.visit(child, holder));
        }
        match holder {
            None => Ok(()),
            Some((tile, coord)) if *coord == cell && contact == Contact::Inside => {
                self.whole(tile, cell.z());
                Ok(())
            }
            Some(holder) => {
                let part = Part { holder: holder.clone(), cell, inside: contact == Contact::Inside };
                if self.range_only {
                    self.rim.push(part);
                    return Ok(());
                }
                self.part(&part)
            }
        }
    }

    /// How many pixels of the finest zoom one of this zoom stands for.
    fn weight(&self, zoom: u8) -> f64 {
        f64::from(2 * u32::from(self.finest.saturating_sub(zoom))).exp2()
    }

    fn whole(&mut self, tile: &G::Tile<'a>, zoom: u8) {
        let (facts, weight) = (tile.facts(), self.weight(zoom));
        if facts.valid > 0 {
            self.seen.least = self.seen.least.min(facts.least.into());
            self.seen.greatest = self.seen.greatest.max(facts.greatest.into());
        }
        let pixels = f64::from(self.grid.shape().size).powi(2);
        self.seen.sum += facts.sum as f64 * weight;
        self.seen.valid += f64::from(facts.valid) * weight;
        self.seen.void += (pixels - f64::from(facts.valid)) * weight;
    }

    /// True where nothing within a range of codes changes what is wanted.
    fn is_known(&self, low: i64, high: i64) -> bool {
        self.range_only && low >= self.seen.least && high <= self.seen.greatest
    }

    fn part(&mut self, part: &Part<'a, G>) -> Result<()> {
        let &Part { holder: (ref tile, coord), cell, inside } = part;
        let facts = tile.facts();
        if self.range_only && (facts.valid == 0 || self.is_known(facts.least.into(), facts.greatest.into())) {
            return Ok(());
        }
        // The cell in pixels of the tile; it may begin and end between pixels where it is small.
        let parts = f64::from(cell.z() - coord.z()).exp2();
        let size = f64::from(self.grid.shape().size);
        let start = |cell: u32, tile: u32| (f64::from(cell) / parts - f64::from(tile)) * size;
        let (x0, y0) = (start(cell.x(), coord.x()), start(cell.y(), coord.y()));
        let region = [x0, y0, x0 + size / parts, y0 + size / parts];
        let blocks = |from: f64, to: f64| (from / SIDE as f64).floor() as u32..(to / SIDE as f64).ceil() as u32;
        let mut codes = ([0; PIXELS], [0; PIXELS]);
        for row in blocks(y0, region[3]) {
            for column in blocks(x0, region[2]) {
                self.block(tile, coord, [column * SIDE as u32, row * SIDE as u32], region, inside, &mut codes)?;
            }
        }
        Ok(())
    }

    /// All pixels of a block.
    fn all(&mut self, codes: &[i32; PIXELS], valid: &[u8; PIXELS], weight: f64) {
        let (mut least, mut greatest, mut sum, mut count) = (i32::MAX, i32::MIN, 0i64, 0u32);
        for (&code, &valid) in codes.iter().zip(valid) {
            least = if valid == 1 { least.min(code) } else { least };
            greatest = if valid == 1 { greatest.max(code) } else { greatest };
            // Void pixels have the code 0.
            sum += i64::from(code);
            count += u32::from(valid);
        }
        if count > 0 {
            self.seen.least = self.seen.least.min(least.into());
            self.seen.greatest = self.seen.greatest.max(greatest.into());
        }
        self.seen.sum += sum as f64 * weight;
        self.seen.valid += f64::from(count) * weight;
        self.seen.void += (PIXELS as f64 - f64::from(count)) * weight;
    }

    /// The pixels of a block that lie in a region of the tile, and whose centres lie in the area.
    fn block(
        &mut self,
        tile: &G::Tile<'a>,
        coord: TileCoord,
        [left, top]: [u32; 2],
        region: [f64; 4],
        inside: bool,
        (codes, valid): &mut ([i32; PIXELS], [u8; PIXELS]),
    ) -> Result<()> {
        let bounds = coord.bounds();
        let pixel = bounds.width() / f64::from(self.grid.shape().size);
        let side = SIDE as f64 * pixel;
        let (west, north) = (bounds.min_x + f64::from(left) * pixel, bounds.max_y - f64::from(top) * pixel);
        let contact = if inside {
            Contact::Inside
        } else {
            self.area.contact(&Bounds::new(west, north - side, west + side, north))
        };
        if contact == Contact::Outside {
            return Ok(());
        }
        if self.range_only && tile.block_range(left, top)?.is_none_or(|(low, high)| self.is_known(low, high)) {
            return Ok(());
        }
        tile.block(left, top, codes, valid)?;
        let weight = self.weight(coord.z());
        let (end_x, end_y) = (f64::from(left) + SIDE as f64, f64::from(top) + SIDE as f64);
        let whole =
            f64::from(left) >= region[0] && f64::from(top) >= region[1] && end_x <= region[2] && end_y <= region[3];
        if contact == Contact::Inside && whole {
            self.all(codes, valid, weight);
            return Ok(());
        }
        let share = |at: u32, from: f64, to: f64| (f64::from(at + 1).min(to) - f64::from(at).max(from)).max(0.0);
        for y in 0..SIDE as u32 {
            let height = share(top + y, region[1], region[3]);
            for x in 0..SIDE as u32 {
                let width = share(left + x, region[0], region[2]);
                let centre = || [west + (f64::from(x) + 0.5) * pixel, north - (f64::from(y) + 0.5) * pixel];
                let is_in = || {
                    let [x, y] = centre();
                    contact == Contact::Inside || self.area.contains_point(x, y)
                };
                if width * height == 0.0 || !is_in() {
                    continue;
                }
                let (i, weight) = (y as usize * SIDE + x as usize, weight * width * height);
                if valid[i] == 1 {
                    self.seen.least = self.seen.least.min(codes[i].into());
                    self.seen.greatest = self.seen.greatest.max(codes[i].into());
                    self.seen.sum += f64::from(codes[i]) * weight;
                    self.seen.valid += weight;
                } else {
                    self.seen.void += weight;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heights::Heights;
    use crate::heights::tests::made_up;
    use crate::tile::{LonLatBox, Polygons};

    /// All pixels of the world at a zoom, each of the finest tile that covers it; the centre of that tile's pixel decides.
    fn full_scan(heights: &Heights, area: &Area, finest: u8) -> Statistics {
        let size = u64::from(heights.shape().size);
        let side = size << finest;
        let mut seen = (Vec::new(), 0.0);
        for y in 0..side {
            for x in 0..side {
                for z in (0..=finest).rev() {
                    let up = finest - z;
                    let (px, py) = (x >> up, y >> up);
                    let coord = TileCoord::new(z, (px / size) as u32, (py / size) as u32).unwrap();
                    let Some(tile) = Tiles::tile(heights, coord).unwrap() else { continue };
                    let world = web_mercator::WORLD;
                    let at = |p: u64| (p as f64 + 0.5) / (size << z) as f64 * world - world / 2.0;
                    if area.contains_point(at(px), -at(py)) {
                        match tile.code((px % size) as u32, (py % size) as u32).unwrap() {
                            Some(code) => seen.0.push(f64::from(code)),
                            None => seen.1 += 1.0,
                        }
                    }
                    break;
                }
            }
        }
        let shape = heights.shape();
        let metres = |code: Option<f64>| code.map(|code| shape.metres(code));
        Statistics {
            least: metres(seen.0.iter().copied().reduce(f64::min)),
            greatest: metres(seen.0.iter().copied().reduce(f64::max)),
            mean: metres((!seen.0.is_empty()).then(|| seen.0.iter().sum::<f64>() / seen.0.len() as f64)),
            valid: seen.0.len() as f64,
            void: seen.1,
            uncovered: None,
            zoom: finest,
        }
    }

    #[test]
    fn statistics_are_those_of_a_full_scan() {
        let heights = made_up(16);
        let ring = |points: &[[f64; 2]]| vec![points.to_vec()];
        let star = [[-60.0, -10.0], [20.0, 60.0], [0.0, 5.0], [100.0, -20.0], [-20.0, -50.0]];
        let areas = [
            Area::from(LonLatBox::new(-180.0, -86.0, 180.0, 86.0).unwrap()),
            Area::from(LonLatBox::new(12.3, -31.0, 101.0, 47.7).unwrap()),
            Area::from(LonLatBox::new(160.0, -15.0, -150.0, 40.0).unwrap()),
            Area::from(LonLatBox::new(1.0, 1.0, 1.0001, 1.0001).unwrap()),
            Area::from(Polygons::new(vec![ring(&star)]).unwrap()),
            Area::from(Polygons::new(vec![ring(&[[170.0, 0.0], [200.0, 5.0], [185.0, 40.0]])]).unwrap()),
        ];
        let mut known = 0;
        for area in &areas {
            for finest in [6, 3] {
                let expected = full_scan(&heights, area, finest);
                let found = statistics(&heights, area, Some(finest)).unwrap();
                assert_eq!((found.least, found.greatest), (expected.least, expected.greatest), "{area:?} {finest}");
                assert_eq!((found.valid, found.void), (expected.valid, expected.void), "{area:?} {finest}");
                assert_eq!(range(&heights, area, Some(finest)).unwrap(), expected.least.zip(expected.greatest));
                if let (Some(a), Some(b)) = (found.mean, expected.mean) {
                    assert!((a - b).abs() < 1e-6, "{a} {b}");
                    known += 1;
                }
            }
        }
        assert!(known >= 8, "{known}");
    }

    #[test]
    fn what_no_tile_covers_is_told_of_boxes() {
        let heights = made_up(16);
        let all = LonLatBox::new(-180.0, -86.0, 180.0, 86.0).unwrap();
        let found = statistics(&heights, &Area::from(all), None).unwrap();
        assert_eq!((found.uncovered, found.zoom), (Some(0.0), 6));
        assert_eq!(found.valid + found.void, (16f64 * 64.0).powi(2));
    }
}
