//! About how long a question takes, so that one that would take minutes is refused before it begins.
//!
//! The costs are estimates for one core. They only have to be right within a factor of a few.

use super::dataset::ElevationFrom;
use super::problem::{Answer, Problem};
use crate::heights::Shape;
use crate::tile::{Area, Bounds, LonLat, web_mercator};

/// A question may take about so long, microseconds.
const MOST: f64 = 5e6;
/// Decoding a tile.
const DECODE: f64 = 5000.0;
/// Taking a tile's sums out of columns.
const SUMS: f64 = 1.0;
/// Testing a tile on the rim of a box, and on the rim of a polygon.
const RIM: [f64; 2] = [200.0, 3000.0];
/// Looking at a place of a line of sight.
const STEP: f64 = 0.2;

/// What a question asks of heights.
pub struct Question {
    pub from: ElevationFrom,
    pub shape: Shape,
    /// The finest zoom that is looked at, where the request names one.
    pub max_zoom: Option<u8>,
}

impl Question {
    /// # Errors
    /// 400 where the statistics of an area would take long.
    pub fn statistics(&self, area: &Area) -> Answer<()> {
        self.check("area", |zoom| {
            let all = self.shape.tiles as f64;
            let (inside, rim) = (tiles_in(area, zoom).min(all), tiles_on_the_rim(area, zoom).min(all));
            let decode = if self.from == ElevationFrom::Tiles { DECODE } else { 0.0 };
            inside * (SUMS + decode) + rim * RIM[usize::from(area.polygons().is_some())]
        })
    }

    /// # Errors
    /// 400 where many tiles would be decoded for samples along a line.
    pub fn profile(&self, line: &[LonLat], samples: usize) -> Answer<()> {
        let tiles = |zoom| tiles_along(line, zoom).min(samples as f64);
        self.check("line", |zoom| if self.from == ElevationFrom::Tiles { tiles(zoom) * DECODE } else { 0.0 })
    }

    /// # Errors
    /// 400 where looking along a line of so many metres would take long.
    pub fn sight(&self, ends: [LonLat; 2], length: f64) -> Answer<()> {
        self.check("line of sight", |zoom| {
            let steps = length / self.shape.pixel_size(zoom, ends[0].lat()).max(1e-9);
            let decode = if self.from == ElevationFrom::Tiles { DECODE } else { 0.0 };
            steps * STEP + tiles_along(&ends, zoom) * decode
        })
    }

    fn check(&self, what: &str, cost: impl Fn(u8) -> f64) -> Answer<()> {
        let finest = self.max_zoom.map_or(self.shape.max_zoom, |zoom| zoom.min(self.shape.max_zoom));
        if cost(finest) <= MOST {
            return Ok(());
        }
        let fits = (self.shape.min_zoom..finest).rev().find(|&zoom| cost(zoom) <= MOST);
        let other = fits.map(|zoom| format!(", or ask with max_zoom={zoom}")).unwrap_or_default();
        Err(Problem::bad(format!("the {what} is too large for zoom {finest}; give a smaller one{other}")))
    }
}

fn side(zoom: u8) -> f64 {
    web_mercator::WORLD / f64::from(zoom).exp2()
}

/// About how many tiles a line meets.
fn tiles_along(line: &[LonLat], zoom: u8) -> f64 {
    let met = |pair: &[LonLat]| {
        let [(ax, ay), (bx, by)] = [pair[0].metres(), pair[1].metres()];
        let dx = (ax - bx).abs();
        1.0 + (dx.min(web_mercator::WORLD - dx) + (ay - by).abs()) / side(zoom)
    };
    line.windows(2).map(met).sum()
}

/// The boxes around an area, EPSG:3857 metres.
fn boxes(area: &Area) -> Vec<Bounds> {
    let parts = area.cut([-180.0, -90.0, 180.0, 90.0]);
    parts.iter().map(|&[west, south, east, north]| Bounds::from_lon_lat(west, south, east, north)).collect()
}

fn tiles_in(area: &Area, zoom: u8) -> f64 {
    boxes(area).iter().map(|b| (1.0 + b.width() / side(zoom)) * (1.0 + b.height() / side(zoom))).sum()
}

fn tiles_on_the_rim(area: &Area, zoom: u8) -> f64 {
    let Some(polygons) = area.polygons() else {
        return boxes(area).iter().map(|b| 4.0 + 2.0 * (b.width() + b.height()) / side(zoom)).sum();
    };
    let metres = |[lon, lat]: [f64; 2]| {
        let y = web_mercator::from_lon_lat(0.0, lat).1;
        (lon / 360.0 * web_mercator::WORLD, y)
    };
    let edge = |pair: &[[f64; 2]]| {
        let [(ax, ay), (bx, by)] = [metres(pair[0]), metres(pair[1])];
        ((ax - bx).abs() + (ay - by).abs()) / side(zoom)
    };
    let rings = polygons.polygons().iter().flatten();
    rings.map(|ring| 4.0 + ring.windows(2).map(edge).sum::<f64>()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::{LonLatBox, Polygons};

    fn question(from: ElevationFrom, max_zoom: Option<u8>) -> Question {
        let shape = Shape { size: 512, min_zoom: 2, max_zoom: 15, tiles: 40_000_000, scale: 1.0, offset: 0.0 };
        Question { from, shape, max_zoom }
    }

    fn refusal(answer: Answer<()>) -> Option<String> {
        answer.err().map(|problem| problem.detail().to_owned())
    }

    #[test]
    fn large_areas_are_refused_with_a_zoom_that_works() {
        let area = |text: &str| Area::from(text.parse::<LonLatBox>().unwrap());
        let (small, large) = (area("138.6,35.2,138.9,35.5"), area("100,-60,160,60"));
        for from in [ElevationFrom::Heights, ElevationFrom::Tiles] {
            question(from, None).statistics(&small).unwrap();
            let said = refusal(question(from, None).statistics(&large)).unwrap();
            let zoom = said.rsplit_once("max_zoom=").unwrap().1.parse().unwrap();
            question(from, Some(zoom)).statistics(&large).unwrap();
            assert!(refusal(question(from, Some(zoom + 1)).statistics(&large)).is_some());
        }
        // Ten thousand spikes across a country are a long rim.
        let spikes: Vec<_> =
            (0..10_000).map(|i| [138.0 + f64::from(i) * 1e-6, 30.0 + f64::from(i % 2) * 5.0]).collect();
        let spikes = Area::from(Polygons::new(vec![vec![spikes]]).unwrap());
        assert!(refusal(question(ElevationFrom::Heights, None).statistics(&spikes)).is_some());
    }

    #[test]
    fn long_lines_are_refused_where_they_cost_much() {
        let ends = [LonLat::new(138.0, 35.0).unwrap(), LonLat::new(10.0, 50.0).unwrap()];
        question(ElevationFrom::Heights, None).profile(&ends, 10_000).unwrap();
        question(ElevationFrom::Tiles, None).profile(&ends, 500).unwrap();
        assert!(refusal(question(ElevationFrom::Tiles, None).profile(&ends, 10_000)).is_some());
        let near = [ends[0], LonLat::new(138.5, 35.0).unwrap()];
        question(ElevationFrom::Tiles, None).sight(near, 45_000.0).unwrap();
        let far = refusal(question(ElevationFrom::Heights, Some(20)).sight(ends, 2e8)).unwrap();
        assert!(far.contains("max_zoom="), "{far}");
    }
}
