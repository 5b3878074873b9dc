//! The sample: the same bytes every time, and everything in it that real collections have.
#![cfg(feature = "gdal")]

use std::collections::BTreeSet;
use std::path::Path;

use hypso::catalog::{self, SourceSpec};
use hypso::progress::Silent;
use hypso::raster::gdal::GdalRaster;
use hypso::raster::{Cells, Raster, State, Window};
use hypso::raster::{GeoTiffCompression, GeoTiffType};
use hypso::sample::{self, Size, Survey};

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = Survey::ALL
        .iter()
        .flat_map(|s| std::fs::read_dir(folder.join(s.name())).unwrap())
        .map(|e| e.unwrap().path())
        .map(|p| (p.strip_prefix(folder).unwrap().display().to_string(), std::fs::read(&p).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn the_same_bytes_every_time_and_no_other_folder_is_touched() {
    crate::common::read_rasters();
    let temporary = tempfile::tempdir().unwrap();
    let (a, b, c) = (temporary.path().join("a"), temporary.path().join("b"), temporary.path().join("c"));
    let made = sample::write(&a, Size::Small, 1, false, &Silent).unwrap();
    sample::write(&b, Size::Small, 1, false, &Silent).unwrap();
    sample::write(&c, Size::Small, 2, false, &Silent).unwrap();
    assert!(files(&a) == files(&b));
    assert!(files(&a) != files(&c));
    assert_eq!(made.files, files(&a).len());
    assert!(made.bytes < 1_500_000, "{}", made.bytes);
    assert!(sample::write(&a, Size::Small, 1, false, &Silent).unwrap_err().to_string().contains("exists"));
    sample::write(&a, Size::Small, 1, true, &Silent).unwrap();
    std::fs::remove_file(b.join("hypso.toml")).unwrap();
    assert!(sample::write(&b, Size::Small, 1, true, &Silent).unwrap_err().to_string().contains("not made by"));
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 3, "nothing temporary is left");
}

#[test]
fn it_has_what_real_collections_have() {
    let sheets = sample::sheets(Size::Small);
    let distinct = |f: fn(&sample::Sheet) -> String| sheets.iter().map(f).collect::<BTreeSet<_>>();
    assert_eq!(distinct(|s| s.spec.crs.clone()), ["EPSG:32654", "EPSG:4326", "EPSG:6668"].map(String::from).into());
    assert!(
        sheets.iter().any(|s| s.spec.data_type == GeoTiffType::I16)
            && sheets.iter().any(|s| s.spec.data_type == GeoTiffType::F32)
    );
    for compress in [GeoTiffCompression::None, GeoTiffCompression::Deflate, GeoTiffCompression::Lzw] {
        assert!(sheets.iter().any(|s| s.spec.compress == compress));
    }
    assert!(sheets.iter().any(|s| s.spec.tiled.is_some()) && sheets.iter().any(|s| s.spec.tiled.is_none()));

    crate::common::read_rasters();
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("s");
    sample::write(&folder, Size::Small, 1, false, &Silent).unwrap();
    let specs = catalog::config::read(folder.join("hypso.toml")).unwrap();
    assert_eq!(specs.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["lidar2", "dem10", "aw30"]);
    let specs: Vec<SourceSpec> = specs;
    let built = catalog::build_catalog(&specs, &Default::default(), &Silent).unwrap();
    let overlapping = |source: usize| {
        let of = || built.records.iter().filter(move |r| r.source == source).map(|r| r.bounds.buffered(-5.0));
        of().enumerate().any(|(i, a)| of().skip(i + 1).any(|b| a.overlaps(&b)))
    };
    assert!(overlapping(0), "two blocks of the finest survey overlap");
    assert!(!overlapping(1), "the meshes abut");
    for (source, nodata) in [(0, true), (1, true), (2, false)] {
        let mut holes = 0;
        for record in built.records.iter().filter(|r| r.source == source) {
            let mut raster = GdalRaster::open(built.sources[source].root.join(&record.path), None).unwrap();
            let mut cells =
                Cells::outside(Window { col: 0, row: 0, width: record.width as usize, height: record.height as usize });
            raster.read_into(&mut cells).unwrap();
            holes += cells.state.iter().filter(|&&s| s == State::NODATA).count();
            assert!(cells.state.contains(&State::VALID), "{}", record.path);
        }
        assert_eq!(holes > 0, nodata, "source {source}");
    }
}
