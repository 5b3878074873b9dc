//! Points and boxes in degrees, as people write them.

use std::str::FromStr;

use super::{Bounds, Degrees, in_the_square, metres, web_mercator};
use crate::error::{Error, Result};

/// A point: longitude from -180 (included) to 180, latitude from -90 to 90, degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LonLat {
    lon: f64,
    lat: f64,
}

impl LonLat {
    /// A point; longitudes of the next turn of the world (190, -190) are taken back to this one.
    ///
    /// # Errors
    /// Where the longitude is beyond -360..360 or the latitude beyond -90..90.
    #[inline]
    pub fn new(lon: f64, lat: f64) -> Result<Self> {
        check("point", &[lon], &[lat], "longitude, latitude, such as 138.7275,35.3607")?;
        Ok(Self { lon: web_mercator::wrapped(lon), lat })
    }

    /// Longitude, degrees.
    #[must_use]
    pub fn lon(&self) -> f64 {
        self.lon
    }

    /// Latitude, degrees.
    #[must_use]
    pub fn lat(&self) -> f64 {
        self.lat
    }

    /// The point in EPSG:3857 metres. Latitudes beyond 85.0511 degrees are moved to the rim of the square world.
    #[must_use]
    pub fn metres(&self) -> (f64, f64) {
        web_mercator::from_lon_lat(self.lon, self.lat)
    }
}

impl FromStr for LonLat {
    type Err = Error;

    /// `LON,LAT`, or the two with spaces between.
    fn from_str(text: &str) -> Result<Self> {
        match numbers(text).as_deref() {
            Some(&[lon, lat]) => Self::new(lon, lat),
            _ => Err(Error::argument("point", "expected LON,LAT in degrees, such as 138.7275,35.3607")),
        }
    }
}

/// A box of longitudes and latitudes. Where its west is above its east it crosses the 180th meridian.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LonLatBox {
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

/// The order of the numbers, for messages.
const ORDER: &str = "west, south, east, north, such as 138.6,35.2,138.9,35.5";

impl LonLatBox {
    /// A box from its west, south, east and north, degrees. `170, -20, -170, -10` and `170, -20, 190, -10` are the same box.
    ///
    /// # Errors
    /// Where a number is beyond -360..360 or -90..90, south is not below north, the box has no width or more than the
    /// world's, or lies beyond the latitudes of Web Mercator.
    pub fn new(west: f64, south: f64, east: f64, north: f64) -> Result<Self> {
        let bad = |problem: String| Err(Error::argument("box", problem));
        check("box", &[west, east], &[south, north], ORDER)?;
        if south >= north {
            return bad(format!("has no area: south ({south}) must be below north ({north}); the order is {ORDER}"));
        }
        let turned = west > east;
        if turned && (west > 180.0 || east < -180.0) {
            return bad(format!(
                "west ({west}) is above east ({east}); across 180 degrees, give both within -180..180"
            ));
        }
        let width = if turned { east - west + 360.0 } else { east - west };
        if width <= 0.0 {
            return bad(format!("has no area: west and east are the same meridian; the order is {ORDER}"));
        }
        if width > 360.0 {
            return bad(format!("is {width} degrees wide; the world has 360"));
        }
        if !in_the_square(south, north) {
            return bad("lies beyond the latitudes of Web Mercator (85.0511 degrees)".into());
        }
        let (west, east) = match (width, web_mercator::wrapped(west), web_mercator::wrapped(east)) {
            (360.0, ..) => (-180.0, 180.0),
            (_, w, e) => (w, if e == -180.0 { 180.0 } else { e }),
        };
        let found = Self { west, south, east, north };
        if found.parts().is_empty() {
            return bad("has no area".into());
        }
        Ok(found)
    }

    /// Western edge, from -180 up, below 180.
    #[must_use]
    pub fn west(&self) -> f64 {
        self.west
    }

    /// Southern edge.
    #[must_use]
    pub fn south(&self) -> f64 {
        self.south
    }

    /// Eastern edge, above -180, up to 180; below the western one across the 180th meridian.
    #[must_use]
    pub fn east(&self) -> f64 {
        self.east
    }

    /// Northern edge.
    #[must_use]
    pub fn north(&self) -> f64 {
        self.north
    }

    /// The box as one whose west is below its east, or two where it crosses the 180th meridian, degrees.
    #[must_use]
    pub fn sides(&self) -> Vec<Degrees> {
        self.each_side().collect()
    }

    /// [`sides`](Self::sides) in EPSG:3857 metres.
    #[must_use]
    pub fn parts(&self) -> Vec<Bounds> {
        self.sides_in_metres().collect()
    }

    /// [`parts`](Self::parts) one by one.
    pub(crate) fn sides_in_metres(&self) -> impl Iterator<Item = Bounds> + use<> {
        self.each_side().map(|side| metres(&side))
    }

    fn each_side(&self) -> impl Iterator<Item = Degrees> + use<> {
        let [w, s, e, n] = [self.west, self.south, self.east, self.north];
        let sides = if w < e { [Some([w, s, e, n]), None] } else { [Some([w, s, 180.0, n]), Some([-180.0, s, e, n])] };
        sides.into_iter().flatten().filter(|side| metres(side).has_area())
    }

    /// The box in EPSG:3857 metres as one, whose east may lie beyond the world's.
    #[must_use]
    pub fn unrolled(&self) -> Bounds {
        let mut bounds = Bounds::from_lon_lat(self.west, self.south, self.east, self.north);
        if self.west >= self.east {
            bounds.max_x += web_mercator::WORLD;
        }
        bounds
    }
}

