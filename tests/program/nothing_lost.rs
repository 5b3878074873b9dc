//! Nothing that is not ours is replaced or removed; programs that were killed, or that work at the same time, are in nobody's
//! way; and what is read while it changes is noticed.
#![cfg(unix)]

use crate::common;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::program::{HYPSO, World, fails, hypso, names, ok, scratch, stderr, surveyed, tiles};
use hypso::archive::{self, ArchiveMetadata, CreateOptions};
use hypso::raster::GeoTransform;
use hypso::raster::gdal::{GeoTiffCompression, GeoTiffSpec, GeoTiffType, write_geotiff};
use hypso::tile::TileId;

/// Everything below a folder: paths, and what is in the files; links as links.
fn tree(folder: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let (path, kind) = entry.map(|e| (e.path(), e.file_type().unwrap())).unwrap();
        let is_dir = kind.is_dir();
        found.push((path.clone(), kind.is_file().then(|| std::fs::read(&path).unwrap())));
        if is_dir {
            found.extend(tree(&path));
        }
    }
    found.sort();
    found
}

#[test]
fn a_folder_is_replaced_only_where_it_holds_nothing_but_tiles() {
    let w = World::get();
    let (folder, path) = scratch();
    let (archive, out) = (w.path("s.pmtiles"), path("out"));
    let commands: [&[&str]; 3] = [
        &["convert", &archive, "-o", &out, "--overwrite"],
        &["extract", &archive, "-o", &out, "--overwrite", "--max-zoom", "9"],
        &["merge", &archive, "-o", &out, "--overwrite"],
    ];
    let foreign = [
        "photograph.jpg",
        ".hidden",
        "9/notes.txt",
        "9/451/.DS_Store",
        "9/451/200.tif",
        "9/451/200/deep.webp",
        "99/1/1.png",
    ];
    for command in commands {
        ok(command);
        for name in foreign {
            let file = Path::new(&out).join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, "mine").unwrap();
            let before = tree(folder.path());
            fails(1, &["out", "is no tile", "remove the folder yourself"], command);
            assert!(tree(folder.path()) == before, "{name}");
            std::fs::remove_file(&file).unwrap();
            // Folders that were made for it go as well.
            file.ancestors().skip(1).for_each(|folder| drop(std::fs::remove_dir(folder)));
        }
        symlink(&archive, path("out/9/link.webp")).unwrap();
        fails(1, &["9/link.webp", "is no tile"], command);
        std::fs::remove_file(path("out/9/link.webp")).unwrap();
        ok(command);
    }
    // A folder of photographs, and one of a web page.
    for (name, files) in [("precious", ["1.jpg", "2.jpg"]), ("page", ["metadata.json", "index.html"])] {
        std::fs::create_dir(path(name)).unwrap();
        files.iter().for_each(|file| std::fs::write(path(&format!("{name}/{file}")), "{}").unwrap());
        let before = tree(folder.path());
        fails(1, &[name, "is no tile"], &["convert", &archive, "-o", &path(name), "--overwrite"]);
        assert!(tree(folder.path()) == before);
    }
    std::fs::remove_file(path("page/index.html")).unwrap();
    fails(1, &["says nothing of tiles"], &["convert", &archive, "-o", &path("page"), "--overwrite"]);
    // A link stays, and what it leads to is replaced; the same rule holds there.
    std::fs::remove_dir_all(path("out")).unwrap();
    symlink(path("precious"), path("out")).unwrap();
    fails(1, &["is no tile"], commands[0]);
    std::fs::remove_file(path("precious/1.jpg")).unwrap();
    std::fs::remove_file(path("precious/2.jpg")).unwrap();
    ok(commands[0]);
    assert!(Path::new(&path("out")).is_symlink() && Path::new(&path("precious/metadata.json")).exists());
    assert!(names(folder.path()).iter().all(|name| !name.starts_with('.')), "{:?}", names(folder.path()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_is_replaced_is_there_at_every_moment() {
    let w = World::get();
    let (_folder, path) = scratch();
    let out = path("tiles");
    ok(&["convert", &w.path("s.pmtiles"), "-o", &out]);
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut looked = 0u64;
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                assert!(Path::new(&out).join("metadata.json").exists(), "gone after {looked} looks");
                looked += 1;
            }
            looked
        });
        for _ in 0..5 {
            ok(&["convert", &w.path("s.pmtiles"), "-o", &out, "--overwrite"]);
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(watch.join().unwrap() > 100);
    });
}

