//! The real program on a small sample: whole runs, the same bytes every way, interruptions, and bad input.
#![cfg(all(feature = "cli", feature = "gdal"))]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hypso::archive;
use hypso::progress::Silent;
use hypso::sample::{self, Size};
use hypso::tile::TileCoord;
use tempfile::TempDir;

const HYPSO: &str = env!("CARGO_BIN_EXE_hypso");

/// A sample, its store, and a finished run with lineage; made once for all tests.
struct World {
    folder: TempDir,
}

impl World {
    fn get() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            sample::write(&folder.path().join("s"), Size::Small, 1, false, &Silent).unwrap();
            let world = Self { folder };
            let config = world.path("s/hypso.toml");
            ok(&["build", "-o", &world.path("s.hypso"), "--config", &config]);
            ok(&["aggregate", &world.path("s.hypso"), "-o", &world.path("s.pmtiles"), "--lineage", "--jobs", "2"]);
            world
        })
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

fn hypso(arguments: &[&str]) -> Output {
    Command::new(HYPSO).args(arguments).env("NO_COLOR", "1").stdin(Stdio::null()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn ok(arguments: &[&str]) -> String {
    let output = hypso(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs what must fail: with this exit code, and all of these words in the message.
fn fails(code: i32, words: &[&str], arguments: &[&str]) {
    let output = hypso(arguments);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
    for word in words {
        assert!(message.contains(word), "{arguments:?}: no {word:?} in: {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
}

fn tiles(path: impl AsRef<Path>) -> BTreeMap<TileCoord, Vec<u8>> {
    let archive = archive::open(path.as_ref()).unwrap();
    let ids: Vec<_> = archive.ids().unwrap().map(|id| id.unwrap().coord().unwrap()).collect();
    ids.into_iter().map(|tile| (tile, archive.tile(tile).unwrap().unwrap())).collect()
}

fn scratch() -> (TempDir, impl Fn(&str) -> String) {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().to_path_buf();
    (folder, move |name: &str| base.join(name).display().to_string())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_run_leaves_the_archives_and_nothing_else() {
    let w = World::get();
    let names = names(w.folder.path());
    assert_eq!(names, ["s", "s-lineage.pmtiles", "s.hypso", "s.pmtiles"]);
    let made = tiles(w.path("s.pmtiles"));
    assert!((0..=15).all(|z| made.keys().any(|t| t.z() == z)), "every zoom is there");
    let lineage = tiles(w.path("s-lineage.pmtiles"));
    assert!(made.keys().eq(lineage.keys()));
}

#[test]
fn every_way_to_run_gives_the_same_bytes() {
    let w = World::get();
    let (_folder, path) = scratch();
    let expected = tiles(w.path("s.pmtiles"));
    let store = w.path("s.hypso");
    for (n, options) in [
        vec!["--jobs", "1"],
        vec!["--jobs", "3", "--split", "single"],
        vec!["--split", "incremental"],
        vec!["--split", "0-3,4-12,13-15", "--keep-intermediates"],
        vec!["--max-zoom", "15", "--min-zoom", "0"],
    ]
    .into_iter()
    .enumerate()
    {
        let out = path(&format!("{n}.{}", if n % 2 == 0 { "mbtiles" } else { "pmtiles" }));
        ok(&[&["aggregate", &store, "-o", &out], options.as_slice()].concat());
        assert!(tiles(&out) == expected, "{options:?}");
    }
    assert!(Path::new(&path("3_z4-12.mbtiles")).exists(), "groups are kept on request");
    // The one-command form makes its own store.
    ok(&["tiles", &w.path("s/lidar2"), &w.path("s/dem10"), &w.path("s/aw30"), "-o", &path("t.pmtiles")]);
    assert!(tiles(path("t.pmtiles")) == expected);
    // Zooms and boxes only remove tiles.
    ok(&["aggregate", &store, "-o", &path("z.pmtiles"), "--min-zoom", "5", "--max-zoom", "12"]);
    let part: BTreeMap<_, _> =
        expected.iter().filter(|(t, _)| (5..=12).contains(&t.z())).map(|(t, b)| (*t, b.clone())).collect();
    assert!(tiles(path("z.pmtiles")) == part);
    ok(&[
        "aggregate",
        &store,
        "-o",
        &path("b.pmtiles"),
        "--min-zoom",
        "9",
        "--bbox",
        "138.98",
        "34.2",
        "139.0",
        "34.22",
    ]);
    let bounds = hypso::tile::Bounds::from_lon_lat(138.98, 34.2, 139.0, 34.22);
    let part: BTreeMap<_, _> = expected
        .iter()
        .filter(|(t, _)| t.z() >= 9 && t.bounds().overlaps(&bounds))
        .map(|(t, b)| (*t, b.clone()))
        .collect();
    assert!(tiles(path("b.pmtiles")) == part);
    // A zoom range made alone, from a finer archive or by itself.
    ok(&["aggregate-zoom", "13", "15", &store, "-o", &path("fine.mbtiles")]);
    ok(&["aggregate-zoom", "0", "12", &store, "-o", &path("given.mbtiles"), "--finer", &path("fine.mbtiles")]);
    ok(&["aggregate-zoom", "0", "12", &store, "-o", &path("alone.mbtiles")]);
    assert!(tiles(path("given.mbtiles")) == tiles(path("alone.mbtiles")));
    let part: BTreeMap<_, _> = expected.into_iter().filter(|(t, _)| t.z() <= 12).collect();
    assert!(tiles(path("alone.mbtiles")) == part);
}

#[test]
fn coverage_full_adds_tiles_and_changes_none() {
    let w = World::get();
    let (_folder, path) = scratch();
    ok(&["aggregate", &w.path("s.hypso"), "-o", &path("full.pmtiles"), "--coverage", "full", "--max-zoom", "14"]);
    let full = tiles(path("full.pmtiles"));
    let native = tiles(w.path("s.pmtiles"));
    let shared = native.iter().filter(|(t, _)| t.z() <= 14);
    assert!(shared.clone().all(|(t, b)| full.get(t) == Some(b)));
    assert!(full.len() > shared.count());
}

#[test]
fn a_run_killed_at_any_moment_goes_on_to_the_same_bytes() {
    let w = World::get();
    let expected = tiles(w.path("s.pmtiles"));
    let (folder, path) = scratch();
    let store = w.path("s.hypso");
    let out = path("k.pmtiles");
    for n in 0..12u64 {
        let mut child = Command::new(HYPSO)
            .args(["aggregate", &store, "-o", &out, "--jobs", "2"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(40 + n * 90));
        let _ = child.kill();
        let ended = child.wait().unwrap();
        if ended.success() {
            break;
        }
        if let Ok(archive) = archive::open(Path::new(&out)) {
            assert_eq!(
                archive.tile_count().unwrap(),
                expected.len() as u64,
                "a final name never holds half an archive"
            );
        }
    }
    if !Path::new(&out).exists() || Path::new(&path("k.pmtiles.work")).exists() {
        ok(&["aggregate", &store, "-o", &out, "--jobs", "2"]);
    }
    assert!(tiles(&out) == expected);
    // What the killed starts left under hidden names is theirs to leave; the work folder is gone.
    assert!(!names(folder.path()).contains(&"k.pmtiles.work".to_string()));
}

#[test]
fn a_killed_worker_is_replaced_and_a_finished_unit_is_not_made_again() {
    let w = World::get();
    let (_folder, path) = scratch();
    let out = path("w.pmtiles");
    let store = w.path("s.hypso");
    let mut child = Command::new(HYPSO)
        .args(["aggregate", &store, "-o", &out, "--jobs", "1"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let started = Instant::now();
    let mut killed = false;
    while started.elapsed() < Duration::from_secs(20) && child.try_wait().unwrap().is_none() && !killed {
        // A worker is started by a thread of the coordinator; look at all of them.
        let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).into_iter().flatten().flatten();
        let lists = tasks.filter_map(|t| std::fs::read_to_string(t.path().join("children")).ok());
        if let Some(worker) = lists.flat_map(|l| l.split_whitespace().map(String::from).collect::<Vec<_>>()).next() {
            std::thread::sleep(Duration::from_millis(150));
            killed = Command::new("kill").args(["-9", &worker]).status().unwrap().success();
        }
    }
    let output = child.wait_with_output().unwrap();
    if Path::new(&children).exists() || !killed {
        println!("skipped: this system does not list the children of a process");
        return;
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("trying again"));
    assert!(tiles(&out) == tiles(w.path("s.pmtiles")));
}

#[test]
fn a_raster_that_vanished_or_changed_stops_the_run_by_name() {
    let (_folder, path) = scratch();
    sample::write(Path::new(&path("s")), Size::Small, 1, false, &Silent).unwrap();
    let store = path("s.hypso");
    ok(&["build", "-o", &store, &path("s/dem10"), &path("s/aw30")]);
    let raster = path("s/dem10/mesh_11.tif");
    let bytes = std::fs::read(&raster).unwrap();
    std::fs::remove_file(&raster).unwrap();
    fails(1, &["mesh_11.tif", "same command again"], &["aggregate", &store, "-o", &path("o.pmtiles")]);
    assert!(!Path::new(&path("o.pmtiles")).exists());
    std::fs::write(&raster, &bytes[..bytes.len() / 2]).unwrap();
    fails(1, &["mesh_11.tif", "changed after the store was built"], &["aggregate", &store, "-o", &path("o.pmtiles")]);
    fails(
        1,
        &["mesh_11.tif", "truncated", "--on-error skip"],
        &["build", "-o", &path("t.hypso"), &path("s/dem10"), &path("s/aw30")],
    );
    assert!(!Path::new(&path("t.hypso")).exists());
    ok(&["build", "-o", &path("t.hypso"), &path("s/dem10"), &path("s/aw30"), "--on-error", "skip"]);
    ok(&["aggregate", &path("t.hypso"), "-o", &path("t.pmtiles"), "--max-zoom", "9"]);
}

#[test]
fn a_plan_is_exact_and_its_units_can_be_made_by_hand() {
    let w = World::get();
    let (_folder, path) = scratch();
    let (store, out, plan) = (w.path("s.hypso"), path("o.pmtiles"), path("plan.json"));
    let json = |arguments: &[&str]| -> serde_json::Value { serde_json::from_str(&ok(arguments)).unwrap() };
    let shown = json(&["plan", &store, "--print", "json"]);
    let made = tiles(w.path("s.pmtiles"));
    assert_eq!(shown["tiles"].as_u64().unwrap(), made.len() as u64);
    for zoom in shown["zooms"].as_array().unwrap() {
        let z = zoom["zoom"].as_u64().unwrap() as u8;
        assert_eq!(zoom["tiles"].as_u64().unwrap(), made.keys().filter(|t| t.z() == z).count() as u64, "zoom {z}");
    }
    assert_eq!(json(&["plan", &store, "--print", "json"]), shown, "plans are pure");
    let dynamic = json(&["plan", &store, "--print", "json", "--split", "dynamic:5"]);
    assert!(dynamic["groups"].as_array().unwrap().len() > shown["groups"].as_array().unwrap().len());
    assert_eq!(dynamic["tiles"], shown["tiles"]);

    let options = ["--lineage", "--split", "dynamic:5"];
    ok(&[&["plan", &store, "-o", &out, "--export", &plan][..], &options].concat());
    let text: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    let ids: Vec<&str> = text["units"].as_array().unwrap().iter().map(|u| u["id"].as_str().unwrap()).collect();
    let last = ids.len() - 1;
    fails(1, &["make that one first", ids[last - 1]], &["work", "--plan", &plan, "--unit", &last.to_string()]);
    fails(2, &["--unit", "there is no unit"], &["work", "--plan", &plan, "--unit", "z99"]);
    // The first half one by one, then the rest at once, half of it again.
    for id in &ids[..ids.len() / 2] {
        ok(&["work", "--plan", &plan, "--unit", id]);
    }
    let mut arguments = vec!["work", "--plan", &plan];
    ids.iter().for_each(|id| arguments.extend(["--unit", id]));
    let said = stderr(&hypso(&arguments));
    assert_eq!(
        (said.matches("was there").count(), said.matches("made,").count()),
        (ids.len() / 2, ids.len().div_ceil(2))
    );
    let run = hypso(&[&["aggregate", &store, "-o", &out][..], &options].concat());
    assert!(run.status.success() && stderr(&run).contains("0 made"), "{}", stderr(&run));
    assert!(tiles(&out) == made);
    assert!(tiles(path("o-lineage.pmtiles")) == tiles(w.path("s-lineage.pmtiles")));
    std::fs::write(&plan, "{}").unwrap();
    fails(1, &["plan.json", "hypso plan --export"], &["work", "--plan", &plan, "--unit", "0"]);
}

#[test]
fn what_does_not_depend_on_a_failed_unit_is_made() {
    let (_folder, path) = scratch();
    sample::write(Path::new(&path("s")), Size::Small, 1, false, &Silent).unwrap();
    // The same raster again, far away.
    let raster = path("s/dem10/far.tif");
    let moved = ["-q", "-a_srs", "EPSG:4326", "-a_ullr", "10", "50.1", "10.1", "50"];
    let status =
        Command::new("gdal_translate").args(moved).args([&path("s/dem10/mesh_11.tif"), &raster]).status().unwrap();
    assert!(status.success());
    let (store, out) = (path("s.hypso"), path("o.pmtiles"));
    ok(&["build", "-o", &store, &path("s/dem10"), &path("s/aw30")]);
    ok(&["aggregate", &store, "-o", &path("whole.pmtiles")]);
    let (bytes, facts) = (std::fs::read(&raster).unwrap(), std::fs::metadata(&raster).unwrap());
    std::fs::remove_file(&raster).unwrap();
    let words = ["far.tif", "set aside", "coarser units wait for them", "same command again"];
    fails(1, &words, &["aggregate", &store, "-o", &out]);
    assert!(!Path::new(&out).exists());
    std::fs::write(&raster, &bytes).unwrap();
    std::fs::File::options().write(true).open(&raster).unwrap().set_modified(facts.modified().unwrap()).unwrap();
    let again = hypso(&["aggregate", &store, "-o", &out]);
    let said = stderr(&again);
    assert!(again.status.success(), "{said}");
    let line = said.lines().find(|l| l.contains("found from before")).unwrap_or_else(|| panic!("{said}"));
    let numbers: Vec<u32> = line.split_whitespace().filter_map(|w| w.parse().ok()).collect();
    assert!(numbers[0] >= 2 && numbers[1] >= 2, "{line}");
    assert!(tiles(&out) == tiles(path("whole.pmtiles")));
}

#[test]
fn two_runs_on_one_output_refuse_each_other() {
    let w = World::get();
    let (_folder, path) = scratch();
    let (out, store) = (path("two.pmtiles"), w.path("s.hypso"));
    let mut first = Command::new(HYPSO).args(["aggregate", &store, "-o", &out]).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !Path::new(&path("two.pmtiles.work/run.json")).exists() && started.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(5));
    }
    fails(1, &["process", &first.id().to_string()], &["aggregate", &store, "-o", &out]);
    assert!(first.wait().unwrap().success());
    assert!(tiles(&out) == tiles(w.path("s.pmtiles")));
}

#[test]
fn an_unfinished_run_of_other_options_is_not_mixed_in() {
    let w = World::get();
    let (_folder, path) = scratch();
    let (out, store) = (path("x.pmtiles"), w.path("s.hypso"));
    std::fs::create_dir(path("x.pmtiles.work")).unwrap();
    std::fs::write(path("x.pmtiles.work/run.json"), "{}").unwrap();
    fails(1, &["unfinished run", "--overwrite"], &["aggregate", &store, "-o", &out]);
    ok(&["aggregate", &store, "-o", &out, "--overwrite"]);
    assert!(tiles(&out) == tiles(w.path("s.pmtiles")));
}

#[test]
fn tile_size_and_encoding_and_format_are_options() {
    let w = World::get();
    let (_folder, path) = scratch();
    let store = w.path("s.hypso");
    ok(&[
        "aggregate",
        &store,
        "-o",
        &path("a.pmtiles"),
        "--tile-size",
        "256",
        "--format",
        "png",
        "--encoding",
        "mapbox",
        "--max-zoom",
        "11",
    ]);
    assert_eq!(names(Path::new(&path("a.pmtiles")).parent().unwrap()), ["a.pmtiles"]);
    let archive = archive::open(Path::new(&path("a.pmtiles"))).unwrap();
    let tilejson = archive.metadata().tilejson("a.pmtiles");
    assert_eq!((tilejson["encoding"].as_str(), tilejson["tileSize"].as_u64()), (Some("mapbox"), Some(256)));
    let tile = archive.tile(TileCoord::new(0, 0, 0).unwrap()).unwrap().unwrap();
    assert_eq!(hypso::terrain::image_size(&tile).unwrap(), (256, 256));
    assert_eq!(hypso::terrain::sniff(&tile), Some(hypso::terrain::ImageFormat::Png));
}

#[test]
fn queries_print_what_covers_a_place() {
    let w = World::get();
    let store = w.path("s.hypso");
    let table = ok(&["query", &store, "--point", "139.0", "34.2"]);
    assert!(table.lines().nth(2).unwrap().contains("dem10"), "{table}");
    let json: serde_json::Value =
        serde_json::from_str(&ok(&["query", &store, "--tile", "10/907/408", "--format", "json"])).unwrap();
    let found = json.as_array().unwrap();
    assert!(found.windows(2).all(|w| w[0]["rank"].as_u64() < w[1]["rank"].as_u64()));
    let id = found[0]["id"].as_str().unwrap();
    assert!(ok(&["query", &store, "--id", id, "--format", "csv"]).contains(id));
    let geojson: serde_json::Value = serde_json::from_str(&ok(&[
        "query", &store, "--bbox", "138.9", "34.1", "139.1", "34.3", "--format", "geojson",
    ]))
    .unwrap();
    assert_eq!(geojson["features"].as_array().unwrap().len(), 15);
    let info: serde_json::Value = serde_json::from_str(&ok(&["info", &store, "--format", "json"])).unwrap();
    assert_eq!((info["records"].as_u64(), info["sources"].as_array().unwrap().len()), (Some(15), 3));
    assert_eq!(info["sources"][0]["attribution"], "hypso sample survey (2 m)");
}

#[test]
fn a_bounds_csv_is_enough() {
    let w = World::get();
    let (_folder, path) = scratch();
    ok(&["build", "-o", &path("a.hypso"), &w.path("s/aw30"), "--write-bounds", &w.path("s/aw30/bounds.csv")]);
    ok(&["build", "-o", &path("b.hypso"), &w.path("s/aw30/bounds.csv")]);
    let (a, b) = (path("a.pmtiles"), path("b.pmtiles"));
    ok(&["aggregate", &path("a.hypso"), "-o", &a]);
    ok(&["aggregate", &path("b.hypso"), "-o", &b]);
    assert!(tiles(&a) == tiles(&b));
    std::fs::remove_file(w.path("s/aw30/bounds.csv")).unwrap();
}

#[test]
fn an_update_reads_what_changed_and_equals_a_new_build() {
    let w = World::get();
    let (_folder, path) = scratch();
    let dem = path("dem");
    std::fs::create_dir(&dem).unwrap();
    let mut files = names(Path::new(&w.path("s/aw30")));
    files.retain(|name| name.ends_with(".tif"));
    assert!(files.len() > 2, "{files:?}");
    let copy = |name: &str| std::fs::copy(Path::new(&w.path("s/aw30")).join(name), Path::new(&dem).join(name)).unwrap();
    for name in &files[1..] {
        copy(name);
    }
    let (store, fresh) = (path("a.hypso"), path("b.hypso"));
    let update = |extra: &[&str]| {
        let arguments = [&["build", "-o", &store, &dem, "--update"], extra].concat();
        let output = hypso(&arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    let n = files.len();
    assert!(!update(&[]).contains("unchanged"), "there was nothing to update");
    copy(&files[0]);
    assert!(update(&[]).contains(&format!("{} unchanged, 1 read", n - 1)));
    // A file that was replaced, and one that is gone.
    std::fs::copy(Path::new(&dem).join(&files[0]), Path::new(&dem).join(&files[1])).unwrap();
    std::fs::remove_file(Path::new(&dem).join(&files[2])).unwrap();
    let said = update(&[]);
    assert!(said.contains(&format!("{} unchanged, 1 read", n - 2)), "{said}");
    ok(&["build", "-o", &fresh, &dem]);
    assert!(std::fs::read(&store).unwrap() == std::fs::read(&fresh).unwrap());
    // Another assumed CRS may give files without one other footprints: all are read, and it is noted in the store.
    assert!(update(&["--assume-crs", "EPSG:4326"]).contains(&format!("0 unchanged, {} read", n - 1)));
    assert!(update(&["--assume-crs", "EPSG:4326"]).contains(&format!("{} unchanged, 0 read", n - 1)));
    fails(1, &["a.hypso"], &["build", "-o", &store, &dem]);
    std::fs::write(&store, "no store").unwrap();
    fails(1, &["a.hypso"], &["build", "-o", &store, &dem, "--update"]);
    assert_eq!(std::fs::read(&store).unwrap(), b"no store", "a failed update leaves what was there");
}

#[test]
fn a_picture_is_made() {
    let w = World::get();
    let (_folder, path) = scratch();
    ok(&["preview", &w.path("s.pmtiles"), "-o", &path("p.png")]);
    let png = std::fs::read(path("p.png")).unwrap();
    let (width, height) = hypso::terrain::image_size(&png).unwrap();
    assert!(width > 600 && height > 400, "{width} x {height}");
    fails(1, &["p.png", "--overwrite"], &["preview", &w.path("s.pmtiles"), "-o", &path("p.png")]);
    fails(1, &["lineage"], &["preview", &w.path("s-lineage.pmtiles"), "-o", &path("q.png")]);
}

#[test]
fn bad_input_is_refused_with_path_and_remedy() {
    let w = World::get();
    let (folder, path) = scratch();
    let store = w.path("s.hypso");
    let out = path("o.pmtiles");
    let missing = path("none.hypso");
    for command in ["info", "query", "aggregate"] {
        let rest: &[&str] = match command {
            "query" => &["--point", "0", "0"],
            "aggregate" => &["-o", &out],
            _ => &[],
        };
        let run = |code, words: &[&str], file: &str| fails(code, words, &[&[command, file], rest].concat());
        run(1, &["none.hypso", "check the path"], &missing);
        run(1, &["is a folder"], &folder.path().display().to_string());
        let bytes = std::fs::read(&store).unwrap();
        let altered = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = bytes.clone();
            change(&mut bytes);
            std::fs::write(path(name), bytes).unwrap();
            path(name)
        };
        run(1, &["cut.hypso", "cut off"], &altered("cut.hypso", &|b| b.truncate(b.len() - 100)));
        run(1, &["newer.hypso", "version 9.", "newer hypso"], &altered("newer.hypso", &|b| b[8] = 9));
        run(
            1,
            &["odd.hypso", "altered"],
            &altered("odd.hypso", &|b| {
                let n = b.len();
                b[n - 3] ^= 1;
            }),
        );
        run(1, &["text.hypso", "not a hypso store"], &altered("text.hypso", &|b| *b = b"just some text".to_vec()));
    }
    fails(1, &["exists", "--overwrite"], &["build", "-o", &store, &w.path("s/aw30")]);
    fails(1, &["s.pmtiles", "exists", "--overwrite"], &["aggregate", &store, "-o", &w.path("s.pmtiles")]);
    fails(1, &["nowhere", "does not exist"], &["aggregate", &store, "-o", &path("nowhere/o.pmtiles")]);
    fails(2, &[".pmtiles or .mbtiles"], &["aggregate", &store, "-o", &path("o.tif")]);
    fails(2, &["impossible"], &["aggregate", &store, "-o", &out, "--min-zoom", "9", "--max-zoom", "3"]);
    fails(2, &["--bbox", "no area"], &["aggregate", &store, "-o", &out, "--bbox", "5", "5", "4", "6"]);
    fails(2, &["--bbox", "degrees"], &["aggregate", &store, "-o", &out, "--bbox", "0", "0", "400", "1"]);
    fails(2, &["--bbox"], &["aggregate", &store, "-o", &out, "--bbox", "0", "0", "1", "1", "--min-zoom", "3"]);
    fails(2, &["gap"], &["aggregate", &store, "-o", &out, "--split", "0-3,6-15"]);
    fails(2, &["exactly one"], &["query", &store]);
    fails(2, &["tile", "z/x/y"], &["query", &store, "--tile", "3/9/1"]);
    fails(2, &["unexpected"], &["info", &store, "--nonsense"]);
    fails(1, &["gone"], &["build", "-o", &path("n.hypso"), &path("gone")]);
    std::fs::create_dir(path("empty")).unwrap();
    fails(1, &["empty"], &["build", "-o", &path("n.hypso"), &path("empty")]);
    let left: Vec<_> = names(folder.path())
        .into_iter()
        .filter(|n| n.ends_with("pmtiles") || n.ends_with(".work") || n == "n.hypso")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_full_disk_is_a_failure_and_leaves_nothing_under_the_final_name() {
    // /dev/full is a disk that is always full; a tiny tmpfs needs root.
    let w = World::get();
    let mount = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=300k", "tmpfs"])
        .arg(mount.path())
        .stderr(Stdio::null())
        .status();
    if !mounted.is_ok_and(|s| s.success()) {
        println!("skipped: a small volume can't be mounted here");
        return;
    }
    let out: PathBuf = mount.path().join("o.pmtiles");
    let output = hypso(&["aggregate", &w.path("s.hypso"), "-o", &out.display().to_string()]);
    let left = names(mount.path());
    let _ = Command::new("umount").arg(mount.path()).status();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("space"), "{}", stderr(&output));
    assert_eq!(left, ["o.pmtiles.work"]);
}
