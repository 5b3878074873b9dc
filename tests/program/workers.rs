//! The engine on a small sample: resumed, killed, watched, updated, short of memory and disk; always the same bytes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{HYPSO, World, fails, hypso, names, ok, printed, scratch, small_sample, stderr, tiles};
use hypso::archive;

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
    small_sample(Path::new(&path("s")));
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
    let json = |arguments: &[&str]| -> serde_json::Value { serde_json::from_str(&printed(arguments)).unwrap() };
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
    small_sample(Path::new(&path("s")));
    let raster = far_raster(&path);
    let (store, out) = (path("s.hypso"), path("o.pmtiles"));
    ok(&["build", "-o", &store, &path("s/dem10"), &path("s/aw30")]);
    ok(&["aggregate", &store, "-o", &path("whole.pmtiles")]);
    let (bytes, facts) = (std::fs::read(&raster).unwrap(), std::fs::metadata(&raster).unwrap());
    std::fs::remove_file(&raster).unwrap();
    let words = ["far.tif", "the same; set aside", "coarser units wait for them", "same command again"];
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
    let note = format!("{{\"run\": \"0123456789abcdef\", \"output\": {out:?}, \"options\": {{}}}}");
    std::fs::write(path("x.pmtiles.work/run.json"), note).unwrap();
    fails(1, &["unfinished run", "--overwrite"], &["aggregate", &store, "-o", &out]);
    ok(&["aggregate", &store, "-o", &out, "--overwrite"]);
    assert!(tiles(&out) == tiles(w.path("s.pmtiles")));
}

/// A start of a program in the background.
fn start(arguments: &[&str]) -> Child {
    Command::new(HYPSO).args(arguments).stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The processes that a process started.
fn children(process: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|t| std::fs::read_to_string(t.path().join("children")).ok());
    lists.flat_map(|l| l.split_whitespace().filter_map(|p| p.parse().ok()).collect::<Vec<_>>()).collect()
}

fn kill(signal: &str, process: u32) {
    let _ = Command::new("kill").args([signal, &process.to_string()]).stderr(Stdio::null()).status();
}

/// The same raster again, far away.
fn far_raster(path: &impl Fn(&str) -> String) -> String {
    let raster = path("s/dem10/far.tif");
    let moved = ["-q", "-a_srs", "EPSG:4326", "-a_ullr", "10", "50.1", "10.1", "50"];
    let mut program = Command::new("gdal_translate");
    program.args(moved).args([&path("s/dem10/mesh_11.tif"), &raster]);
    assert!(program.status().unwrap().success());
    raster
}

fn json(path: &str) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn killed_fifty_times_a_run_goes_on_to_the_same_bytes() {
    let w = World::get();
    let (folder, path) = scratch();
    let (store, out, lineage) = (w.path("s.hypso"), path("s.pmtiles"), path("s-lineage.pmtiles"));
    let command = ["aggregate", &store, "-o", &out, "--lineage", "--jobs", "2"];
    let (expected, expected_lineage) =
        (std::fs::read(w.path("s.pmtiles")).unwrap(), tiles(w.path("s-lineage.pmtiles")));
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (mut kills, mut finished) = (0, 0);
    while kills < 50 {
        let mut child = start(&command);
        std::thread::sleep(Duration::from_millis(20 + random(900)));
        let workers = children(child.id());
        if workers.is_empty() || random(3) > 0 {
            let _ = child.kill();
        } else {
            kill("-9", workers[random(workers.len() as u64) as usize]);
        }
        kills += 1;
        let ended = child.wait_with_output().unwrap();
        // A final name never holds half an archive, and a run that lost a worker goes on by itself.
        if let Ok(archive) = archive::open(Path::new(&out)) {
            assert_eq!(archive.tile_count().unwrap(), tiles(w.path("s.pmtiles")).len() as u64);
        }
        if ended.status.success() {
            finished += 1;
            assert!(std::fs::read(&out).unwrap() == expected);
            assert!(tiles(&lineage) == expected_lineage);
            for name in names(folder.path()) {
                assert!(!name.ends_with(".work"), "{name}");
                std::fs::remove_file(path(&name)).unwrap();
            }
        } else {
            assert!(ended.status.code().is_none(), "{}", stderr(&ended));
        }
    }
    ok(&command);
    assert!(std::fs::read(&out).unwrap() == expected);
    assert!(tiles(&lineage) == expected_lineage);
    println!("{finished} of the runs that were killed at ended all the same");
}