#[test]
fn a_sample_replaces_nothing_but_a_sample() {
    let (folder, path) = scratch();
    let sample = ["sample", "-o", &path("s"), "--size", "small"];
    let again = [&sample[..], &["--overwrite"]].concat();
    ok(&sample);
    fails(1, &["exists already"], &sample);
    ok(&again);
    // Files of the user's beside it, and changed ones.
    for (name, text) in [
        ("notes.txt", "mine"),
        ("dem10/own.tif", "mine"),
        ("hypso.toml", "[[source]]\npath = \"x\"\n"),
        (".hidden", ""),
    ] {
        let file = path(&format!("s/{name}"));
        let before = std::fs::read(&file).ok();
        std::fs::write(&file, text).unwrap();
        let all = tree(folder.path());
        fails(2, &["was not made by `hypso sample`", name], &again);
        assert!(tree(folder.path()) == all);
        match before {
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
    }
    ok(&again);
    // A folder of rasters with a hypso.toml, as `build --write-config` makes it.
    std::fs::create_dir(path("dem")).unwrap();
    std::fs::copy(path("s/dem10/mesh_11.tif"), path("dem/a.tif")).unwrap();
    ok(&["build", "-o", &path("d.hypso"), &path("dem"), "--write-config", &path("dem/hypso.toml")]);
    let all = tree(folder.path());
    fails(2, &["was not made by `hypso sample`"], &["sample", "-o", &path("dem"), "--size", "small", "--overwrite"]);
    assert!(tree(folder.path()) == all);
    // An empty folder is no loss.
    std::fs::create_dir(path("empty")).unwrap();
    ok(&["sample", "-o", &path("empty"), "--size", "small"]);
    assert_eq!(names(folder.path()), ["d.hypso", "dem", "empty", "s"]);
}

#[test]
fn no_command_replaces_a_file_that_it_was_not_asked_to() {
    let w = World::get();
    let (folder, path) = scratch();
    let (store, archive, config) = (w.path("s.hypso"), w.path("s.pmtiles"), w.path("s/hypso.toml"));
    let build = ["build", "-o", &path("new.hypso"), "--config", &config];
    let aggregate = ["aggregate", &store, "-o", &path("x.pmtiles"), "--max-zoom", "7"];
    let one = w.path("s/aw30");
    let (_other, apart) = scratch();
    let patch = apart("patch.pmtiles");
    ok(&["diff", &archive, &archive, "-o", &patch]);
    // What is in the way, whose command, and whether --overwrite is the way.
    let cases: [(&str, Vec<&str>, bool); 11] = [
        ("o.tif", vec!["build", "-o", "o.tif", "--config", &config], true),
        ("o.png", vec!["preview", &archive, "-o", "o.png"], true),
        ("o.geojson", vec!["export", &store, "-o", "o.geojson"], true),
        ("o.gpkg", vec!["export", &store, "-o", "o.gpkg"], true),
        ("plan.json", vec!["plan", &store, "-o", "x.pmtiles", "--export", "plan.json"], true),
        ("hypso.toml", [&build[..], &["--write-config", "hypso.toml"]].concat(), true),
        ("bounds.csv", vec!["build", "-o", "new.hypso", &one, "--write-bounds", "bounds.csv"], true),
        ("x.pmtiles.inputs", aggregate.to_vec(), false),
        ("y.hypso", vec!["tiles", &one, "-o", "y.pmtiles", "--max-zoom", "7"], true),
        ("p.pmtiles", vec!["patch", &archive, &patch, "-o", "p.pmtiles"], true),
        ("d.mbtiles", vec!["diff", &archive, &archive, "-o", "d.mbtiles"], true),
    ];
    for (name, command, overwrites) in cases {
        std::fs::write(path(name), "mine, and no file of hypso's").unwrap();
        let before = tree(folder.path());
        let command: Vec<&str> = command.into_iter().collect();
        let run = |extra: &[&str]| -> Output {
            let mut program = Command::new(HYPSO);
            program.args(&command).args(extra).current_dir(folder.path()).stdin(Stdio::null()).output().unwrap()
        };
        let output = run(&[]);
        assert!(!output.status.success() && stderr(&output).contains(name), "{command:?}: {}", stderr(&output));
        assert!(tree(folder.path()) == before, "{command:?}: {:?}", names(folder.path()));
        if overwrites {
            let output = run(&["--overwrite"]);
            assert!(output.status.success(), "{command:?}: {}", stderr(&output));
            assert_ne!(std::fs::read(path(name)).unwrap(), b"mine, and no file of hypso's");
        }
        for name in names(folder.path()) {
            drop(std::fs::remove_file(path(&name)));
        }
    }
    // A report that is none goes aside.
    std::fs::write(path("x.report.json"), "{}").unwrap();
    ok(&aggregate);
    assert_eq!(std::fs::read(path("x.report.json")).unwrap(), b"{}");
    assert!(Path::new(&path("x.pmtiles.report.json")).exists());
    // What is the same already is no loss, and a plan is renewed.
    for _ in 0..2 {
        ok(&["plan", &store, "-o", &path("x.pmtiles"), "--export", &path("plan.json")]);
    }
    ok(&["build", "-o", &path("a.hypso"), &one, "--write-config", &path("c.toml"), "--write-bounds", &path("b.csv")]);
    ok(&[
        "build",
        "-o",
        &path("a.hypso"),
        &one,
        "--update",
        "--write-config",
        &path("c.toml"),
        "--write-bounds",
        &path("b.csv"),
    ]);
    let twice = ["build", "-o", &path("z"), &one, "--write-config", &path("z")];
    fails(2, &["two files"], &twice);
}

#[test]
fn an_input_is_never_written_over_by_whatever_name() {
    let (folder, path) = scratch();
    surveyed(folder.path());
    let (store, raster) = (path("s.hypso"), path("s/dem10/mesh_11.tif"));
    ok(&["aggregate", &store, "-o", &path("a.pmtiles"), "--max-zoom", "9"]);
    ok(&["convert", &path("a.pmtiles"), "-o", &path("tiles")]);
    std::fs::create_dir(path("holds")).unwrap();
    ok(&["convert", &path("a.pmtiles"), "-o", &path("holds/a.mbtiles")]);
    std::fs::hard_link(&raster, path("hard.pmtiles")).unwrap();
    symlink(&raster, path("soft.pmtiles")).unwrap();
    std::fs::hard_link(&store, path("store.pmtiles")).unwrap();
    symlink(path("a.pmtiles"), path("soft.png")).unwrap();
    symlink("tiles", path("soft")).unwrap();
    let before = tree(folder.path());
    let (dem, config) = (path("s/dem10"), path("s/hypso.toml"));
    let cases: Vec<Vec<String>> = [
        vec!["build", "-o", &raster, &dem],
        vec!["build", "-o", &path("hard.pmtiles"), &dem],
        vec!["build", "-o", &config, "--config", &config],
        vec!["build", "-o", &path("n.hypso"), "--config", &config, "--write-bounds", &config],
        vec!["aggregate", &store, "-o", &path("hard.pmtiles")],
        vec!["aggregate", &store, "-o", &path("soft.pmtiles")],
        vec!["aggregate", &store, "-o", &path("store.pmtiles")],
        vec!["export", &store, "-o", &raster, "--format", "gti"],
        vec!["export", &store, "-o", &path("store.pmtiles"), "--format", "flatgeobuf"],
        vec!["preview", &path("a.pmtiles"), "-o", &path("soft.png")],
        vec!["plan", &store, "--export", &path("store.pmtiles")],
        vec!["convert", &path("tiles"), "-o", &path("soft")],
        vec!["convert", &path("holds/a.mbtiles"), "-o", &path("holds")],
        vec!["merge", &path("a.pmtiles"), "-o", &path("soft.png")],
    ]
    .into_iter()
    .map(|case| case.into_iter().map(String::from).collect())
    .collect();
    for case in cases {
        let mut arguments: Vec<&str> = case.iter().map(String::as_str).collect();
        arguments.push("--overwrite");
        let output = hypso(&arguments);
        assert!(!output.status.success(), "{arguments:?}: {}", stderr(&output));
        assert!(tree(folder.path()) == before, "{arguments:?}");
    }
}

/// A program as process 1 of a namespace of its own, as in a container; it dies with what this starts.
fn contained(arguments: &[&str]) -> Command {
    let mut program = Command::new("unshare");
    program.args(["--pid", "--fork", "--kill-child", "--mount-proc", HYPSO]).args(arguments).stdin(Stdio::null());
    program
}

/// True where namespaces can be made.
fn containers() -> bool {
    let tried = contained(&["--version"]).output();
    let allowed = tried.as_ref().is_ok_and(|output| output.status.success());
    if !allowed {
        println!("skipped: this system does not let `unshare --pid` make a namespace: {tried:?}");
    }
    allowed
}

#[test]
fn eight_workers_that_are_each_process_1_make_the_same_units() {
    if !containers() {
        return;
    }
    let w = World::get();
    for round in 0..3 {
        let (_folder, path) = scratch();
        let (out, plan) = (path("o.pmtiles"), path("plan.json"));
        ok(&["plan", &w.path("s.hypso"), "-o", &out, "--lineage", "--export", &plan]);
        let text: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
        let units: Vec<String> = (0..text["units"].as_array().unwrap().len()).map(|n| n.to_string()).collect();
        let mut arguments = vec!["work", "--plan", &plan];
        units.iter().for_each(|unit| arguments.extend(["--unit", unit]));
        let children: Vec<Child> =
            (0..8).map(|_| contained(&arguments).stderr(Stdio::piped()).spawn().unwrap()).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "round {round}: {}", stderr(&output));
        }
        let left: Vec<_> = tree(Path::new(&path("o.pmtiles.work"))).into_iter().map(|(path, _)| path).collect();
        assert!(left.iter().all(|path| !path.to_string_lossy().ends_with(".tmp")), "{left:?}");
        let said = ok(&["aggregate", &w.path("s.hypso"), "-o", &out, "--lineage"]);
        assert!(said.contains(" 0 made"), "{said}");
        assert!(tiles(&out) == tiles(w.path("s.pmtiles")));
        assert!(tiles(path("o-lineage.pmtiles")) == tiles(w.path("s-lineage.pmtiles")));
    }
}

