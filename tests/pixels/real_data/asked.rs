//! Files of heights of every region: points against the decoded tiles by the definition, and against GDAL's own samples.
//!
//! `HYPSO_POINTS` says how many points of each region are asked; a few thousand without it.

use super::fuji::FUJI;
use super::*;
use hypso::heights::{HeightQueries, Heights, Interpolation, Sampling, Voids};
use hypso::terrain::CodeTile;
use hypso::tile::LonLat;

use crate::common::Random;

fn count() -> usize {
    std::env::var("HYPSO_POINTS").map_or(3000, |text| text.parse().expect("HYPSO_POINTS is a number"))
}

/// A region's tiles as images, decoded, and as a file of heights.
struct Region {
    tiles: HashMap<TileCoord, (CodeTile, Vec<u8>)>,
    coords: Vec<TileCoord>,
    heights: Heights,
}

impl Region {
    fn of(name: &str, made: &Made) -> Self {
        let path = scratch(&format!("{name}.heights"));
        let (from, to) = (made.heights.path().to_str().unwrap(), path.to_str().unwrap());
        let mut convert = vec!["convert", from, "-o", to];
        let lineage = made.lineage.as_ref().map(|lineage| lineage.path().to_str().unwrap().to_owned());
        convert.extend(lineage.iter().flat_map(|lineage| ["--lineage", lineage]));
        hypso_ok(Path::new("."), &convert);
        let decoded = |tile: TileCoord| {
            let heights = CodeTile::decode(&made.heights.tile(tile).unwrap().unwrap()).unwrap();
            let lineage = made.lineage.as_ref().expect("lineage").tile(tile).unwrap().unwrap();
            (tile, (heights, decode_lineage(&lineage).unwrap().1))
        };
        let coords = made.coords();
        Self { tiles: coords.iter().copied().map(decoded).collect(), coords, heights: Heights::open(&path).unwrap() }
    }

    /// The code of a pixel of the world; the outer `None` where its zoom has no tile there.
    fn code(&self, z: u8, x: i64, y: i64) -> Option<Option<f64>> {
        let side = SIDE as i64;
        let (tile, _) = self.tiles.get(&TileCoord::new(z, (x / side) as u32, (y / side) as u32)?)?;
        let at = (y % side) as usize * SIDE + (x % side) as usize;
        Some((tile.valid[at] == 1).then(|| f64::from(tile.codes[at])))
    }

    /// Height, zoom and source of a place by the definition in `docs/heights-format.md`, and whether a coarser zoom had a part in it.
    fn defined(&self, (lon, lat): (f64, f64), how: &Sampling) -> (Option<(f64, u8, Option<u8>)>, bool) {
        let u = (lon + 180.0) / 360.0;
        let v = 0.5 - lat.to_radians().tan().asinh() / std::f64::consts::TAU;
        for z in (0..=self.heights.shape().max_zoom).rev() {
            let side = (SIDE as f64) * f64::from(z).exp2();
            let (x, y) = ((u * side).floor() as i64, (v * side).floor() as i64);
            let own = match self.code(z, x, y) {
                None => continue,
                Some(None) if how.voids == Voids::FillFromCoarser => continue,
                Some(None) => return (None, false),
                Some(Some(code)) => code,
            };
            let at = (y % SIDE as i64) as usize * SIDE + (x % SIDE as i64) as usize;
            let tile = TileCoord::new(z, x as u32 / SIDE as u32, y as u32 / SIDE as u32).unwrap();
            let source = Some(self.tiles[&tile].1[at]).filter(|&source| source != NO_SOURCE);
            if how.interpolation == Interpolation::Nearest {
                return (Some((own / 256.0 - 32_768.0, z, source)), false);
            }
            let (px, py) = (u * side - 0.5, v * side - 0.5);
            let (mut sum, mut weight, mut coarser) = (0.0, 0.0, false);
            for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let (x, y) = (px.floor() as i64 + dx, py.floor() as i64 + dy);
                let part = (1.0 - (px - x as f64).abs()) * (1.0 - (py - y as f64).abs());
                let found = (0..=z).rev().find_map(|c| self.code(c, x >> (z - c), y >> (z - c)).map(|code| (code, c)));
                coarser |= found.is_some_and(|(_, c)| c < z);
                if let Some((Some(code), _)) = found {
                    (sum, weight) = (sum + code * part, weight + part);
                }
            }
            return (Some((sum / weight / 256.0 - 32_768.0, z, source)), coarser);
        }
        (None, false)
    }

    /// Places in tiles of all zooms, within two pixels of their borders, and in the box around all.
    fn places(&self, count: usize, random: &mut Random) -> Vec<(f64, f64)> {
        let boxes: Vec<Bounds> = self.coords.iter().map(|tile| tile.bounds()).collect();
        let finest = self.coords.iter().zip(&boxes).filter(|(tile, _)| tile.z() > 5).map(|(_, b)| *b);
        let around = finest.reduce(|a, b| a.union(&b)).unwrap();
        let mut place = |n: usize| {
            let b = if n % 4 == 3 { around } else { boxes[random.next() as usize % boxes.len()] };
            let mut share = [random.unit(), random.unit()];
            if n % 4 == 2 {
                let rim = (random.unit() * 4.0 - 2.0) / SIDE as f64;
                share[n / 4 % 2] = rim + f64::from(u8::from(n / 8 % 2 == 1));
            }
            let lat_lon = web_mercator::to_lon_lat(b.min_x + share[0] * b.width(), b.min_y + share[1] * b.height());
            (lat_lon.0.clamp(-179.99, 179.99), lat_lon.1.clamp(-85.0, 85.0))
        };
        (0..count).map(&mut place).collect()
    }
}

