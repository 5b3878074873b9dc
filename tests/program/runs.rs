//! The real program on a small sample: whole runs, the same bytes every way, interruptions, and bad input.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::program::{World, fails, hypso, names, ok, printed, scratch, stderr, tiles};
use hypso::archive;
use hypso::raster::GeoTransform;
use hypso::raster::gdal::write_geotiff;
use hypso::raster::{GeoTiffCompression, GeoTiffSpec, GeoTiffType};
use hypso::tile::TileCoord;

#[test]
fn a_run_leaves_the_archives_and_nothing_else() {
    let w = World::get();
    let names = names(w.folder.path());
    assert_eq!(names, ["s", "s-lineage.pmtiles", "s.hypso", "s.pmtiles", "s.pmtiles.inputs", "s.report.json"]);
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
    assert_eq!(
        names(Path::new(&path("a.pmtiles")).parent().unwrap()),
        ["a.pmtiles", "a.pmtiles.inputs", "a.report.json"]
    );
    let archive = archive::open(Path::new(&path("a.pmtiles"))).unwrap();
    let tilejson = archive.metadata().tilejson("a.pmtiles").to_string();
    let tilejson: serde_json::Value = serde_json::from_str(&tilejson).unwrap();
    assert_eq!((tilejson["encoding"].as_str(), tilejson["tileSize"].as_u64()), (Some("mapbox"), Some(256)));
    let tile = archive.tile(TileCoord::new(0, 0, 0).unwrap()).unwrap().unwrap();
    assert_eq!(hypso::terrain::image_size(&tile).unwrap(), (256, 256));
    assert_eq!(hypso::terrain::sniff(&tile), Some(hypso::terrain::ImageFormat::Png));
}