/// Enough tiles for a moment of work.
fn big(path: &Path) {
    let metadata = ArchiveMetadata { name: "big".into(), ..ArchiveMetadata::default() };
    let mut sink = archive::create_with(path, &metadata, CreateOptions { overwrite: true, dedup: false }).unwrap();
    let mut random = common::Random(7);
    for id in TileId::first(8).0..TileId::first(8).0 + 8_000 {
        let noise: Vec<u8> = (0..20 + random.next() % 150).flat_map(|_| random.next().to_le_bytes()).collect();
        let tile = [&b"\x89PNG\r\n\x1a\n"[..], &noise].concat();
        sink.put(TileId(id).coord().unwrap(), &tile).unwrap();
    }
    sink.finish().unwrap();
}

fn temporaries(folder: &Path) -> Vec<String> {
    names(folder).into_iter().filter(|name| name.ends_with(".tmp")).collect()
}

/// Starts a command and gives it as soon as it has something temporary in a folder; `None` where it ends before.
fn caught(mut program: Command, folder: &Path) -> Option<Child> {
    let mut child = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while temporaries(folder).is_empty() && started.elapsed() < Duration::from_secs(60) {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Some(child)
}

#[test]
fn what_a_killed_program_left_goes_with_the_same_command() {
    let contained_here = containers();
    let (folder, path) = scratch();
    big(folder.path().join("in.mbtiles").as_path());
    let commands: [&[&str]; 5] = [
        &["convert", &path("in.mbtiles"), "-o", &path("out.pmtiles")],
        &["convert", &path("in.mbtiles"), "-o", &path("out.mbtiles"), "--dedup"],
        &["convert", &path("in.mbtiles"), "-o", &path("tiles")],
        &["merge", &path("in.mbtiles"), "-o", &path("merged.mbtiles")],
        &["sample", "-o", &path("demo"), "--size", "small"],
    ];
    for command in commands {
        let mut left = Vec::new();
        for _ in 0..20 {
            let program = if contained_here {
                contained(command)
            } else {
                let mut program = Command::new(HYPSO);
                program.args(command);
                program
            };
            let Some(mut child) = caught(program, folder.path()) else {
                std::fs::remove_dir_all(path(Path::new(command[3]).file_name().unwrap().to_str().unwrap()))
                    .or_else(|_| std::fs::remove_file(command[3]))
                    .unwrap_or_default();
                continue;
            };
            let _ = Command::new("kill").args(["-9", &child.id().to_string()]).status();
            child.wait().unwrap();
            std::thread::sleep(Duration::from_millis(50));
            left = temporaries(folder.path());
            if !left.is_empty() {
                break;
            }
        }
        assert!(!left.is_empty(), "{command:?} was never killed in the middle");
        // As process 1 once more: the number of the dead one.
        let output = if contained_here { contained(command).output().unwrap() } else { hypso(command) };
        let said = stderr(&output);
        assert!(output.status.success(), "{command:?}: {said}");
        assert!(said.contains("that a killed run had left"), "{command:?}: {said}");
        assert_eq!(temporaries(folder.path()), [""; 0], "{command:?}");
    }
    assert_eq!(names(folder.path()), ["demo", "in.mbtiles", "merged.mbtiles", "out.mbtiles", "out.pmtiles", "tiles"]);
}

#[test]
fn what_a_live_program_holds_stays_and_two_on_one_name_make_one_whole_file() {
    let (folder, path) = scratch();
    big(folder.path().join("in.mbtiles").as_path());
    for out in ["out.pmtiles", "out.mbtiles", "tiles"] {
        let command = ["convert", &path("in.mbtiles"), "-o", &path(out)];
        let mut program = Command::new(HYPSO);
        program.args(command);
        let Some(mut first) = caught(program, folder.path()) else { panic!("{out}: it ended at once") };
        let signal = |name: &str| {
            assert!(Command::new("kill").args([name, &first.id().to_string()]).status().unwrap().success())
        };
        // One that is stopped between making its file and locking it counts as dead, and makes another later.
        std::thread::sleep(Duration::from_millis(30));
        signal("-STOP");
        let held = temporaries(folder.path());
        assert_eq!(held.len(), 1, "{out}");
        let said = ok(&command);
        assert!(!said.contains("that a killed run had left"), "{said}");
        assert_eq!(temporaries(folder.path()), held, "{out}");
        signal("-CONT");
        // The one that comes late replaces nothing.
        assert_eq!(first.wait().unwrap().code(), Some(1), "{out}");
        assert_eq!(temporaries(folder.path()), [""; 0], "{out}");
        assert_eq!(archive::open(Path::new(&path(out))).unwrap().tile_count().unwrap(), 8_000);
    }
}

#[test]
fn a_run_that_was_killed_leaves_nothing_of_its_workers() {
    let w = World::get();
    let (folder, path) = scratch();
    let command = ["aggregate", &w.path("s.hypso"), "-o", &path("r.pmtiles"), "--jobs", "2"];
    let started = Instant::now();
    let mut left = Vec::new();
    while left.is_empty() && started.elapsed() < Duration::from_secs(60) {
        let mut child = Command::new(HYPSO).args(command).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(200 + started.elapsed().as_millis() as u64 % 700));
        let workers = std::fs::read_dir(format!("/proc/{}/task", child.id())).into_iter().flatten().flatten();
        let workers: Vec<String> = workers
            .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
            .flat_map(|list| list.split_whitespace().map(String::from).collect::<Vec<_>>())
            .collect();
        let _ = child.kill();
        workers
            .iter()
            .for_each(|worker| drop(Command::new("kill").args(["-9", worker]).stderr(Stdio::null()).status()));
        child.wait().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        if !Path::new(&path("r.pmtiles.work")).exists() {
            drop(std::fs::remove_file(path("r.pmtiles")));
            continue;
        }
        let all = tree(folder.path()).into_iter().map(|(path, _)| path);
        left = all.filter(|path| path.to_string_lossy().ends_with(".tmp")).collect();
    }
    assert!(!left.is_empty(), "never killed in the middle of a unit");
    // A folder of the user's own among the packs.
    std::fs::create_dir_all(path("r.pmtiles.work/packs/photographs")).unwrap();
    std::fs::write(path("r.pmtiles.work/packs/photographs/1.jpg"), "mine").unwrap();
    let said = ok(&command);
    assert!(said.contains("that a killed run had left"), "{said}");
    assert!(said.contains("packs/photographs: is in use, or not of this run"), "{said}");
    let work: Vec<_> = tree(Path::new(&path("r.pmtiles.work"))).into_iter().map(|(path, _)| path).collect();
    assert_eq!(work.len(), 3, "{work:?}");
    assert!(tiles(path("r.pmtiles")) == tiles(w.path("s.pmtiles")));
}

