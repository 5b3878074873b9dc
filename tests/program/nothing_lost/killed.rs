//! Programs that were killed, and programs that work at the same time.

use super::*;

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
    let mut sink =
        archive::create_with(path, &metadata, CreateOptions { overwrite: true, ..CreateOptions::default() }).unwrap();
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
        let signal = |program: &Child, name: &str| {
            assert!(Command::new("kill").args([name, &program.id().to_string()]).status().unwrap().success())
        };
        // One that is stopped between making its file and locking it counts as dead, and makes another later. So it has a moment;
        // a fast machine is done by then, and has less of it the next time.
        let stopped = |moment: u64| {
            let mut program = Command::new(HYPSO);
            program.args(command);
            if let Some(mut first) = caught(program, folder.path()) {
                std::thread::sleep(Duration::from_millis(moment));
                signal(&first, "-STOP");
                let held = temporaries(folder.path());
                if held.len() == 1 {
                    return Some((first, held));
                }
                first.kill().unwrap();
                first.wait().unwrap();
            }
            let made = PathBuf::from(path(out));
            drop(if made.is_dir() { std::fs::remove_dir_all(made) } else { std::fs::remove_file(made) });
            None
        };
        let found = [30, 15, 7, 3, 1, 1, 0, 0].into_iter().find_map(stopped);
        let Some((mut first, held)) = found else { panic!("{out}: it ended at once") };
        let said = ok(&command);
        assert!(!said.contains("that a killed run had left"), "{said}");
        assert_eq!(temporaries(folder.path()), held, "{out}");
        signal(&first, "-CONT");
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