#[test]
fn queries_print_what_covers_a_place() {
    let w = World::get();
    let store = w.path("s.hypso");
    let table = printed(&["query", &store, "--point", "139.0", "34.2"]);
    assert!(table.lines().nth(2).unwrap().contains("dem10"), "{table}");
    let json: serde_json::Value =
        serde_json::from_str(&printed(&["query", &store, "--tile", "10/907/408", "--format", "json"])).unwrap();
    let found = json.as_array().unwrap();
    assert!(found.windows(2).all(|w| w[0]["rank"].as_u64() < w[1]["rank"].as_u64()));
    let id = found[0]["id"].as_str().unwrap();
    assert!(printed(&["query", &store, "--id", id, "--format", "csv"]).contains(id));
    let geojson: serde_json::Value = serde_json::from_str(&printed(&[
        "query", &store, "--bbox", "138.9", "34.1", "139.1", "34.3", "--format", "geojson",
    ]))
    .unwrap();
    assert_eq!(geojson["features"].as_array().unwrap().len(), 15);
    let info: serde_json::Value = serde_json::from_str(&printed(&["info", &store, "--format", "json"])).unwrap();
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
fn too_many_skipped_files_have_an_exit_code() {
    let w = World::get();
    let (_folder, path) = scratch();
    std::fs::create_dir(path("dem")).unwrap();
    std::fs::copy(w.path("s/aw30/sheet_ne.tif"), path("dem/good.tif")).unwrap();
    std::fs::write(path("dem/bad.tif"), "no raster").unwrap();
    let build = ["build", "-o", &path("a.hypso"), &path("dem"), "--overwrite", "--on-error", "skip", "--alert-skipped"];
    fails(4, &["bad.tif", "alert: 50 % of the files"], &[&build[..], &["49"]].concat());
    ok(&[&build[..], &["50"]].concat());
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
fn a_picture_of_one_source_has_one_panel() {
    let w = World::get();
    let (_folder, path) = scratch();
    let size = |name: &str| hypso::terrain::image_size(&std::fs::read(path(name)).unwrap()).unwrap();
    ok(&["preview", &w.path("s.pmtiles"), "-o", &path("both.png"), "--size", "300"]);
    ok(&["tiles", &w.path("s/aw30"), "-o", &path("one.pmtiles"), "--lineage", "--max-zoom", "10"]);
    ok(&["preview", &path("one.pmtiles"), "-o", &path("one.png"), "--size", "300"]);
    let ((both, _), (one, _)) = (size("both.png"), size("one.png"));
    assert!(both > 300 && one <= 300, "{both} and {one} pixels wide");
}

#[test]
fn options_are_checked_before_anything_is_read() {
    let w = World::get();
    let (folder, path) = scratch();
    let (dem, out) = (w.path("s/aw30"), path("o.pmtiles"));
    for (option, value, word) in [
        ("--coverage", "fulll", "native, full"),
        ("--encoding", "terarium", "terrarium, mapbox"),
        ("--format", "jpg", "webp, png"),
        ("--encoder-level", "best", "fast, default, small, tiny"),
        ("--encoder", "cwebp", "hypso, libwebp"),
        ("--resampling", "bicubic", "lanczos"),
        ("--vertical-resolution", "half", "by-zoom, full"),
        ("--split", "some", "--split"),
        ("--max-zoom", "99", "0 to 22"),
        ("--tile-size", "500", "256, 512"),
        ("--blend", "-3", "below 0"),
        ("--fill-gaps", "100000", "at most"),
        ("--nodata-elevation", "nan", "no number"),
        ("--alert-empty", "200", "0 to 100"),
        ("--on-error", "ignore", "skip, fail"),
        ("--vertical-datum", "EPSG:4326", "no vertical CRS"),
        ("--min-zoom", "30", "0 to 22"),
    ] {
        fails(2, &[option, word], &["tiles", &dem, "-o", &out, &format!("{option}={value}")]);
    }
    fails(2, &["impossible"], &["tiles", &dem, "-o", &out, "--min-zoom", "9", "--max-zoom", "3"]);
    fails(2, &["WebP only"], &["tiles", &dem, "-o", &out, "--format", "png", "--encoder", "libwebp"]);
    fails(2, &[".pmtiles, .mbtiles or .heights"], &["tiles", &dem, "-o", &path("o.tif")]);
    fails(1, &["does not exist"], &["tiles", &dem, "-o", &path("none/o.pmtiles")]);
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
}

#[test]
fn input_without_a_value_ends_with_a_warning() {
    let (_folder, path) = scratch();
    std::fs::create_dir(path("dem")).unwrap();
    let spec = GeoTiffSpec {
        width: 64,
        height: 64,
        transform: GeoTransform::north_up(138.0, 36.0, 0.001, 0.001),
        crs: "EPSG:4326".into(),
        data_type: GeoTiffType::F32,
        nodata: Some(-9999.0),
        tiled: None,
        compress: GeoTiffCompression::None,
    };
    write_geotiff(path("dem/void.tif"), &spec, &[-9999.0; 64 * 64]).unwrap();
    let said = ok(&["tiles", &path("dem"), "-o", &path("o.pmtiles")]);
    assert!(said.contains("warning") && said.contains("holds no tile"), "{said}");
    assert!(!said.contains("next: hypso verify") && said.contains("1 record"), "{said}");
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
    fails(2, &[".pmtiles, .mbtiles or .heights"], &["aggregate", &store, "-o", &path("o.tif")]);
    fails(2, &["impossible"], &["aggregate", &store, "-o", &out, "--min-zoom", "9", "--max-zoom", "3"]);
    fails(2, &["--bbox", "no area"], &["aggregate", &store, "-o", &out, "--bbox", "5", "6", "7", "5"]);
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
fn verify_finds_what_is_wrong_with_a_store_and_where() {
    let w = World::get();
    let (_folder, path) = scratch();
    let bytes = std::fs::read(w.path("s.hypso")).unwrap();
    let at = path("x.hypso");
    let found = |bytes: &[u8], more: &[&str]| {
        std::fs::write(&at, bytes).unwrap();
        let output = hypso(&[&["verify", &at, "--format", "json"], more].concat());
        assert!(stderr(&output).is_empty() || !stderr(&output).contains("panicked"), "{}", stderr(&output));
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), document)
    };
    let (code, document) = found(&bytes, &["--strict"]);
    assert_eq!((code, &document["ok"], &document["kind"]), (0, &true.into(), &"store".into()), "{document}");
    assert_eq!((&document["records"], &document["schema"]), (&15.into(), &"terrain-records".into()));
    let text = printed(&["verify", &w.path("s.hypso")]);
    assert!(
        text.contains("s.hypso: store (schema terrain-records, version 1.") && text.contains("errors: 0"),
        "{text}"
    );

    // A byte in every section, in the header, in the table, and between the sections.
    let file = hypso::container::Container::from_bytes(bytes.clone()).unwrap();
    let flipped = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x41;
        bytes
    };
    let entries: Vec<_> = file.sections().entries().iter().filter(|e| e.length() > 0).collect();
    assert!(entries.len() > 40);
    for entry in &entries {
        let (code, document) = found(&flipped((entry.offset() + entry.length() / 2) as usize), &[]);
        assert_eq!((code, &document["errors"]), (3, &1.into()), "{document}");
        assert_eq!(document["problems"][0]["section"], entry.name());
    }
    for (at, part) in
        [(0, "header"), (9, "header"), (20, "header"), (125, "header"), (128, "section table"), (500, "section table")]
    {
        let (code, document) = found(&flipped(at), &[]);
        assert_eq!((code, &document["problems"][0]["section"]), (3, &part.into()), "byte {at}: {document}");
    }
    let (code, document) = found(&flipped(4095), &[]);
    assert_eq!((code, &document["problems"][0]["severity"]), (0, &"warning".into()), "{document}");
    assert_eq!(found(&flipped(4095), &["--strict"]).0, 3);
    for length in [0, 1, 7, 60, 127, 128, 4096, bytes.len() / 2, bytes.len() - 1] {
        assert_eq!(found(&bytes[..length], &[]).0, 3, "cut to {length}");
    }
    let output = hypso(&["verify", &at]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("x.hypso: header: says the file has") && text.contains("build it again"), "{text}");
    let mut newer = bytes.clone();
    newer[8] = 9;
    let (code, document) = found(&newer, &[]);
    assert!(code == 3 && document["problems"][0]["message"].as_str().unwrap().contains("version 9."), "{document}");
    fails(1, &["none.hypso", "check the path"], &["verify", &path("none.hypso")]);
    fails(2, &["--sample", "archives"], &["verify", &w.path("s.hypso"), "--sample", "3"]);

    // The content tells, not the name; other schemas are checked as far as they are known.
    std::fs::write(path("store.pmtiles"), &bytes).unwrap();
    assert!(printed(&["verify", &path("store.pmtiles")]).contains("store (schema terrain-records"));
    std::fs::copy(w.path("s.pmtiles"), path("archive.hypso")).unwrap();
    assert!(printed(&["verify", &path("archive.hypso")]).contains("decoded"));
    let inputs = printed(&["verify", &w.path("s.pmtiles.inputs")]);
    assert!(inputs.contains("inputs of an output (schema hypso-inputs") && inputs.contains("not checked"), "{inputs}");
}

