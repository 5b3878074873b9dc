//! Rasters in blocks that are larger than the memory that a run may take: nothing decodes one to look at a file, and what can't be
//! read is refused by name at once.

use std::path::Path;
use std::process::Command;

use hypso::store::Store;

use crate::program::{fails, gdal, ok, peak, printed, run, scratch};

/// Cells a side of the raster of one strip; decoded it takes 309 MB.
const SIDE: u32 = 9000;

/// What `--memory` is too little for the strip.
const LITTLE: &str = "250M";

/// A raster of one strip of float32, cells of 10 m, from (0, 0) south-eastwards.
fn strip(path: &str) {
    raster(path, &["-of", "GTiff", "-co", "COMPRESS=DEFLATE", "-co", &format!("BLOCKYSIZE={SIDE}")]);
}

fn raster(path: &str, how: &[&str]) {
    let side = SIDE.to_string();
    let south = format!("-{SIDE}0");
    let made = Command::new("gdal_create")
        .args(["-q", "-outsize", &side, &side, "-ot", "Float32", "-burn", "5", "-a_srs", "EPSG:3857"])
        .args(["-a_ullr", "0", "0", &format!("{SIDE}0"), &south])
        .args(how)
        .arg(path)
        .status();
    assert!(made.is_ok_and(|status| status.success()), "{path}");
}

/// Runs the program within so much memory, and gives what it said; it must end with this code.
fn within(megabytes: u64, code: i32, arguments: &[&str]) -> String {
    let (took, ended, said) = peak(arguments);
    assert!(ended == Some(code) && took < megabytes, "{arguments:?}: {took} MB, {ended:?}: {said}");
    said
}