impl FromStr for LonLatBox {
    type Err = Error;

    /// `W,S,E,N`, or the four with spaces between.
    fn from_str(text: &str) -> Result<Self> {
        match numbers(text) {
            Some(numbers) => match numbers[..] {
                [west, south, east, north] => Self::new(west, south, east, north),
                _ => Err(Error::argument("box", format!("expected four numbers, found {}: {ORDER}", numbers.len()))),
            },
            None => Err(Error::argument("box", format!("expected four numbers: {ORDER}"))),
        }
    }
}

impl std::fmt::Display for LonLatBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{},{},{}", self.west, self.south, self.east, self.north)
    }
}

/// Numbers with commas or spaces between.
fn numbers(text: &str) -> Option<Vec<f64>> {
    let number = |part: &str| part.parse::<f64>().ok();
    if text.contains(',') {
        return text.split(',').map(|part| number(part.trim())).collect();
    }
    text.split_whitespace().map(number).collect()
}

#[inline]
fn check(name: &str, lons: &[f64], lats: &[f64], order: &str) -> Result<()> {
    #[cold]
    fn fault(name: &str, value: f64, what: &str, limit: u32, order: &str) -> Result<()> {
        let problem = format!("{what} {value} is not within -{limit}..{limit} degrees; the order is {order}");
        Err(Error::argument(name, problem))
    }
    // Not a number is inside of nothing.
    if let Some(&lon) = lons.iter().find(|v| !(-360.0..=360.0).contains(*v)) {
        return fault(name, lon, "longitude", 360, order);
    }
    match lats.iter().find(|v| !(-90.0..=90.0).contains(*v)) {
        Some(&lat) => fault(name, lat, "latitude", 90, order),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_read_in_every_form_that_people_write() {
        for text in ["-10,-10,179,60", " -10, -10, 179 , 60", "-10 -10 179 60", "-1e1,-10.0,+179,60"] {
            let found: LonLatBox = text.parse().unwrap();
            assert_eq!(found, LonLatBox::new(-10.0, -10.0, 179.0, 60.0).unwrap(), "{text}");
        }
        for (text, words) in [
            ("", "expected four numbers"),
            ("1,2,3", "found 3"),
            ("1,2,3,4,5", "found 5"),
            ("1,,3,4", "expected four numbers: west, south, east, north"),
            ("a,b,c,d", "expected four numbers"),
            ("NaN,0,1,1", "longitude NaN is not within"),
            ("0,0,inf,1", "longitude inf"),
            ("35.2,138.6,35.5,138.9", "latitude 138.6 is not within -90..90 degrees; the order is west, south"),
            ("0,0,400,1", "within -360..360 degrees"),
            ("0,5,1,5", "has no area: south (5) must be below north (5)"),
            ("0,6,1,5", "south (6) must be below"),
            ("3,0,3,5", "same meridian"),
            ("180,0,-180,5", "same meridian"),
            ("-350,0,350,5", "700 degrees wide"),
            ("190,0,-170,5", "within -180..180"),
            ("0,86,1,89", "beyond the latitudes of Web Mercator"),
            ("0,-90,1,-85.06", "beyond the latitudes"),
        ] {
            let error = text.parse::<LonLatBox>().unwrap_err().to_string();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }

    #[test]
    fn boxes_across_180_degrees_are_one_box_however_they_are_written() {
        let across = LonLatBox::new(170.0, -20.0, -170.0, -10.0).unwrap();
        for text in ["170,-20,190,-10", "-190,-20,-170,-10", "170,-20,-170,-10"] {
            assert_eq!(text.parse::<LonLatBox>().unwrap(), across, "{text}");
        }
        let [a, b] = across.parts()[..] else { panic!("two parts") };
        let half = web_mercator::HALF_WORLD;
        assert_eq!((a.max_x, b.min_x), (half, -half));
        assert!((across.unrolled().width() - (a.width() + b.width())).abs() < 1e-6);
        for (text, same) in [
            ("190,0,200,5", "-170,0,-160,5"),
            ("-200,0,-190,5", "160,0,170,5"),
            ("0,0,360,5", "-180,0,180,5"),
            ("180,0,-170,5", "-180,0,-170,5"),
            ("170,0,-180,5", "170,0,180,5"),
            ("-180,-90,180,90", "-180,-90,180,90"),
        ] {
            let (found, same): (LonLatBox, LonLatBox) = (text.parse().unwrap(), same.parse().unwrap());
            assert_eq!(found, same, "{text}");
            assert_eq!(found.parts().len(), 1, "{text}");
        }
        // What almost surrounds the world is two parts as well.
        assert_eq!("5,0,4,6".parse::<LonLatBox>().unwrap().parts().len(), 2);
    }

    #[test]
    fn points_wrap_and_poles_are_moved_to_the_rim() {
        let point = |text: &str| text.parse::<LonLat>().unwrap();
        assert_eq!(point("190,10"), point("-170 10"));
        assert_eq!(point("-190,10"), point("170,10"));
        assert_eq!((point("180,10").lon(), point("-180,10").lon()), (-180.0, -180.0));
        assert!((point("0,90").metres().1 - web_mercator::HALF_WORLD).abs() < 1e-6);
        for (text, words) in [
            ("35.3607,138.7275", "latitude 138.7275 is not within -90..90 degrees; the order is longitude, latitude"),
            ("361,0", "longitude 361"),
            ("nan,0", "longitude NaN"),
            ("1", "expected LON,LAT"),
            ("1,2,3", "expected LON,LAT"),
        ] {
            let error = text.parse::<LonLat>().unwrap_err().to_string();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }
}