#[test]
fn a_finished_run_has_nothing_to_do() {
    let w = World::get();
    let (_folder, path) = scratch();
    let (store, out) = (w.path("s.hypso"), path("f.pmtiles"));
    let command = ["aggregate", &store, "-o", &out];
    ok(&command);
    let made = std::fs::metadata(&out).unwrap().modified().unwrap();
    // As if the power had gone before the work folder was removed.
    std::fs::create_dir_all(path("f.pmtiles.work/packs/z0-3")).unwrap();
    std::fs::remove_file(path("f.pmtiles.inputs")).unwrap();
    let said = ok(&command);
    assert!(said.contains("nothing to do"), "{said}");
    assert_eq!(std::fs::metadata(&out).unwrap().modified().unwrap(), made);
    assert!(!Path::new(&path("f.pmtiles.work")).exists() && Path::new(&path("f.pmtiles.inputs")).exists());
    // What another run left is not touched.
    std::fs::create_dir_all(path("f.pmtiles.work/packs")).unwrap();
    std::fs::write(path("f.pmtiles.work/run.json"), "{\"run\":\"1\",\"options\":{}}").unwrap();
    ok(&command);
    assert!(Path::new(&path("f.pmtiles.work/packs")).exists());
    std::fs::remove_dir_all(path("f.pmtiles.work")).unwrap();
    // Other options are another archive.
    fails(1, &["f.pmtiles", "exists", "--overwrite"], &["aggregate", &store, "-o", &out, "--max-zoom", "9"]);
}

#[test]
fn a_stopped_run_says_how_to_go_on() {
    let w = World::get();
    let (_folder, path) = scratch();
    let (store, out) = (w.path("s.hypso"), path("c.pmtiles"));
    let child = start(&["aggregate", &store, "-o", &out, "--jobs", "1"]);
    let started = Instant::now();
    while children(child.id()).is_empty() && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(100));
    kill("-TERM", child.id());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{}", stderr(&ended));
    assert!(stderr(&ended).contains("same command"), "{}", stderr(&ended));
    assert!(!Path::new(&out).exists());
    ok(&["aggregate", &store, "-o", &out]);
    assert!(tiles(&out) == tiles(w.path("s.pmtiles")));
}

#[test]
fn the_watchdog_ends_workers_and_a_unit_is_tried_in_parts() {
    let w = World::get();
    let (_folder, path) = scratch();
    let (store, out) = (w.path("s.hypso"), path("w.pmtiles"));
    let words = ["the watchdog's limit is", "trying again in parts", "set aside", "hypso work --plan"];
    fails(1, &words, &["aggregate", &store, "-o", &out, "--jobs", "1", "--watchdog-memory", "2M"]);
    let report = json(&path("w.report.json"));
    assert!(report["units"]["ended_by_watchdog"].as_u64().unwrap() >= 2, "{report}");
    assert_eq!((report["complete"].as_bool(), Path::new(&out).exists()), (Some(false), false));
    let aside = report["units"]["set_aside"][0]["unit"].as_str().unwrap().to_owned();
    // What was set aside can be made by hand; then the run goes on.
    let said = ok(&["work", "--plan", &path("w.pmtiles.work/aside.json"), "--unit", &aside]);
    assert!(said.contains("made"), "{said}");
    ok(&["aggregate", &store, "-o", &out]);
    assert!(tiles(&out) == tiles(w.path("s.pmtiles")));
    // A limit that every unit passes, if not every part of one.
    let output = hypso(&["aggregate", &store, "-o", &path("t.pmtiles"), "--watchdog-time", "0.0001"]);
    assert!(stderr(&output).contains("s, the watchdog's limit is 0.0 s"), "{}", stderr(&output));
    assert!(json(&path("t.report.json"))["units"]["ended_by_watchdog"].as_u64().unwrap() > 0);
}