#[test]
fn outputs_of_one_stem_do_not_meet() {
    let w = World::get();
    let (folder, path) = scratch();
    ["a", "b", "tmp"].iter().for_each(|name| std::fs::create_dir(path(name)).unwrap());
    let store = w.path("s.hypso");
    let tmp = path("tmp");
    // Two that are not finished, with one --tmpdir.
    let start = |out: &str, zoom: &str| {
        let plan = path("plan.json");
        let _ = std::fs::remove_file(&plan);
        ok(&["plan", &store, "-o", &path(out), "--tmpdir", &tmp, "--max-zoom", zoom, "--export", &plan]);
        ok(&["work", "--plan", &plan, "--unit", "0"]);
    };
    let outputs = [("a/x.pmtiles", "8"), ("b/x.pmtiles", "9"), ("a/x.mbtiles", "7")];
    outputs.iter().for_each(|(out, zoom)| start(out, zoom));
    assert_eq!(names(Path::new(&tmp)).len(), 3, "{:?}", names(Path::new(&tmp)));
    for (out, zoom) in outputs {
        let said = ok(&["aggregate", &store, "-o", &path(out), "--tmpdir", &tmp, "--max-zoom", zoom]);
        assert!(said.contains("1 found from before"), "{said}");
    }
    assert_eq!(names(Path::new(&tmp)), [""; 0]);
    for name in ["a/x.report.json", "a/x.mbtiles.report.json"] {
        let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap();
        let output = report["output"]["path"].as_str().unwrap();
        assert_eq!(output.ends_with("mbtiles"), name.contains("mbtiles"), "{name}: {output}");
    }
    // Stores of `tiles`: that of other sources stays.
    ok(&["tiles", &w.path("s/aw30"), "-o", &path("t.pmtiles"), "--max-zoom", "7"]);
    let before = std::fs::read(path("t.hypso")).unwrap();
    let other = ["tiles", &w.path("s/dem10"), "-o", &path("t.mbtiles"), "--max-zoom", "7"];
    fails(2, &["t.hypso", "store of other sources (aw30)"], &other);
    assert!(std::fs::read(path("t.hypso")).unwrap() == before);
    ok(&["tiles", &w.path("s/aw30"), "-o", &path("t.mbtiles"), "--max-zoom", "6"]);
    assert!(names(folder.path()).contains(&"t.mbtiles.report.json".into()));
}

