//! What stands at an output's name, or beside it, and is not ours, stays as it is.

use super::*;

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
