//! Heights as GeoTIFF: read back by GDAL's own programs, cell by cell.
#![cfg(feature = "gdal")]

use std::path::Path;

use crate::program::{World, fails, gdal, names, ok, run, scratch};
use hypso::archive::{self, ArchiveMetadata, TileFormat};
use hypso::pixels::{Coding, NODATA};
use hypso::terrain::{ElevationTile, Encoding, ImageFormat, TileCodec};
use hypso::tile::TileCoord;

/// All cells of a raster, by GDAL.
fn cells(tif: &str, raw: &str) -> Vec<f32> {
    run("gdal_translate", &["-q", "-of", "ENVI", "-ot", "Float32", tif, raw]);
    std::fs::read(raw).unwrap().as_chunks().0.iter().map(|&four| f32::from_le_bytes(four)).collect()
}

fn info(tif: &str) -> serde_json::Value {
    serde_json::from_str(&run("gdalinfo", &["-json", tif])).unwrap()
}

/// The heights of a tile, row by row.
fn heights(path: &str, tile: TileCoord) -> Option<ElevationTile> {
    let archive = archive::open(Path::new(path)).unwrap();
    let Coding::Elevation(codec) = Coding::of(archive.as_ref()).unwrap() else { panic!("no heights") };
    archive.tile(tile).unwrap().map(|bytes| codec.decode(&bytes).unwrap())
}

#[test]
fn one_zoom_of_an_archive_becomes_a_cloud_optimised_geotiff() {
    if !gdal() {
        return;
    }
    let world = World::get();
    let (folder, path) = scratch();
    let (input, tif) = (world.path("s.pmtiles"), path("dem.tif"));
    let said = run(crate::program::HYPSO, &["convert", &input, "-o", &tif, "--zoom", "14"]);
    assert!(said.contains("of zoom 14"), "{said}");
    let about = info(&tif);
    assert_eq!(about["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"], "COG");
    assert_eq!(about["bands"][0]["type"], "Float32");
    assert_eq!(about["bands"][0]["noDataValue"], f64::from(NODATA));
    assert!(about["coordinateSystem"]["wkt"].as_str().unwrap().contains("\"EPSG\",3857"), "{about}");
    let [width, height] = [0, 1].map(|n| about["size"][n].as_u64().unwrap() as usize);
    let transform: Vec<f64> = serde_json::from_value(about["geoTransform"].clone()).unwrap();
    assert!(width % 512 == 0 && height % 512 == 0 && width * height > 512 * 512, "{width} x {height}");

    let found = cells(&tif, &path("cells.raw"));
    assert_eq!(found.len(), width * height);
    let mut valid = 0;
    let (mut high, mut low) = (f32::MIN, f32::MAX);
    for row in 0..height / 512 {
        for column in 0..width / 512 {
            let corner =
                [transform[0] + column as f64 * 512.0 * transform[1], transform[3] + row as f64 * 512.0 * transform[5]];
            let at = |metres: f64| ((metres / 20_037_508.342_789_244 + 1.0) / 2.0 * 16384.0).round() as u32;
            let tile = TileCoord::new(14, at(corner[0]), 16384 - at(corner[1])).unwrap();
            let bounds = tile.bounds();
            assert!((bounds.min_x - corner[0]).abs() < 1e-3 && (bounds.max_y - corner[1]).abs() < 1e-3, "{tile}");
            let expected = heights(&input, tile);
            for y in 0..512 {
                let start = (row * 512 + y) * width + column * 512;
                for (x, &cell) in found[start..start + 512].iter().enumerate() {
                    let pixel = expected.as_ref().filter(|t| t.valid[y * 512 + x] == 1).map(|t| t.values[y * 512 + x]);
                    assert!(cell == pixel.unwrap_or(NODATA), "{tile} {x} {y}: {cell} {pixel:?}");
                    valid += usize::from(pixel.is_some());
                    if let Some(pixel) = pixel {
                        (low, high) = (low.min(pixel), high.max(pixel));
                    }
                }
            }
        }
    }
    assert!(valid > 10_000 && high > low, "{valid}");
    let _ = std::fs::remove_file(path("cells.raw"));

    // A file that is there stays, and what only archives have is refused.
    fails(1, &["exists already"], &["convert", &input, "-o", &tif]);
    fails(2, &["leave out what is for archives"], &["convert", &input, "-o", &path("b.tif"), "--set", "name=x"]);
    fails(2, &["leave out what is for archives"], &["convert", &input, "-o", &path("b.tif"), "--encoding", "mapbox"]);
    fails(1, &["none is chosen"], &["convert", &input, "-o", &path("b.tif"), "--bbox", "1,2,3,4"]);
    fails(1, &["holds lineage"], &["convert", &world.path("s-lineage.pmtiles"), "-o", &path("b.tif")]);
    ok(&["convert", &input, "-o", &tif, "--overwrite", "--zoom", "9"]);
    assert_eq!(info(&tif)["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"], "COG");
    let left: Vec<String> =
        names(folder.path()).into_iter().filter(|n| !n.starts_with("cells") && *n != "dem.tif").collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn a_raster_across_180_degrees_goes_on_beyond_and_a_single_tile_is_one_too() {
    if !gdal() {
        return;
    }
    let (_folder, path) = scratch();
    let codec = TileCodec::new(Encoding::Terrarium, ImageFormat::Png);
    let metadata = ArchiveMetadata {
        name: "n".into(),
        format: TileFormat::Png,
        encoding: Some(Encoding::Terrarium.into()),
        tile_size: Some(64),
        ..ArchiveMetadata::default()
    };
    let input = path("a.pmtiles");
    let mut sink = archive::create(Path::new(&input), &metadata, false).unwrap();
    let mut all: Vec<TileCoord> = [0, 7].map(|x| TileCoord::new(3, x, 4).unwrap()).into();
    all.sort_by_key(|&tile| hypso::tile::TileId::from(tile));
    for tile in all {
        let mut heights = ElevationTile::empty(64);
        heights.values.fill(tile.x() as f32 + 0.5);
        heights.valid.fill(1);
        heights.valid[5] = 0;
        sink.put(tile, &codec.encode(&heights).unwrap()).unwrap();
    }
    sink.finish().unwrap();
    ok(&["convert", &input, "-o", &path("a.tif"), "--bbox", "170,-10,-170,-1"]);
    let about = info(&path("a.tif"));
    assert_eq!(about["size"], serde_json::json!([128, 64]));
    let west = about["geoTransform"][0].as_f64().unwrap();
    assert!((west - 20_037_508.342_789_244 * 0.75).abs() < 1e-3, "{west}");
    let found = cells(&path("a.tif"), &path("a.raw"));
    assert_eq!((found[0], found[5], found[64], found[69]), (7.5, NODATA, 0.5, NODATA));

    ok(&["tile", &input, "3/7/4", "--decode", "--format", "geotiff", "-o", &path("t.tif")]);
    let found = cells(&path("t.tif"), &path("t.raw"));
    assert!(found.len() == 4096 && found[5] == NODATA && found[6] == 7.5);
    fails(2, &["needs --output"], &["tile", &input, "3/7/4", "--decode", "--format", "geotiff"]);
    fails(1, &["exists already"], &["tile", &input, "3/7/4", "--decode", "--format", "geotiff", "-o", &path("t.tif")]);
}