/// How many answers were of each kind: heights, none, with a coarser zoom at the border, filled from a coarser zoom.
type Kinds = [usize; 4];

fn compare(name: &str, made: &Made) -> Kinds {
    let region = Region::of(name, made);
    let places = region.places(count(), &mut Random(7));
    let points: Vec<LonLat> = places.iter().map(|&(lon, lat)| LonLat::new(lon, lat).unwrap()).collect();
    let (mut kinds, mut batch) = ([0; 4], Vec::new());
    for how in [
        Sampling::default(),
        Sampling::default().voids(Voids::FillFromCoarser),
        Sampling::default().interpolation(Interpolation::Nearest),
    ] {
        region.heights.at_many(&points, &how, &mut batch).unwrap();
        for ((&place, &point), answer) in places.iter().zip(&points).zip(&batch) {
            let (defined, coarser) = region.defined(place, &how);
            let alone = region.heights.sample(point, &how).unwrap();
            assert_eq!(alone, *answer, "{name} {place:?} {how:?}: one by one and in a batch");
            match (defined, answer) {
                (None, None) => {}
                (Some((metres, zoom, source)), Some(height)) => {
                    assert_eq!((height.zoom, height.source), (zoom, source), "{name} {place:?} {how:?}");
                    assert!((height.metres - metres).abs() < 1e-5, "{name} {place:?} {how:?}: {metres} {height:?}");
                }
                _ => panic!("{name} {place:?} {how:?}: {defined:?}, found {answer:?}"),
            }
            let plain = how == Sampling::default();
            kinds[0] += usize::from(plain && defined.is_some());
            kinds[1] += usize::from(plain && defined.is_none());
            kinds[2] += usize::from(plain && coarser);
            let filled = how.voids == Voids::FillFromCoarser && defined.is_some();
            kinds[3] += usize::from(filled && region.defined(place, &Sampling::default()).0.is_none());
        }
    }
    println!("{name}: {} points; heights, none, coarser at the border, filled: {kinds:?}", places.len());
    kinds
}

#[test]
fn points_of_every_region_are_those_of_the_decoded_tiles() {
    let regions = [
        ("logan", vec!["ned10m-watershed", "usgs100m"]),
        ("los-angeles", vec!["glo30", "srtm30m-utm"]),
        ("oetztal", vec!["srtm3", "vinschgau250m"]),
        ("taketomi", vec!["gsi-dem5b/*.tif"]),
        ("ventoux", vec!["srtm3-holed", "srtm3-utm31"]),
    ];
    let mut sum = [0; 4];
    let mut add = |name: &str, made: &Made| {
        let kinds = compare(name, made);
        assert!(kinds[0] > count() / 50, "{name}: {kinds:?}");
        sum.iter_mut().zip(kinds).for_each(|(sum, kind)| *sum += kind);
    };
    let Some(fuji) = FUJI.as_ref() else { return };
    add("fuji", fuji);
    for (name, sources) in regions {
        let sources: Vec<&str> = sources.into_iter().chain(["--lineage"]).collect();
        let Some(made) = made(name, &format!("asked-{name}.pmtiles"), &sources) else { return };
        add(name, &made);
    }
    // All kinds came up: voids and what no tile covers, tiles beside coarser ones, voids over coarser heights.
    assert!(sum.iter().all(|&kind| kind > 20), "{sum:?}");
}