#[test]
fn verify_looks_behind_checksums_that_hold() {
    // A writer may give wrong contents right checksums: a tree, texts and ids of a schema that hypso does not know.
    let (_folder, path) = scratch();
    let at = path("own.hypso");
    let write = |bad: &str| {
        hypso::container::write_container(Path::new(&at), "own", |out| {
            let boxes = [hypso::tile::Bounds::new(0.0, 0.0, 1.0, 1.0), hypso::tile::Bounds::new(5.0, 5.0, 6.0, 6.0)];
            out.boxes("a", &boxes)?;
            out.dictionary("kind", &["x", "y", "x"])?;
            out.list("near", &[vec![1u32], vec![0]])?;
            let about: &[u8] = if bad == "about" { b"{" } else { b"{}" };
            out.writer().raw("about", hypso::format::Kind::Json, hypso::format::ElementType::U8, 0, about)?;
            out.column("b.keys", &[3u64, 9])?;
            out.column("b.rows", &[0u32, if bad == "b.keys" { 0 } else { 1 }])?;
            out.column("b.directory", if bad == "b.keys" { &[0u32, 1] } else { &[0u32, 2] })
        })
        .unwrap();
    };
    write("");
    assert!(printed(&["verify", &at]).contains("container (schema own"));
    for bad in ["b.keys", "about"] {
        write(bad);
        let output = hypso(&["verify", &at]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.code() == Some(3) && text.contains(&format!("section {bad:?}")), "{bad}: {text}");
    }
}