#[test]
fn a_strip_larger_than_the_memory_is_refused_by_name_before_a_worker_starts() {
    if !gdal() {
        return;
    }
    let (_guard, at) = scratch();
    std::fs::create_dir(at("dem")).unwrap();
    strip(&at("dem/strip.tif"));
    let (store, output) = (at("s.hypso"), at("o.pmtiles"));
    within(200, 0, &["build", "-o", &store, &at("dem")]);
    let record = Store::open(&store).unwrap();
    let record = record.records().iter().next().unwrap();
    assert_eq!((record.block_width(), record.block_height(), record.block_cell()), (SIDE, SIDE, 0));
    assert!(printed(&["info", &store]).contains("9000 x 9000 cells, 324.0 MB"));
    let memory = ["--memory", LITTLE];
    for mut arguments in [
        vec!["plan", store.as_str()],
        vec!["aggregate", &store, "-o", &output],
        vec!["aggregate-zoom", "12", "13", &store, "-o", &output],
        vec!["tiles", &at("dem"), "-o", &output],
        vec!["aggregate", &store, "-o", &output, "--watchdog-memory", "250M"],
    ] {
        if !arguments.contains(&"--watchdog-memory") {
            arguments.extend(memory);
        }
        let said = within(200, 1, &arguments);
        for word in ["strip.tif", "9000 x 9000", "309 MB", "TILED=YES", "--memory"] {
            assert!(said.contains(word), "{arguments:?}: no {word}: {said}");
        }
        assert!(!Path::new(&output).exists() && !said.contains("unit "), "{said}");
    }
    // What the message says is enough, is.
    let said = within(200, 1, &["plan", &store, "--memory", LITTLE]);
    let enough = said.split("--memory ").nth(1).unwrap().split(' ').next().unwrap();
    let tiles = ["--bbox", "0.01,-0.05,0.05,-0.01", "--min-zoom", "13", "--jobs", "4", "--memory", enough];
    let megabytes = enough.trim_end_matches('M').parse().unwrap();
    let said = within(megabytes, 0, &[&["aggregate", store.as_str(), "-o", &output], tiles.as_slice()].concat());
    assert!(!said.contains("trying again"), "{said}");
    let report = std::fs::read_to_string(at("o.report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let (took, budget) = (report["memory"]["all_processes"].as_u64(), report["memory"]["budget"].as_u64());
    assert!(took.is_some() && took <= budget && report["workers"] == 1, "{report}");
}

#[test]
fn a_strip_of_20000_by_20000_cells_is_refused_within_300_megabytes() {
    if !gdal() {
        return;
    }
    let (_guard, at) = scratch();
    std::fs::create_dir(at("dem")).unwrap();
    // Nothing of it is written, so that making it costs nothing. Whoever reads a cell takes 1.6 GB.
    let size = ["-q", "-of", "GTiff", "-outsize", "20000", "20000", "-ot", "Float32", "-a_srs", "EPSG:3857"];
    let how = ["-a_ullr", "0", "0", "200000", "-200000", "-co", "COMPRESS=DEFLATE", "-co", "BLOCKYSIZE=20000"];
    run("gdal_create", &[&size[..], &how, &["-co", "SPARSE_OK=TRUE", &at("dem/strip.tif")]].concat());
    let (dem, store, output) = (at("dem"), at("s.hypso"), at("o.pmtiles"));
    within(200, 0, &["build", "-o", &store, &dem]);
    for arguments in [["tiles", &dem, "-o", &output], ["aggregate", &store, "-o", &output]] {
        let said = within(200, 1, &[&arguments[..], &["--memory", "300M"]].concat());
        for word in ["strip.tif", "20000 x 20000", "1526 MB", "TILED=YES", "--memory 1658M"] {
            assert!(said.contains(word), "{arguments:?}: no {word}: {said}");
        }
    }
}

#[test]
fn a_large_block_that_no_store_knows_is_refused_when_the_raster_is_opened() {
    if !gdal() {
        return;
    }
    let (_guard, at) = scratch();
    std::fs::create_dir(at("dem")).unwrap();
    strip(&at("dem/strip.bin"));
    // A VRT says blocks of 128 x 128 of itself.
    run("gdalbuildvrt", &["-q", &at("dem/v.vrt"), &at("dem/strip.bin")]);
    let line = format!("filename,left,bottom,right,top,width,height\nv.vrt,0,-{SIDE}0,{SIDE}0,0,{SIDE},{SIDE}\n");
    std::fs::write(at("dem/bounds.csv"), line).unwrap();
    let (store, output) = (at("s.hypso"), at("o.pmtiles"));
    within(200, 0, &["build", "-o", &store, &at("dem/bounds.csv")]);
    let record = Store::open(&store).unwrap();
    assert_eq!(record.records().iter().next().unwrap().block_bytes(), 0);
    let arguments = ["aggregate", &store, "-o", &output, "--memory", LITTLE, "--jobs", "1", "--min-zoom", "13"];
    let said = within(200, 1, &[&arguments[..], &["--bbox", "0.01,-0.05,0.05,-0.01"]].concat());
    for word in ["v.vrt: has a source that is stored in blocks of 9000 x 9000", "TILED=YES", "fewer workers"] {
        assert!(said.contains(word), "no {word}: {said}");
    }
    assert!(!said.contains("trying again"), "{said}");
    // Opened by itself, the VRT has the block of its source.
    within(200, 0, &["build", "-o", &at("v.hypso"), &at("dem/v.vrt")]);
    let store = Store::open(at("v.hypso")).unwrap();
    assert_eq!(store.records().iter().next().unwrap().block_bytes(), u64::from(SIDE) * u64::from(SIDE) * 4);
    fails(1, &["v.vrt", "9000 x 9000"], &["plan", &at("v.hypso"), "--memory", LITTLE]);
}

#[test]
fn no_format_has_a_large_block_decoded_to_look_at_its_end() {
    if !gdal() {
        return;
    }
    let (_guard, at) = scratch();
    raster(&at("a.mrf"), &["-of", "MRF", "-co", "COMPRESS=DEFLATE", "-co", &format!("BLOCKSIZE={SIDE}")]);
    within(200, 0, &["build", "-o", &at("s.hypso"), &at("a.mrf"), "--assume-crs", "EPSG:3857"]);
    fails(1, &["a.mrf", "9000 x 9000"], &["plan", &at("s.hypso"), "--memory", LITTLE]);
    // A mask counts, and bands that are stored together do.
    let small = ["-q", "-outsize", "300", "300", "-ot", "Float32", "-burn", "5", "-a_srs", "EPSG:3857"];
    run("gdal_create", &[&small[..], &["-a_ullr", "0", "0", "3000", "-3000", &at("small.tif")]].concat());
    let mask = ["-q", "-b", "1", "-mask", "1", "--config", "GDAL_TIFF_INTERNAL_MASK", "YES"];
    run("gdal_translate", &[&mask[..], &[&at("small.tif"), &at("m.tif")]].concat());
    within(250, 0, &["build", "-o", &at("m.hypso"), &at("m.tif")]);
    let store = Store::open(at("m.hypso")).unwrap();
    assert_eq!(store.records().iter().next().unwrap().block_cell(), 5);
}

#[test]
fn commands_without_a_bound_of_their_own_keep_to_what_the_system_has_left() {
    if !gdal() {
        return;
    }
    let (_guard, at) = scratch();
    strip(&at("strip.tif"));
    let (store, output) = (at("s.hypso"), at("o.pmtiles"));
    ok(&["build", "-o", &store, &at("strip.tif")]);
    let some = ["--bbox", "0.01,-0.05,0.05,-0.01", "--min-zoom", "13", "--jobs", "1"];
    ok(&[&["aggregate", store.as_str(), "-o", &output], some.as_slice()].concat());
    for arguments in [
        vec!["provenance", store.as_str(), "0.02,-0.02"],
        vec!["provenance", &store, "13/4096/4096"],
        vec!["verify", &output, "--against", &store],
        vec!["aggregate", &store, "-o", &at("p.pmtiles"), "--jobs", "1"],
    ] {
        // Addresses of the program and its libraries take 200 to 300 MB.
        let script = format!("ulimit -v {}; exec \"$@\"", 450 << 10);
        let program = ["-c", &script, "bash", crate::program::HYPSO];
        let ended = Command::new("bash").args(program).args(&arguments).output().unwrap();
        let said = crate::program::stderr(&ended);
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("strip.tif") && said.contains("9000 x 9000"), "{arguments:?}: {said}");
    }
    ok(&["preview", &output, "-o", &at("o.png")]);
}