#[test]
fn memory_is_kept_and_units_that_do_not_fit_are_made_in_parts() {
    let w = World::get();
    let (_folder, path) = scratch();
    let store = w.path("s.hypso");
    let expected = tiles(w.path("s.pmtiles"));
    fails(
        2,
        &["--memory", "too little", "at least"],
        &["aggregate", &store, "-o", &path("a.pmtiles"), "--memory", "50M"],
    );
    ok(&["aggregate", &store, "-o", &path("b.pmtiles"), "--memory", "300M", "--jobs", "8"]);
    assert!(tiles(path("b.pmtiles")) == expected);
    let report = json(&path("b.report.json"));
    let used = report["memory"]["all_processes"].as_u64().unwrap();
    assert!(report["workers"].as_u64().unwrap() < 8 && used <= 300 << 20, "{report}");
    // A limit just below what a whole unit may take: all are cut.
    let limits = ["--watchdog-memory", "87M", "--block-cache", "4M", "--lineage", "--split", "single"];
    ok(&[&["aggregate", &store, "-o", &path("c.pmtiles")][..], &limits].concat());
    assert!(tiles(path("c.pmtiles")) == expected);
    assert!(tiles(path("c-lineage.pmtiles")) == tiles(w.path("s-lineage.pmtiles")));
    let units = &json(&path("c.report.json"))["units"];
    assert_eq!(units["split"], units["made"], "{units}");
}

#[test]
fn a_run_resumes_from_a_group() {
    let w = World::get();
    let (_folder, path) = scratch();
    let (store, out, plan) = (w.path("s.hypso"), path("g.pmtiles"), path("plan.json"));
    let command = ["aggregate", &store, "-o", &out, "--resume-from"];
    fails(2, &["--resume-from", "group 0", "not finished"], &[&command[..], &["1"]].concat());
    fails(2, &["--resume-from", "0 to 3"], &[&command[..], &["4"]].concat());
    ok(&["plan", &store, "-o", &out, "--export", &plan]);
    let units = json(&plan)["units"].as_array().unwrap().clone();
    let fine = units.iter().map(|u| u["id"].as_str().unwrap()).filter(|id| id.starts_with("z15"));
    let mut arguments = vec!["work", "--plan", &plan];
    fine.for_each(|id| arguments.extend(["--unit", id]));
    ok(&arguments);
    ok(&[&command[..], &["1", "--keep-intermediates"]].concat());
    assert!(tiles(&out) == tiles(w.path("s.pmtiles")));
    let groups = names(Path::new(&path("")));
    assert!(["g_z15-15.mbtiles", "g_z0-10.mbtiles"].iter().all(|g| groups.contains(&(*g).to_string())), "{groups:?}");
}

#[test]
fn an_update_makes_what_changed_and_gives_the_bytes_of_a_whole_run() {
    let (_folder, path) = scratch();
    small_sample(Path::new(&path("s")));
    let (store, out, fresh) = (path("s.hypso"), path("u.pmtiles"), path("fresh.pmtiles"));
    let config = path("s/hypso.toml");
    let files: Vec<String> = names(Path::new(&path("s/lidar2"))).into_iter().filter(|n| n.ends_with(".tif")).collect();
    let lidar = |name: &str| path(&format!("s/lidar2/{name}"));
    far_raster(&path);
    // At first one file of the finest source is missing.
    std::fs::rename(lidar(&files[0]), path("kept.tif")).unwrap();
    let build = || ok(&["build", "-o", &store, "--config", &config, "--update"]);
    build();
    fails(2, &["--update", "is not there"], &["aggregate", &store, "-o", &out, "--update"]);
    let run = |extra: &[&str]| ok(&[&["aggregate", &store, "-o", &out, "--lineage"], extra].concat());
    run(&[]);
    let check = |what: &str| {
        build();
        run(&["--update"]);
        let _ = std::fs::remove_file(&fresh);
        ok(&["aggregate", &store, "-o", &fresh, "--lineage", "--overwrite"]);
        // The name of the archive is in its metadata; all else is the same.
        assert!(tiles(&out) == tiles(&fresh), "{what}");
        assert!(tiles(path("u-lineage.pmtiles")) == tiles(path("fresh-lineage.pmtiles")), "{what}");
        let report = json(&path("u.report.json"));
        let (made, all) = (report["tiles"]["made"].as_u64().unwrap(), tiles(&fresh).len() as u64);
        assert!(made + 5 <= all, "{what}: {made} of {all} tiles, although those of the far raster are the same");
        made
    };
    std::fs::rename(path("kept.tif"), lidar(&files[0])).unwrap();
    let added = check("added");
    assert!(added > 0);
    assert!(run(&["--update"]).contains("nothing to do"));
    // Another content and time under the same name, in the middle source.
    let dem10: Vec<String> = names(Path::new(&path("s/dem10"))).into_iter().filter(|n| n.ends_with(".tif")).collect();
    let changed = path(&format!("s/dem10/{}", dem10[0]));
    let higher = ["-q", "-ot", "Float32", "-scale", "0", "1000", "100", "1100", &changed, &path("higher.tif")];
    assert!(Command::new("gdal_translate").args(higher).status().unwrap().success());
    std::fs::rename(path("higher.tif"), &changed).unwrap();
    assert!(check("changed") > 0);
    std::fs::remove_file(lidar(&files[1])).unwrap();
    assert!(check("removed") > 0);
    // What would not go together is refused.
    fails(
        2,
        &["--update", "options"],
        &["aggregate", &store, "-o", &out, "--lineage", "--update", "--resampling", "cubic"],
    );
    std::fs::remove_file(path("u.pmtiles.inputs")).unwrap();
    std::fs::rename(lidar(&files[2]), path("gone.tif")).unwrap();
    build();
    fails(1, &["u.pmtiles.inputs", "--overwrite"], &["aggregate", &store, "-o", &out, "--lineage", "--update"]);
}

