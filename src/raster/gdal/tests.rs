//! Tests of `gdal.rs` and `gdal/geotiff.rs`: files written, read back, and refused.

use super::super::{GeoTiffCompression, GeoTiffSpec, GeoTiffType, State, Window};
use super::*;

fn spec(data_type: GeoTiffType, tiled: Option<u32>, compress: GeoTiffCompression) -> GeoTiffSpec {
    let transform = GeoTransform::north_up(138.5, 35.25, 0.125, 0.125);
    let (width, height, crs, nodata) = (37, 21, "EPSG:6668".into(), Some(-9999.0));
    GeoTiffSpec { width, height, transform, crs, data_type, nodata, tiled, compress }
}

#[test]
fn what_is_written_is_read_back_and_written_again_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let cells: Vec<f32> = (0..37 * 21).map(|i| if i % 50 == 7 { -9999.0 } else { i as f32 }).collect();
    for data_type in [GeoTiffType::I16, GeoTiffType::F32] {
        for tiled in [None, Some(16)] {
            for compress in [GeoTiffCompression::None, GeoTiffCompression::Deflate, GeoTiffCompression::Lzw] {
                let spec = spec(data_type, tiled, compress);
                let (one, two) = (folder.path().join("1.tif"), folder.path().join("2.tif"));
                write_geotiff(&one, &spec, &cells).unwrap();
                write_geotiff(&two, &spec, &cells).unwrap();
                assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap(), "{spec:?}");
                let mut raster = GdalRaster::open(&one, None).unwrap();
                let info = raster.info();
                assert_eq!((info.width, info.height, info.nodata), (37, 21, Some(-9999.0)));
                assert_eq!((info.crs.as_str(), info.turn, info.transform), ("EPSG:6668", Some(360.0), spec.transform));
                raster.probe_end().unwrap();
                let mut read = Cells::outside(Window { col: -1, row: -1, width: 39, height: 23 });
                raster.read_into(&mut read).unwrap();
                for (i, &want) in cells.iter().enumerate() {
                    let at = (i / 37 + 1) * 39 + i % 37 + 1;
                    let state = if want == -9999.0 { State::NODATA } else { State::VALID };
                    assert_eq!(read.state[at], state);
                    assert_eq!(read.values[at], if state == State::VALID { want } else { 0.0 });
                }
                assert_eq!(read.state.iter().filter(|&&s| s == State::OUTSIDE).count(), 39 * 23 - 37 * 21);
            }
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no file is left beside the targets");
}

#[test]
fn files_that_cant_be_used_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    let mut spec = spec(GeoTiffType::F32, None, GeoTiffCompression::None);
    assert!(write_geotiff(&path, &spec, &[0.0]).unwrap_err().to_string().contains("37 columns"));
    spec.crs.clear();
    write_geotiff(&path, &spec, &vec![1.0; 37 * 21]).unwrap();
    let problem = |assume| GdalRaster::open(&path, assume).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(problem(None).contains("no CRS"), "{}", problem(None));
    assert_eq!(problem(Some("EPSG:4326")), "");
    assert!(problem(Some("EPSG:0")).contains("not known"), "{}", problem(Some("EPSG:0")));
    std::fs::write(&path, "text").unwrap();
    assert!(problem(None).contains("not a raster") && problem(None).contains("not recognized"), "{}", problem(None));
}

#[test]
fn points_beyond_a_crs_become_nan_and_the_others_stay_right() {
    let to_degrees = GdalProjector::new("EPSG:4326").unwrap();
    let (mut xs, mut ys) = ([0.0, f64::NAN, 15_550_408.91], [0.0, 1.0, 4_257_980.73]);
    to_degrees.to_crs(&mut xs, &mut ys).unwrap();
    assert!(xs[1].is_nan() && ys[1].is_nan());
    assert!((xs[2] - 139.691_7).abs() < 1e-3 && (ys[2] - 35.689_5).abs() < 1e-2, "{} {}", xs[2], ys[2]);
    let (mut xs, mut ys) = ([138.0, 0.0], [35.0, 0.0]);
    to_degrees.to_mercator(&mut xs, &mut ys).unwrap();
    let want = crate::tile::web_mercator::from_lon_lat(138.0, 35.0);
    assert!((xs[0] - want.0).abs() < 1e-6 && (ys[0] - want.1).abs() < 1e-6);
}
