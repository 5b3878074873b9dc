//! Rasters that change while they are read, or between two starts.

use super::*;

/// A raster of 30 m cells without compression, so that all of them have one size.
fn raster(path: &str, west: f64, height: f32) {
    let cell = 1.0 / 3600.0;
    let spec = GeoTiffSpec {
        width: 1200,
        height: 1200,
        transform: GeoTransform::north_up(west, 36.0, cell, cell),
        crs: "EPSG:4326".into(),
        data_type: GeoTiffType::F32,
        nodata: Some(-9999.0),
        tiled: None,
        compress: GeoTiffCompression::None,
    };
    let cells: Vec<f32> =
        (0..1200 * 1200).map(|n| height + (n % 1200) as f32 * 0.25 + (n / 1200) as f32 * 0.125).collect();
    write_geotiff(path, &spec, &cells).unwrap();
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    /// Written over, and its time set back.
    InPlace,
    /// Written over, with a time of its own.
    InPlaceLater,
    /// Another file of its name and time.
    Replaced,
}

fn change(change: Change, path: &str, new: &str) {
    let time = std::fs::metadata(path).unwrap().modified().unwrap();
    let bytes = std::fs::read(new).unwrap();
    let set = |path: &str| std::fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    match change {
        Change::InPlaceLater => std::fs::write(path, bytes).unwrap(),
        Change::InPlace => {
            std::fs::write(path, bytes).unwrap();
            set(path);
        }
        Change::Replaced => {
            let beside = format!("{path}.part");
            std::fs::write(&beside, bytes).unwrap();
            set(&beside);
            std::fs::rename(&beside, path).unwrap();
        }
    }
}

fn packs(work: impl AsRef<Path>) -> usize {
    // A program is at work there: names come and go.
    let entries = std::fs::read_dir(work).into_iter().flatten().flatten();
    let count = |path: PathBuf| usize::from(path.extension().is_some_and(|e| e == "pack"));
    entries.map(|e| if e.path().is_dir() { packs(e.path()) } else { count(e.path()) }).sum()
}

#[test]
fn a_source_that_is_written_over_during_a_run_never_gives_a_mixed_archive() {
    let (_folder, path) = scratch();
    std::fs::create_dir(path("dem")).unwrap();
    raster(&path("new.tif"), 138.0, 900.0);
    let (dem, store, out, work) = (path("dem/a.tif"), path("s.hypso"), path("o.pmtiles"), path("o.pmtiles.work"));
    let options = ["--coverage", "full", "--max-zoom", "13", "--jobs", "1"];
    let command = [&["aggregate", &store, "-o", &out][..], &options].concat();
    for kind in [Change::InPlace, Change::InPlaceLater, Change::Replaced] {
        raster(&dem, 138.0, 100.0);
        ok(&["build", "-o", &store, &path("dem"), "--overwrite"]);
        let child = Command::new(HYPSO).args(&command).stderr(Stdio::piped()).spawn().unwrap();
        let started = Instant::now();
        while packs(&work) == 0 && started.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(2));
        }
        change(kind, &dem, &path("new.tif"));
        let output = child.wait_with_output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{kind:?}: {said}");
        assert!(said.contains("a.tif: was changed") && said.contains("build --update"), "{kind:?}: {said}");
        assert!(!Path::new(&out).exists());
        // As the message says.
        ok(&["build", "-o", &store, &path("dem"), "--update"]);
        ok(&command);
        let fresh = path("fresh.pmtiles");
        ok(&[&["aggregate", &store, "-o", &fresh, "--overwrite"][..], &options].concat());
        assert!(tiles(&out) == tiles(&fresh), "{kind:?}");
        assert!(!Path::new(&work).exists());
        std::fs::remove_file(&out).unwrap();
    }
}

#[test]
fn units_of_a_source_that_changed_between_two_starts_are_made_again() {
    let (_folder, path) = scratch();
    std::fs::create_dir(path("dem")).unwrap();
    raster(&path("dem/a.tif"), 138.0, 100.0);
    raster(&path("dem/b.tif"), 140.0, 100.0);
    raster(&path("new.tif"), 138.0, 900.0);
    let (store, out, plan) = (path("s.hypso"), path("o.pmtiles"), path("plan.json"));
    let options = ["--coverage", "full", "--max-zoom", "12", "--keep-intermediates", "--split", "0-9,10-12"];
    ok(&["build", "-o", &store, &path("dem")]);
    ok(&[&["plan", &store, "-o", &out, "--export", &plan][..], &options[..4], &options[5..]].concat());
    let text: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    let count = text["units"].as_array().unwrap().len();
    let units: Vec<String> = (0..count).map(|n| n.to_string()).collect();
    let mut all = vec!["work", "--plan", &plan];
    units.iter().for_each(|unit| all.extend(["--unit", unit]));
    ok(&all);
    change(Change::InPlace, &path("dem/a.tif"), &path("new.tif"));
    // Units of b alone are found, those of a and all above are made again.
    let said = ok(&[&["aggregate", &store, "-o", &out][..], &options].concat());
    assert!(said.contains("a.tif: was changed since it was read"), "{said}");
    let line = said.lines().find(|line| line.contains("found from before")).unwrap();
    let numbers: Vec<usize> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(numbers[0] >= 2 && numbers[1] >= 1 && numbers[0] + numbers[1] == count, "{line}");
    ok(&[&["aggregate", &store, "-o", &path("fresh.pmtiles")][..], &options].concat());
    for name in [".pmtiles", "_z0-9.mbtiles", "_z10-12.mbtiles"] {
        assert!(tiles(path(&format!("o{name}"))) == tiles(path(&format!("fresh{name}"))), "{name}");
    }
    // By hand, too.
    let (out, plan) = (path("h.pmtiles"), path("plan2.json"));
    ok(&[&["plan", &store, "-o", &out, "--export", &plan][..], &options[..4], &options[5..]].concat());
    all[2] = &plan;
    ok(&all);
    raster(&path("new.tif"), 138.0, 1700.0);
    change(Change::Replaced, &path("dem/a.tif"), &path("new.tif"));
    let said = ok(&all);
    assert!(said.contains("was there") && said.contains("made,"), "{said}");
    let said = ok(&[&["aggregate", &store, "-o", &out][..], &options[..4], &options[5..]].concat());
    assert!(said.contains(" 0 made"), "{said}");
    ok(&[&["aggregate", &store, "-o", &path("fresh2.pmtiles")][..], &options[..4], &options[5..]].concat());
    assert!(tiles(&out) == tiles(path("fresh2.pmtiles")));
}