#[test]
fn an_update_in_a_box_and_below_a_zoom_is_exact_too() {
    let (_folder, path) = scratch();
    small_sample(Path::new(&path("s")));
    let (store, config) = (path("s.hypso"), path("s/hypso.toml"));
    let files: Vec<String> = names(Path::new(&path("s/lidar2"))).into_iter().filter(|n| n.ends_with(".tif")).collect();
    let lidar = |n: usize| path(&format!("s/lidar2/{}", files[n]));
    far_raster(&path);
    let limits: [&[&str]; 4] = [
        &["--max-zoom", "13", "--min-zoom", "4"],
        &["--bbox", "138.98", "34.2", "139.0", "34.22", "--min-zoom", "9"],
        &["--coverage", "full", "--max-zoom", "14"],
        &["--blend", "60", "--fill-gaps", "6"],
    ];
    let build = || ok(&["build", "-o", &store, "--config", &config, "--update"]);
    std::fs::rename(lidar(0), path("kept.tif")).unwrap();
    build();
    for (n, limits) in limits.iter().enumerate() {
        ok(&[&["aggregate", &store, "-o", &path(&format!("{n}.mbtiles"))], *limits].concat());
    }
    std::fs::rename(path("kept.tif"), lidar(0)).unwrap();
    std::fs::remove_file(lidar(1)).unwrap();
    build();
    for (n, limits) in limits.iter().enumerate() {
        let (out, fresh) = (path(&format!("{n}.mbtiles")), path(&format!("fresh{n}.mbtiles")));
        ok(&[&["aggregate", &store, "-o", &out, "--update"], *limits].concat());
        ok(&[&["aggregate", &store, "-o", &fresh], *limits].concat());
        assert!(tiles(&out) == tiles(&fresh), "{limits:?}");
    }
}

#[test]
fn the_report_tells_what_was_made_and_alerts_have_an_exit_code() {
    let w = World::get();
    let (_folder, path) = scratch();
    let report = json(&w.path("s.report.json"));
    let made = tiles(w.path("s.pmtiles")).len() as u64;
    assert_eq!((report["tiles"]["made"].as_u64(), report["output"]["tiles"].as_u64()), (Some(made), Some(made)));
    assert_eq!(report["records"], serde_json::json!({"used": 15, "unused": 0}));
    let sources = report["sources"].as_array().unwrap();
    assert_eq!(sources.len(), 3);
    let void = sources[0]["nodata_share"].as_f64().unwrap();
    assert!(void > 0.0 && void < 0.5, "the finest source has holes: {void}");
    assert!(sources.iter().all(|s| s["pixels"].as_u64().unwrap() > 0));
    let seconds = &report["worker_seconds"];
    assert!(
        ["read", "warp_and_merge", "encode_and_decode", "write"].iter().all(|k| seconds[k].as_f64().unwrap() > 0.0)
    );
    let out = path("a.pmtiles");
    let limits = [
        "aggregate",
        &w.path("s.hypso"),
        "-o",
        &out,
        "--min-zoom",
        "13",
        "--bbox",
        "138.98",
        "34.2",
        "138.99",
        "34.21",
    ];
    let output = hypso(&[&limits[..], &["--alert-unused", "5"]].concat());
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("alert: ") && Path::new(&out).exists(), "{}", stderr(&output));
    assert_eq!(json(&path("a.report.json"))["alerts"].as_array().unwrap().len(), 1);
}