#[test]
fn every_command_that_a_text_advises_exists_with_its_options() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("README.md"), root.join("ARCHITECTURE.md"), root.join("store-format.md")];
    let mut folders = vec![root.join("src"), root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs" || e == "md") {
                files.push(path);
            }
        }
    }
    let mut helps: BTreeMap<String, Option<String>> = BTreeMap::new();
    let (mut problems, mut seen) = (Vec::new(), 0);
    for file in files {
        // Help texts hold whole lines in one string.
        let document = file.extension().is_some_and(|e| e == "md");
        // A command in a document may go on behind the end of a line.
        let text = std::fs::read_to_string(&file).unwrap().replace("\\n", "\n");
        let text = if document { text.replace("\\\n", " ") } else { text };
        let mut fenced = false;
        for line in text.lines() {
            fenced ^= line.starts_with("```");
            if document && !fenced && line.starts_with("hypso ") {
                continue;
            }
            for (command, options) in advised(line) {
                seen += 1;
                let help = helps.entry(command.clone()).or_insert_with(|| {
                    let output = hypso(&[&command, "--help"]);
                    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
                });
                let place = format!("{}: hypso {command}", file.display());
                match help {
                    None => problems.push(place),
                    Some(help) => {
                        let missing = options.into_iter().filter(|o| !help.contains(o.as_str()));
                        problems.extend(missing.map(|option| format!("{place} {option}")));
                    }
                }
            }
        }
    }
    assert!(seen > 150, "{seen} places are read");
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(advised("run `hypso verfy x --foo=1`, or"), [("verfy".to_string(), vec!["--foo".to_string()])]);
}

/// The options that a document names alone in backticks: each is one of some command.
#[test]
fn every_option_that_a_document_names_is_one_of_a_command() {
    let help = |arguments: &[&str]| printed(&[arguments, &["--help"]].concat());
    let listed = help(&[]);
    let mut pages = Vec::new();
    for command in commands_in(&listed) {
        let page = help(&[command]);
        pages.extend(commands_in(&page).map(|inner| help(&[command, inner])));
        pages.push(page);
    }
    assert!(pages.len() > 25, "{}", pages.len());
    let known: BTreeSet<&str> = pages.iter().chain([&listed]).flat_map(|page| options_in(page)).collect();
    // Options of other programs that documents name.
    let others = ["--features", "--no-default-features", "--release", "--locked", "--exclude-libs"];
    // What is still taken, but not shown.
    let older = ["--polygon"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let files = docs.filter(|path| path.extension().is_some_and(|e| e == "md"));
    let (mut problems, mut seen) = (Vec::new(), 0);
    for file in files.chain(["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|name| root.join(name))) {
        let text = std::fs::read_to_string(&file).unwrap();
        let spans = text.split("```").step_by(2).flat_map(|part| part.split('`').skip(1).step_by(2));
        for option in spans.filter(|span| span.starts_with("--")).flat_map(options_in) {
            seen += 1;
            if !known.contains(option) && !others.contains(&option) && !older.contains(&option) {
                problems.push(format!("{}: {option}", file.display()));
            }
        }
    }
    assert!(seen > 100, "{seen} options are read");
    assert_eq!(problems, Vec::<String>::new());
}

/// The commands that a help lists.
fn commands_in(page: &str) -> impl Iterator<Item = &str> {
    let lines = page.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let names = lines.map_while(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help")
}

/// The long options in a text, with the two dashes.
fn options_in(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("--").filter_map(move |(at, _)| {
        let before = text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '-');
        let rest = &text[at + 2..];
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '-').unwrap_or(rest.len());
        (before && rest.starts_with(|c: char| c.is_ascii_lowercase())).then(|| &text[at..at + 2 + end])
    })
}

/// The commands in a line: in backticks, or as a line of an example or of a list of next steps.
fn advised(line: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("hypso ") {
        let before = &line[..at];
        let starts =
            before.trim().is_empty() || ["`", "next: ", ", or ", "&& ", "$ "].iter().any(|b| before.ends_with(b));
        let rest = &line[at + "hypso ".len()..];
        let end = rest.find(['`', '"', '|', ';', '&']).unwrap_or(rest.len());
        let mut words = rest[..end].split_whitespace();
        let Some(command) =
            words.next().filter(|w| starts && *w != "help" && w.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
        else {
            continue;
        };
        let name = |word: &str| {
            let end = word[2..].find(|c: char| !c.is_ascii_lowercase() && c != '-').map_or(word.len(), |n| n + 2);
            word[..end].to_owned()
        };
        let options = words.filter(|w| w.starts_with("--") && w.len() > 2).map(name).collect();
        found.push((command.to_owned(), options));
    }
    found
}
