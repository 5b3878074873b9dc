//! Files that are damaged, hostile or too many: each command ends with the right result, or with a message that names the file, is no longer
//! than a screen, and sends no commands to the terminal.
#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{HYPSO, fails, hypso, names, ok, printed, run, scratch, stderr, surveyed};
use hypso::raster::GeoTransform;
use hypso::raster::gdal::write_geotiff;
use hypso::raster::{GeoTiffCompression, GeoTiffSpec, GeoTiffType};

/// Fails where a text could do something to a terminal, or does not fit on a screen or two.
fn check(said: &str) {
    assert!(!said.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{said:?}");
    assert!(said.lines().count() <= 60 && said.len() < 20_000, "{} bytes: {said}", said.len());
}

/// A raster of 90 x 60 cells of 10 m from (0, 0) south-eastwards, some of them without a value.
fn raster(path: impl AsRef<Path>, voids: impl Fn(u32) -> bool) {
    raster_at(path, (0.0, 0.0), voids);
}

/// The same from another corner.
fn raster_at(path: impl AsRef<Path>, (west, north): (f64, f64), voids: impl Fn(u32) -> bool) {
    let spec = GeoTiffSpec {
        width: 90,
        height: 60,
        transform: GeoTransform::north_up(west, north, 10.0, 10.0),
        crs: "EPSG:3857".into(),
        data_type: GeoTiffType::F32,
        nodata: Some(-1.0),
        tiled: None,
        compress: GeoTiffCompression::Deflate,
    };
    let cells: Vec<f32> = (0..90 * 60).map(|i| if voids(i) { -1.0 } else { (i % 97) as f32 }).collect();
    write_geotiff(path.as_ref(), &spec, &cells).unwrap();
}

/// A VRT over a file of this name.
fn vrt(source: &str) -> String {
    format!(
        "<VRTDataset rasterXSize=\"90\" rasterYSize=\"60\"><SRS>EPSG:3857</SRS><GeoTransform>0, 10, 0, 0, 0, -10</GeoTransform>\
         <VRTRasterBand dataType=\"Float32\" band=\"1\"><SimpleSource><SourceFilename>{source}</SourceFilename>\
         <SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
}

fn pipe(path: &str) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn many_files_that_cannot_be_used_are_a_short_list_with_counts() {
    let (_guard, at) = scratch();
    std::fs::create_dir(at("dem")).unwrap();
    raster(at("dem/a.tif"), |_| false);
    for n in 0..70 {
        std::fs::write(at(&format!("dem/{n:02}\u{1b}[31m.tif")), if n < 60 { "no raster" } else { "" }).unwrap();
    }
    let output = hypso(&["build", "-o", &at("s.hypso"), &at("dem")]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    check(&said);
    assert_eq!(said.lines().filter(|line| line.contains(".tif")).count(), 20, "{said}");
    for words in ["and 50 more", "10 empty file, 60 not a raster", "70 of 71 files can't be used"] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    assert_eq!(said.matches("fetch the file again").count(), 1, "{said}");
    let all = ok(&["build", "-o", &at("s.hypso"), &at("dem"), "--on-error", "skip", "--log-level", "info"]);
    assert!((0..70).all(|n| all.contains(&format!("{n:02}\\u001b[31m.tif"))), "{all}");
    fails(1, &["and 50 more", "70 of 71 files"], &["tiles", &at("dem"), "-o", &at("t.pmtiles")]);
}

#[test]
fn names_from_files_send_nothing_to_the_terminal() {
    let (_guard, at) = scratch();
    let name = "x\u{1b}[2J\nerror: forged\u{202e}";
    std::fs::create_dir(at("dem")).unwrap();
    raster(at(&format!("dem/{name}.tif")), |_| false);
    raster(at("dem/a.tif"), |_| false);
    let (store, archive) = (at("s.hypso"), at(&format!("{name}.pmtiles")));
    // What a killed run had left of this output is removed, and told.
    let left = at(&format!(".{name}.pmtiles.hypso-0123456789abcdef.tmp"));
    std::fs::write(&left, "left").unwrap();
    let mut said = ok(&["build", "-o", &store, &at("dem")]);
    said += &ok(&["aggregate", &store, "-o", &archive]);
    assert!(!Path::new(&left).exists());
    assert!(said.contains("temporary file that a killed run had left"), "{said}");
    for format in ["table", "json", "geojson"] {
        said += &printed(&["query", &store, "--point", "0.004,-0.003", "--format", format]);
    }
    said += &printed(&["provenance", &store, "0.004,-0.003"]);
    said += &printed(&["inspect", &archive]);
    said += &printed(&["verify", &archive]);
    said += &stderr(&hypso(&["convert", &archive, "-o", &archive]));
    said += &stderr(&hypso(&["info", &archive]));
    said += &stderr(&hypso(&["verify", &at(&format!("none{name}"))]));
    for line in said.lines() {
        assert!(!line.contains(|c: char| c.is_control() && c != '\t') && !line.contains('\u{202e}'), "{line:?}");
        assert!(!line.starts_with("error: forged"), "{said}");
    }
}

#[test]
fn names_in_csv_are_whole_in_a_file_and_harmless_on_a_terminal() {
    let (_guard, at) = scratch();
    std::fs::create_dir(at("dem")).unwrap();
    let hostile = ["=1+2,\u{1b}[31m\"q\"\nb.tif", "\u{9b}2J\u{202e}c.tif"];
    hostile.iter().for_each(|name| raster(at(&format!("dem/{name}")), |_| false));
    ok(&["build", "-o", &at("s.hypso"), &at("dem")]);
    let store = at("s.hypso");
    let arguments = ["query", &store, "--point", "0.004,-0.003", "--format", "csv"];
    let rows = printed(&arguments);
    let mut reader = csv::Reader::from_reader(rows.as_bytes());
    let mut found: Vec<String> = reader.records().map(|row| row.unwrap()[15].to_owned()).collect();
    found.sort();
    assert_eq!(found, hostile);
    const TERMINAL: &str = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
    let mut python = Command::new("/usr/bin/python3");
    let output = python.args(["-c", TERMINAL, HYPSO]).args(arguments).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && said.contains("=1+2,\\u001b[31m\"\"q\"\"") && said.contains("\\u009b2J\\u202ec"),
        "{said:?}"
    );
    assert!(!said.contains(|c: char| c.is_control() && !"\r\n".contains(c) || c == '\u{202e}'), "{said:?}");
}

#[test]
fn a_pipe_where_a_file_belongs_is_refused_by_name() {
    let (_guard, at) = scratch();
    std::fs::create_dir(at("dem")).unwrap();
    pipe(&at("pipe"));
    std::fs::write(at("dem/v.vrt"), vrt(&at("pipe"))).unwrap();
    fails(1, &["v.vrt", "pipe or device"], &["build", "-o", &at("s.hypso"), &at("dem")]);
    std::fs::write(at("dem/v.vrt"), vrt("/dev/zero")).unwrap();
    fails(1, &["v.vrt", "pipe or device"], &["build", "-o", &at("s.hypso"), &at("dem/v.vrt")]);
    std::fs::remove_file(at("dem/v.vrt")).unwrap();
    raster(at("dem/a.tif"), |_| false);
    for sidecar in ["a.tif.aux.xml", "a.tif.msk", "a.tfw"] {
        pipe(&at(&format!("dem/{sidecar}")));
        fails(1, &["a.tif", "pipe or device"], &["build", "-o", &at("s.hypso"), &at("dem")]);
        std::fs::remove_file(at(&format!("dem/{sidecar}"))).unwrap();
    }
    ok(&["build", "-o", &at("s.hypso"), &at("dem")]);
    let (store, out, given) = (at("s.hypso"), at("o.pmtiles"), at("pipe"));
    for arguments in [
        vec!["build", "-o", &out, "--config", &given],
        vec!["aggregate", &store, "-o", &out, "--clip", &given],
        vec!["work", "--plan", &given, "--unit", "0"],
    ] {
        fails(1, &["pipe: input: is a pipe or a device"], &arguments);
    }
    std::fs::create_dir(at("o.pmtiles.work")).unwrap();
    for name in ["run.json", "lock", "aside.json", "changes.hypso", "packs"] {
        let path = at(&format!("o.pmtiles.work/{name}"));
        pipe(&path);
        fails(1, &[name, "hypso did not write"], &["aggregate", &store, "-o", &out, "--overwrite"]);
        std::fs::remove_file(&path).unwrap();
        // A link that leads out of the folder is followed by nobody.
        std::os::unix::fs::symlink(at("precious"), &path).unwrap();
        std::fs::write(at("precious"), "{\"run\": \"1\"}").unwrap();
        fails(1, &[name, "hypso did not write"], &["aggregate", &store, "-o", &out, "--overwrite"]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(std::fs::read_to_string(at("precious")).unwrap(), "{\"run\": \"1\"}");
    }
    ok(&["aggregate", &store, "-o", &out]);
}

#[test]
fn a_list_that_is_far_too_large_is_not_read() {
    let (_guard, at) = scratch();
    std::fs::create_dir(at("dem")).unwrap();
    raster(at("dem/a.tif"), |_| false);
    ok(&["build", "-o", &at("s.hypso"), &at("dem")]);
    let vast = at("vast");
    std::fs::File::create(&vast).unwrap().set_len(1 << 43).unwrap();
    let (store, out) = (at("s.hypso"), at("o.pmtiles"));
    for arguments in [
        vec!["build", "-o", &out, "--config", &vast],
        vec!["plan", &store, "--clip", &vast],
        vec!["work", "--plan", &vast, "--unit", "0"],
    ] {
        fails(1, &["vast: file: has 8796093022208 bytes"], &arguments);
    }
}

#[test]
fn an_altered_plan_is_refused_by_name() {
    let (_guard, at) = scratch();
    std::fs::create_dir(at("dem")).unwrap();
    raster(at("dem/a.tif"), |_| false);
    ok(&["build", "-o", &at("s.hypso"), &at("dem")]);
    let plan = at("plan.json");
    printed(&["plan", &at("s.hypso"), "-o", &at("o.pmtiles"), "--export", &plan]);
    let text = std::fs::read_to_string(&plan).unwrap();
    // Each number of it, and each word.
    let mut places: Vec<usize> = text.match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at).collect();
    places.extend(text.match_indices("true").chain(text.match_indices("false")).map(|(at, _)| at));
    for place in places.into_iter().step_by(3) {
        let mut altered = text.clone().into_bytes();
        altered[place] = if altered[place] == b'7' { b'8' } else { b'7' };
        std::fs::write(&plan, altered).unwrap();
        let error = hypso::worker::PlanFile::read(Path::new(&plan)).unwrap_err().to_string();
        assert!(error.contains("plan.json: plan:"), "{place}: {error}");
    }
    std::fs::write(&plan, text.replacen("\"tiles\":", "\"tiles\": ", 1)).unwrap();
    ok(&["work", "--plan", &plan, "--unit", "0"]);
}

#[test]
fn files_that_lie_over_one_another_are_opened_a_few_times_each() {
    let (_guard, at) = scratch();
    std::fs::create_dir(at("dem")).unwrap();
    const FILES: u64 = 150;
    // More than stay open at once, with voids that none of them has a value for.
    for n in 0..FILES {
        raster(at(&format!("dem/{n}.tif")), |i| i % 900 < 40 || i % FILES as u32 == n as u32);
    }
    ok(&["build", "-o", &at("s.hypso"), &at("dem")]);
    ok(&["aggregate", &at("s.hypso"), "-o", &at("o.pmtiles"), "--jobs", "1"]);
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(at("o.report.json")).unwrap()).unwrap();
    let (opened, tiles) = (report["rasters_opened"].as_u64().unwrap(), report["tiles"]["made"].as_u64().unwrap());
    assert!(tiles >= 1 && opened <= 4 * FILES * (tiles + 1), "{opened} opened for {tiles} tiles");
}

#[test]
fn files_that_overlap_in_part_are_opened_a_few_times_each() {
    for everywhere in [true, false] {
        let (_guard, at) = scratch();
        std::fs::create_dir(at("dem")).unwrap();
        const FILES: u64 = 150;
        // Each lacks every tenth column: the same as all others, or others.
        for n in 0..FILES {
            let (east, south) = (n * 7 % 60, n * 11 % 40);
            let lacks = |i: u32| (u64::from(i) + if everywhere { east } else { n }) % 10 == 0;
            raster_at(at(&format!("dem/{n}.tif")), (east as f64 * 10.0, south as f64 * -10.0), lacks);
        }
        ok(&["build", "-o", &at("s.hypso"), &at("dem")]);
        ok(&["aggregate", &at("s.hypso"), "-o", &at("o.pmtiles"), "--jobs", "1"]);
        let report: serde_json::Value = serde_json::from_slice(&std::fs::read(at("o.report.json")).unwrap()).unwrap();
        let (opened, tiles) = (report["rasters_opened"].as_u64().unwrap(), report["tiles"]["made"].as_u64().unwrap());
        assert!(tiles >= 1 && opened <= 4 * FILES * (tiles + 1), "{everywhere}: {opened} opened for {tiles} tiles");
    }
}

#[test]
fn files_of_lattices_of_their_own_that_lack_the_same_cells_are_opened_a_few_times_each() {
    let (_guard, at) = scratch();
    std::fs::create_dir(at("dem")).unwrap();
    const FILES: u64 = 100;
    for n in 0..FILES {
        // Each is a part of a cell away from the others, and all have a void at the same place.
        let place = (n as f64 * 0.07, n as f64 * -0.05);
        raster_at(at(&format!("dem/{n}.tif")), place, |i| (20..24).contains(&(i % 90)));
    }
    ok(&["build", "-o", &at("s.hypso"), &at("dem")]);
    ok(&["aggregate", &at("s.hypso"), "-o", &at("o.pmtiles"), "--jobs", "1"]);
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(at("o.report.json")).unwrap()).unwrap();
    let (opened, tiles) = (report["rasters_opened"].as_u64().unwrap(), report["tiles"]["made"].as_u64().unwrap());
    assert!(tiles >= 1 && opened <= 4 * FILES * (tiles + 1), "{opened} opened for {tiles} tiles");
}

#[test]
fn what_fails_after_the_archive_is_whole_says_that_it_is() {
    let folder = tempfile::tempdir().unwrap();
    surveyed(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    for in_the_way in ["o.report.json", "o.pmtiles.inputs"] {
        let child = Command::new(HYPSO)
            .args(["aggregate", &at("s.hypso"), "-o", &at("o.pmtiles"), "--max-zoom", "12"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The places are looked at before the run begins.
        let begun = Instant::now();
        while !Path::new(&at("o.pmtiles.work/run.json")).exists() {
            assert!(begun.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(1));
        }
        std::fs::create_dir(at(in_the_way)).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("o.pmtiles is whole and has its name") && said.contains(in_the_way), "{said}");
        printed(&["verify", &at("o.pmtiles")]);
        std::fs::remove_dir(at(in_the_way)).unwrap();
        for name in names(folder.path()).iter().filter(|name| name.starts_with("o.")) {
            run("rm", &["-r", &at(name)]);
        }
    }
}
