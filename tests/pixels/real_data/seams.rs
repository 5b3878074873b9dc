//! Sources of several files: no step where they meet; the sea around an island.

use super::*;

/// A line along which files abut, in degrees.
type Seam = [(f64, f64); 2];

/// Tiles of a source of several files, against the mosaic of the files warped by GDAL; along the seams too.
fn check_seams(set: &str, source: &str, zoom: u8, seams: &[Seam]) {
    let Some(dem) = common::shared("dem") else { return };
    let name = format!("{set}.pmtiles");
    let min = zoom.to_string();
    let Some(made) =
        made(set, &name, &[&format!("{source}/*.tif"), "--vertical-resolution", "full", "--min-zoom", &min])
    else {
        return;
    };
    assert_eq!(made.max_zoom(), zoom);
    let mosaic = Reference::mosaic(source, &rasters(&dem.join(set).join(source), ".tif"));
    let pixel = web_mercator::resolution(zoom, SIDE as u32);
    let (mut compared, mut worst, mut on_seam) = (0usize, 0f32, vec![0usize; seams.len()]);
    for coord in made.coords() {
        let tile = made.tile(coord).unwrap();
        let theirs = warped(&mosaic.path, coord);
        // A kernel of a cell each side, cells up to two pixels wide.
        let inside = inside(&theirs, 5);
        let corner = coord.bounds();
        let mut near = vec![0u8; SIDE * SIDE];
        for (i, [from, to]) in seams.iter().enumerate() {
            let (a, b) = (web_mercator::from_lon_lat(from.0, from.1), web_mercator::from_lon_lat(to.0, to.1));
            for t in 0..=4000 {
                let t = f64::from(t) / 4000.0;
                let column = ((a.0 + (b.0 - a.0) * t - corner.min_x) / pixel).floor() as i64;
                let row = ((corner.max_y - a.1 - (b.1 - a.1) * t) / pixel).floor() as i64;
                for (c, r) in (-2..=2).flat_map(|d| [(column + d, row), (column, row + d)]) {
                    if (0..SIDE as i64).contains(&c) && (0..SIDE as i64).contains(&r) {
                        near[r as usize * SIDE + c as usize] |= 1 << i;
                    }
                }
            }
        }
        for at in 0..SIDE * SIDE {
            if inside[at] {
                assert_eq!(tile.heights.valid[at], 1, "{coord} pixel {at}");
                let difference = (tile.heights.values[at] - theirs[at]).abs();
                assert!(difference <= 0.02, "{coord} pixel {at}: {} and {}", tile.heights.values[at], theirs[at]);
                worst = worst.max(difference);
                compared += 1;
                on_seam.iter_mut().enumerate().for_each(|(i, n)| *n += usize::from(near[at] >> i & 1));
            } else if theirs[at].is_nan() && tile.heights.valid[at] == 0 {
                assert_eq!(tile.heights.values[at], 0.0);
            }
        }
    }
    println!("{set}: {compared} pixels, {on_seam:?} on seams, at most {worst} m from gdalwarp");
    assert!(compared > 20_000 && on_seam.iter().all(|&n| n > 200), "{compared}, {on_seam:?}");
}

#[test]
fn no_step_where_four_pieces_abut() {
    let (lon, lat) = (-118.000_138_9, 34.000_138_9);
    check_seams("los-angeles", "glo30", 12, &[[(lon, 33.948), (lon, 34.052)], [(-118.052, lat), (-117.948, lat)]]);
}

#[test]
fn no_step_between_strips_in_utm() {
    check_seams(
        "logan",
        "usgs100m",
        10,
        &[
            [(-111.8126, 41.9996), (-111.4636, 42.0016)],
            [(-111.8111, 41.8880), (-111.4628, 41.8899)],
            [(-111.8097, 41.7763), (-111.4620, 41.7782)],
        ],
    );
}

#[test]
fn no_step_between_meshes_of_an_island() {
    check_seams(
        "taketomi",
        "gsi-dem5b",
        14,
        &[
            [(124.0875, 24.31), (124.0875, 24.333)],
            [(124.076, 24.316_667), (124.111, 24.316_667)],
            [(124.076, 24.325), (124.111, 24.325)],
        ],
    );
}

#[test]
fn the_sea_is_opaque_and_0_m_and_a_single_cell_survives() {
    let Some(dem) = common::shared("dem") else { return };
    let args = ["gsi-dem5b/*.tif", "--lineage", "--min-zoom", "13"];
    let Some(island) = made("taketomi", "taketomi-lineage-too.pmtiles", &args) else { return };
    let files = rasters(&dem.join("taketomi/gsi-dem5b"), ".tif");
    let sources = [Source(vec![Reference::mosaic("taketomi-mosaic", &files)])];
    let counts = island.check(&sources, &grid(124.07, 24.30, 124.115, 24.34, 60), 1);
    assert!(counts[0] > 800, "{counts:?}");
    let mut sea = 0;
    for (coord, bytes) in island.bytes() {
        let mut image = image_webp::WebPDecoder::new(std::io::Cursor::new(bytes)).unwrap();
        assert!(!image.has_alpha(), "{coord} has transparent pixels");
        let mut rgb = vec![0; SIDE * SIDE * 3];
        image.read_image(&mut rgb).unwrap();
        let tile = island.tile(coord).unwrap();
        for (pixel, valid) in rgb.chunks_exact(3).zip(&tile.heights.valid) {
            if *valid == 0 {
                assert_eq!(pixel, [128, 0, 0], "{coord}");
                sea += 1;
            }
        }
    }
    assert!(sea > 100_000, "{sea}");
    // Column 1, row 94 of mesh 98 is its only cell.
    let cell = (124.1 + 1.5 * 0.2 / 3600.0, 24.333_333_333 - 94.5 * 0.2 / 3600.0);
    let pixel = island.pixel(cell).expect("a tile around the cell");
    assert_eq!((pixel.height, pixel.source), (Some(0.0), 0), "{pixel:?}");
}
