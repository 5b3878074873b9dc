//! Five sources, 10 m to 900 m: heights, sources, parents, holes, other coordinates.

use super::*;

pub static FUJI: LazyLock<Option<Made>> = LazyLock::new(|| {
    let sources = ["gsi-dem5a/*.tif", "gsi-dem5a-z13", "aster30m", "mapbox76m/*.tif", "srtm30"];
    made("fuji", "fuji.pmtiles", &[&sources[..], &["--lineage"]].concat())
});

fn fuji_sources(dem: &Path) -> Vec<Source> {
    ["gsi-dem5a", "gsi-dem5a-z13", "aster30m", "mapbox76m", "srtm30"]
        .map(|name| Source(vec![Reference::mosaic(name, &rasters(&dem.join("fuji").join(name), ".tif"))]))
        .into()
}

#[test]
fn fuji_has_the_heights_and_sources_it_should_have_everywhere() {
    let (Some(dem), Some(fuji)) = (common::shared("dem"), FUJI.as_ref()) else { return };
    let coords = fuji.coords();
    for z in 0..=14 {
        assert!(coords.iter().any(|t| t.z() == z), "zoom {z} is missing");
    }
    assert_eq!(coords.iter().map(|t| t.z()).max(), Some(14));
    let sources = fuji_sources(&dem);
    // Named places: the source that has to be there, and the zoom of its tiles or of finer ones around.
    let places = [
        ("summit, a hole of z13", (138.7275, 35.3607), 2, 12),
        ("Lake Yamanaka's shore, z13", (139.0, 35.45), 1, 12),
        ("south-western foot, 5 m mesh", (138.506, 35.254), 0, 14),
        ("western foot, mapbox only", (138.58, 35.40), 3, 11),
        ("Mount Kita, srtm30 only", (138.2389, 35.6744), 4, 8),
        ("Kiso mountains, srtm30 only", (137.6, 35.8), 4, 7),
    ];
    for (name, point, source, zoom) in places {
        let pixel = fuji.pixel(point).unwrap_or_else(|| panic!("{name}: no tile"));
        assert_eq!((pixel.source, pixel.tile.z()), (source, zoom), "{name}: {pixel:?}");
        let counts = fuji.check(&sources, &[point], 1);
        assert_eq!(counts[usize::from(source)], 1, "{name}");
    }
    let summit = fuji.pixel((138.7275, 35.3607)).unwrap().height.unwrap();
    assert!((summit - 3757.0).abs() < 25.0, "the summit is {summit} m high");

    // Everything, the middle with the holes, and the mesh.
    let mut points = grid(137.44, 34.46, 139.94, 36.96, 24);
    points.extend(grid(138.5, 35.17, 139.22, 35.54, 40));
    points.extend(grid(138.49, 35.245, 138.52, 35.265, 24));
    let counts = fuji.check(&sources, &points, 1);
    println!("fuji: {counts:?} pixels by source");
    assert!(counts.iter().all(|&n| n >= 50), "{counts:?}");
}