#[test]
fn progress_and_logs_are_json_on_request() {
    let w = World::get();
    let (_folder, path) = scratch();
    let talk = ["--progress", "json", "--progress-every", "0.1", "--log-format", "json", "--log-level", "debug"];
    let said =
        ok(&[&["aggregate", &w.path("s.hypso"), "-o", &path("j.pmtiles"), "--memory", "1G"], &talk[..]].concat());
    let documents: Vec<serde_json::Value> =
        said.lines().filter(|l| l.starts_with('{')).map(|l| serde_json::from_str(l).unwrap()).collect();
    let rendering: Vec<_> = documents.iter().filter(|d| d["stage"] == "rendering").collect();
    let last = rendering.last().unwrap();
    assert_eq!(
        (last["done"].as_u64(), last["memory_budget"].as_u64()),
        (last["total"].as_u64(), Some(1 << 30)),
        "{last}"
    );
    let logged = |message: &str| documents.iter().any(|d| d["message"] == message);
    assert!(logged("worker starts") && logged("unit made"), "{said}");
}

/// A small volume; `None` where none can be mounted.
fn volume(size: &str) -> Option<Volume> {
    let folder = tempfile::tempdir().unwrap();
    let size = format!("size={size}");
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).stderr(Stdio::null());
    if mount.status().is_ok_and(|s| s.success()) {
        return Some(Volume { folder });
    }
    println!("skipped: a small volume can't be mounted here");
    None
}

struct Volume {
    folder: tempfile::TempDir,
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.folder.path()).status();
    }
}

#[test]
fn a_full_disk_is_a_failure_and_leaves_nothing_under_the_final_name() {
    let w = World::get();
    let Some(volume) = volume("300k") else { return };
    let out = volume.folder.path().join("o.pmtiles").display().to_string();
    let command = ["aggregate", &w.path("s.hypso"), "-o", &out];
    fails(1, &["MB free", "--tmpdir", "--ignore-space"], &command);
    assert!(names(volume.folder.path()).is_empty());
    fails(1, &["space"], &[&command[..], &["--ignore-space", "--disk-reserve", "0"]].concat());
    assert!(names(volume.folder.path()).iter().all(|n| n == "o.pmtiles.work" || n == "o.report.json"));
    // With room the same command goes on.
    let larger = Command::new("mount").args(["-o", "remount,size=64M"]).arg(volume.folder.path()).status();
    assert!(larger.unwrap().success());
    ok(&[&command[..], &["--ignore-space", "--disk-reserve", "0"]].concat());
    assert!(tiles(&out) == tiles(w.path("s.pmtiles")));
}

#[test]
fn a_disk_that_fills_up_pauses_the_run_and_room_lets_it_go_on() {
    let w = World::get();
    let Some(volume) = volume("64M") else { return };
    let at = |name: &str| -> PathBuf { volume.folder.path().join(name) };
    std::fs::write(at("filler"), vec![1; 50 << 20]).unwrap();
    let out = at("o.pmtiles").display().to_string();
    let options = ["--ignore-space", "--disk-reserve", "30M", "--jobs", "2"];
    let child = start(&[&["aggregate", &w.path("s.hypso"), "-o", &out], &options[..]].concat());
    std::thread::sleep(Duration::from_secs(3));
    assert!(!at("o.pmtiles").exists());
    std::fs::remove_file(at("filler")).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = stderr(&ended);
    assert!(ended.status.success(), "{said}");
    assert!(said.contains("nothing new is begun") && said.contains("going on"), "{said}");
    assert!(tiles(&out) == tiles(w.path("s.pmtiles")));
    assert!(json(&at("o.report.json").display().to_string())["seconds"]["paused"].as_f64().unwrap() > 1.0);
}

#[test]
fn the_work_folder_can_lie_elsewhere() {
    let w = World::get();
    let (_folder, path) = scratch();
    let out = path("t.pmtiles");
    std::fs::create_dir(path("tmp")).unwrap();
    let mut child = start(&["aggregate", &w.path("s.hypso"), "-o", &out, "--tmpdir", &path("tmp")]);
    let mut seen = false;
    while child.try_wait().unwrap().is_none() {
        // With a number for the place of the output: others of its name may have theirs there, too.
        let work =
            names(Path::new(&path("tmp"))).into_iter().find(|n| n.starts_with("t.pmtiles-") && n.ends_with(".work"));
        seen = seen || work.is_some_and(|work| Path::new(&path(&format!("tmp/{work}/run.json"))).exists());
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success() && seen);
    assert!(names(Path::new(&path("tmp"))).is_empty());
    assert!(tiles(&out) == tiles(w.path("s.pmtiles")));
}