/// A source whose cells are the pixels of a zoom, and that zoom.
fn against_gdal(set: &str, source: &str, mosaic: &Reference, most: usize) -> usize {
    let name = source.split('/').next().unwrap();
    let made = made(set, &format!("sampled-{name}.pmtiles"), &[source]).unwrap();
    let path = scratch(&format!("sampled-{name}.heights"));
    hypso_ok(Path::new("."), &["convert", made.heights.path().to_str().unwrap(), "-o", path.to_str().unwrap()]);
    let heights = Heights::open(&path).unwrap();
    let zoom = made.max_zoom();
    let bound = CODEC.vertical.step(zoom) / 2.0 + 1e-3;
    let (mut compared, mut farthest, mut turn) = (0, 0f64, 0u32);
    let tiles: Vec<TileCoord> = made.coords().into_iter().filter(|tile| tile.z() == zoom).collect();
    while compared < most && turn < 100 {
        // Another tile in each turn, and other places between its cells.
        let tile = tiles[turn as usize % tiles.len()];
        let shift = [f64::from(turn * 37 % 101) / 101.0 + 0.003, f64::from(turn * 61 % 103) / 103.0 + 0.004];
        turn += 1;
        let (cells, b) = (warped(&mosaic.path, tile), tile.bounds());
        let pixel = b.width() / SIDE as f64;
        let (dx, dy) = (shift[0] * pixel, shift[1] * pixel);
        let moved = Bounds::new(b.min_x + dx, b.min_y - dy, b.max_x + dx, b.max_y - dy);
        let sampled = warped_box(&mosaic.path, &format!("{tile}-{turn}").replace('/', "-"), moved);
        for (at, sampled) in sampled.iter().enumerate().filter(|(at, _)| at % SIDE < SIDE - 1 && at / SIDE < SIDE - 1) {
            // Where one of the four cells is void, GDAL and the definition share its weight in ways of their own.
            if [0, 1, SIDE, SIDE + 1].iter().any(|d| cells[at + d].is_nan()) {
                continue;
            }
            let (x, y) = ((at % SIDE) as f64 + 0.5, (at / SIDE) as f64 + 0.5);
            let (lon, lat) = web_mercator::to_lon_lat(moved.min_x + x * pixel, moved.max_y - y * pixel);
            let height = heights.at(lon, lat).unwrap().unwrap_or_else(|| panic!("{source} {lon} {lat}: no height"));
            let off = (height.metres - f64::from(*sampled)).abs();
            assert!(off <= bound, "{source} {lon} {lat}: {height:?}, GDAL has {sampled}");
            (compared, farthest) = (compared + 1, farthest.max(off));
        }
    }
    println!("{source}: {compared} points, at most {farthest:.4} m from GDAL's, the bound is {bound:.4} m");
    // The rounding is seen: the bound is no wide one.
    assert!(farthest > bound * 0.7, "{farthest} of {bound}");
    compared
}

/// Where cells are the pixels of a zoom, a height is the mean of the same four cells as GDAL's, each rounded to the step of the zoom. So
/// both differ by half a step at most, with no tolerance but that of single precision. Where the lattices differ no such bound exists:
/// a height is interpolated twice then, and lies between the cells around (`points_lie_between_the_cells_around`).
#[test]
fn where_cells_are_pixels_points_are_within_half_a_step_of_gdals_samples() {
    let Some(dem) = common::shared("dem") else { return };
    let files = |name: &str| rasters(&dem.join("fuji").join(name), ".tif");
    let mapbox = against_gdal("fuji", "mapbox76m/*.tif", &Reference::of(&files("mapbox76m")[0]), count() * 10);
    let mesh = Reference::mosaic("sampled-mesh", &files("gsi-dem5a-z13"));
    let mesh = against_gdal("fuji", "gsi-dem5a-z13", &mesh, count() * 10);
    assert!(mapbox >= count() && mesh >= count(), "{mapbox} {mesh}");
}

#[test]
fn points_lie_between_the_cells_around() {
    let Some(dem) = common::shared("dem") else { return };
    for (set, source) in [("los-angeles", "glo30"), ("logan", "usgs100m"), ("taketomi", "gsi-dem5b")] {
        let mosaic = Reference::mosaic(&format!("between-{source}"), &rasters(&dem.join(set).join(source), ".tif"));
        let made = made(set, &format!("between-{source}.pmtiles"), &[&format!("{source}/*.tif")]).unwrap();
        let path = scratch(&format!("between-{source}.heights"));
        hypso_ok(Path::new("."), &["convert", made.heights.path().to_str().unwrap(), "-o", path.to_str().unwrap()]);
        let (heights, zoom) = (Heights::open(&path).unwrap(), made.max_zoom());
        let tiles: Vec<TileCoord> = made.coords().into_iter().filter(|tile| tile.z() == zoom).collect();
        let mut random = Random(19);
        let mut place = |_| {
            let b = tiles[random.next() as usize % tiles.len()].bounds();
            web_mercator::to_lon_lat(b.min_x + random.unit() * b.width(), b.min_y + random.unit() * b.height())
        };
        let places: Vec<(f64, f64)> = (0..count().min(3000)).map(&mut place).collect();
        let known: Vec<_> =
            places.iter().filter_map(|&(lon, lat)| Some((lon, lat, heights.at(lon, lat).unwrap()?))).collect();
        let at: Vec<(f64, f64)> = known.iter().map(|&(lon, lat, _)| (lon, lat)).collect();
        let slack = CODEC.vertical.step(zoom) / 2.0 + 1e-3;
        for ((lon, lat, height), around) in known.iter().zip(mosaic.around(&at, 2)) {
            let low = around.cells.iter().copied().fold(f64::INFINITY, f64::min) - slack;
            let high = around.cells.iter().copied().fold(f64::NEG_INFINITY, f64::max) + slack;
            assert!((low..=high).contains(&height.metres), "{source} {lon} {lat}: {height:?}, {around:?}");
        }
        println!("{source}: {} of {} points have a height", known.len(), places.len());
        assert!(known.len() > 300, "{source}: {}", known.len());
    }
}