#[test]
fn a_parent_is_the_mean_of_its_children_as_encoded() {
    let Some(fuji) = FUJI.as_ref() else { return };
    let mut compared = 0;
    for parent in fuji.coords().into_iter().filter(|t| t.z() < fuji.max_zoom()) {
        let tile = fuji.tile(parent).unwrap();
        let step = CODEC.vertical.step(parent.z());
        for (quadrant, child) in parent.children().into_iter().flatten().enumerate() {
            let Some(child) = fuji.tile(child) else { continue };
            for at in 0..SIDE * SIDE / 4 {
                let (x, y) = (at % (SIDE / 2), at / (SIDE / 2));
                let block = [0, 1, SIDE, SIDE + 1].map(|d| 2 * y * SIDE + 2 * x + d);
                let known: Vec<_> = block.into_iter().filter(|&b| child.heights.valid[b] == 1).collect();
                let here = (y + (quadrant >> 1) * SIDE / 2) * SIDE + x + (quadrant & 1) * SIDE / 2;
                assert_eq!(tile.heights.valid[here] == 1, !known.is_empty(), "{parent} pixel {here}");
                if !known.is_empty() {
                    let sum: f64 = known.iter().map(|&b| f64::from(child.heights.values[b])).sum();
                    let mean = (sum / known.len() as f64 / step).round() * step;
                    assert_eq!(f64::from(tile.heights.values[here]), mean, "{parent} pixel {here}");
                    let sources: Vec<u8> = known.iter().map(|&b| child.sources[b]).collect();
                    assert!(sources.contains(&tile.sources[here]), "{parent} pixel {here}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 1_000_000, "{compared}");
}

#[test]
fn holes_are_filled_by_the_next_source() {
    let Some(dem) = common::shared("dem") else { return };
    let folder = dem.join("ventoux");
    let args = ["srtm3-holed", "srtm3", "srtm3-utm31", "--min-zoom", "10", "--lineage"];
    let Some(all) = made("ventoux", "ventoux.pmtiles", &args) else { return };
    let sources: Vec<_> = ["srtm3-holed/N44E005_big_hole.tif", "srtm3/N44E005.hgt", "srtm3-utm31/N44E005_UTM.tif"]
        .map(|f| Source(vec![Reference::of(&folder.join(f))]))
        .into();
    let counts = all.check(&sources, &grid(4.95, 43.95, 6.06, 45.03, 56), 1);
    println!("ventoux: {counts:?} pixels by source");
    assert!(counts[0] > 1000 && counts[1] > 500, "{counts:?}");
    // Holed and whole hold the same cells, and the hole must be exactly what srtm3 alone gives. The holed file was written
    // with a coarser number for its cell's size, up to 0.007 cells aside: elsewhere a height may fall into the next step.
    let Some(whole) = made("ventoux", "ventoux-srtm3.pmtiles", &["srtm3", "--min-zoom", "10"]) else { return };
    let (mut filled, mut own, mut different) = (0, 0, 0);
    let mut apart = Vec::new();
    for coord in whole.coords() {
        let (a, b) = (all.tile(coord).unwrap(), whole.tile(coord).unwrap());
        // Beside a hole the kernel has fewer cells, so that the heights may differ there and nowhere else.
        let own_cells: Vec<f32> = a.sources.iter().map(|&s| if s == 0 { 0.0 } else { f32::NAN }).collect();
        for (at, clear) in inside(&own_cells, 3).into_iter().enumerate() {
            let difference = f64::from(a.heights.values[at] - b.heights.values[at]).abs();
            match a.sources[at] {
                1 => {
                    assert!(difference == 0.0 && b.heights.valid[at] == 1, "{coord} pixel {at}");
                    filled += 1;
                }
                0 if b.heights.valid[at] == 1 && clear => {
                    if difference > CODEC.vertical.step(coord.z()) {
                        apart.push(centre(coord, at));
                    }
                    own += 1;
                    different += u32::from(difference > 0.0);
                }
                _ => {}
            }
        }
    }
    println!("ventoux: {filled} pixels filled; {different} of {own} others a step aside, {} more", apart.len());
    // A hole of one cell may take weight from a pixel and yet from none the half.
    assert!(apart.len() < 2000, "{}", apart.len());
    for (place, around) in apart.iter().zip(sources[0].around(&apart, 1)) {
        assert!(!around.whole, "{place:?} is amid {:?}", around.cells);
    }
    assert!(filled > 100_000 && own > 1_000_000 && different * 20 < own, "{filled}, {different} of {own}");
}

#[test]
fn sources_in_different_coordinates_overlap() {
    let Some(dem) = common::shared("dem") else { return };
    let folder = dem.join("oetztal");
    let source = |name: &str| Source(rasters(&folder.join(name), ".tif").iter().map(|f| Reference::of(f)).collect());
    for (output, order) in
        [("oetztal.pmtiles", ["srtm3", "vinschgau250m"]), ("vinschgau.pmtiles", ["vinschgau250m", "srtm3"])]
    {
        let Some(made) = made("oetztal", output, &[order[0], order[1], "--lineage", "--min-zoom", "8"]) else { return };
        assert_eq!(made.max_zoom(), 10);
        let counts = made.check(&order.map(source), &grid(10.27, 46.43, 11.12, 47.03, 56), 1);
        println!("{order:?}: {counts:?} pixels by source");
        assert!(counts[0] > 800 && counts[1] > 400, "{counts:?}");
    }
}