#[test]
fn a_new_database_is_not_put_beside_the_journal_of_another() {
    let w = World::get();
    let (folder, path) = scratch();
    let (store, archive, out) = (w.path("s.hypso"), w.path("s.pmtiles"), path("x.mbtiles"));
    for suffix in ["-wal", "-journal"] {
        for exists in [false, true] {
            if exists {
                std::fs::write(&out, "").unwrap();
            }
            std::fs::write(format!("{out}{suffix}"), "changes of another database").unwrap();
            let before = tree(folder.path());
            let words = [suffix, "another database", "remove that file"];
            fails(1, &words, &["convert", &archive, "-o", &out, "--overwrite"]);
            fails(1, &words, &["merge", &archive, "-o", &out, "--overwrite"]);
            std::fs::write(path(&format!("x.gpkg{suffix}")), "changes of another database").unwrap();
            fails(1, &words, &["export", &store, "-o", &path("x.gpkg")]);
            std::fs::remove_file(path(&format!("x.gpkg{suffix}"))).unwrap();
            assert!(tree(folder.path()) == before);
            fails(1, &words, &["aggregate", &store, "-o", &out, "--overwrite", "--max-zoom", "7"]);
            std::fs::remove_file(format!("{out}{suffix}")).unwrap();
            drop(std::fs::remove_file(&out));
        }
        // One that was ended says nothing.
        std::fs::write(format!("{out}{suffix}"), [0; 512]).unwrap();
        ok(&["convert", &archive, "-o", &out]);
        assert_eq!(tiles(&out).len(), tiles(&archive).len());
        names(folder.path()).iter().for_each(|name| drop(std::fs::remove_file(path(name))));
    }
}

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
