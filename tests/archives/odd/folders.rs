//! Folders of tiles: spellings of names, formats side by side, what is no tile, schemes.

use super::*;

#[test]
fn files_of_any_spelling_are_tiles_of_their_format() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let all = tiles();
    let spell = |t: TileCoord| xyz([".png", ".PNG", ".Png", ".png"][usize::from(t.z())])(t);
    files(&at.join("caps"), &all, spell, &Value::Null);
    files(&at.join("bare"), &all, xyz(""), &Value::Null);
    files(&at.join("bin"), &all, xyz(".bin"), &Value::Null);
    files(
        &at.join("packed"),
        &vectors().into_iter().map(|(id, b)| (id, gzip(&b))).collect(),
        xyz(".pbf.gz"),
        &Value::Null,
    );
    for (name, format) in [("caps", "png"), ("bare", "png"), ("bin", "png"), ("packed", "pbf")] {
        for output in OUTPUTS {
            ok(at, &["4 tiles"], &["convert", name, "-o", output]);
            let source = archive::open(&at.join(output)).unwrap();
            assert_eq!((source.metadata().format.name(), source.tile_count().unwrap()), (format, 4), "{name} {output}");
        }
        clear(at);
    }
    // Kinds that nobody knows come back as they went.
    let odd: Tiles = all.keys().map(|id| (*id, format!("quantized {}", id.0).into_bytes())).collect();
    for (ending, format) in [(".terrain", "terrain"), (".what", "what"), (".bin", "")] {
        files(&at.join("odd"), &odd, xyz(ending), &Value::Null);
        ok(at, &[], &["convert", "odd", "-o", "out.pmtiles"]);
        ok(at, &[], &["convert", "out.pmtiles", "-o", "out"]);
        ok(at, &[], &["convert", "out", "-o", "out.mbtiles"]);
        let source = archive::open(&at.join("out.mbtiles")).unwrap();
        assert_eq!(source.metadata().format.name(), format);
        assert_eq!(read(&at.join("out.mbtiles")), odd);
        clear(at);
        std::fs::remove_dir_all(at.join("odd")).unwrap();
    }
}

#[test]
fn several_formats_in_one_archive_are_declared_or_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut all = tiles();
    let jpeg = b"\xff\xd8\xff\xe0 a picture".to_vec();
    all.insert(tile(3, 7, 3).into(), jpeg);
    let ending = |t: TileCoord| xyz(if t.z() == 3 { ".jpeg" } else { ".png" })(t);
    files(&at.join("hybrid"), &all, ending, &Value::Null);
    ok(at, &["3 png (such as", "1 jpg (such as 3/7/3.jpeg)"], &["convert", "hybrid", "-o", "out.mbtiles"]);
    ok(at, &[], &["convert", "out.mbtiles", "-o", "out"]);
    assert!(at.join("out/3/7/3.jpg").is_file() && at.join("out/2/3/1.png").is_file(), "each by what it is");
    ok(at, &[], &["convert", "out", "-o", "out.pmtiles"]);
    for output in OUTPUTS {
        assert_eq!(archive::open(&at.join(output)).unwrap().metadata().format.name(), "hybrid", "{output}");
        assert_eq!(read(&at.join(output)), all, "{output}");
    }
    assert_eq!(PmtilesReader::open(&at.join("out.pmtiles")).unwrap().header().tile_type, 0);
    // One of them in a large archive that says png is found as it passes.
    mbtiles(&at.join("said.mbtiles"), &all, false, &[]);
    clear(at);
    ok(at, &["jpg"], &["convert", "said.mbtiles", "-o", "out.pmtiles"]);
    ok(at, &["jpg"], &["merge", "said.mbtiles", "-o", "out.mbtiles"]);
    clear(at);

    all.insert(tile(3, 7, 3).into(), vector("roads"));
    let ending = |t: TileCoord| xyz(if t.z() == 3 { ".pbf" } else { ".png" })(t);
    files(&at.join("both"), &all, ending, &Value::Null);
    fails(at, 1, &["both", "3 png", "1 pbf (such as 3/7/3.pbf)"], &["convert", "both", "-o", "out.pmtiles"]);
    mbtiles(&at.join("both.mbtiles"), &all, false, &[]);
    for command in ["convert", "merge"] {
        fails(at, 1, &["tile 3/7/3", "is pbf", "is png"], &[command, "both.mbtiles", "-o", "out.pmtiles"]);
    }
}

#[test]
fn what_is_no_tile_is_counted_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    files(&at.join("f"), &tiles(), xyz(".png"), &Value::Null);
    for extra in
        ["3/7/3@2x.png", "3/7/3.png.aux.xml", "3/7/3.kml", "3/7/03.png", "3/07/3.png", "04/1/1.png", "readme.txt"]
    {
        let file = at.join("f").join(extra);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "x").unwrap();
    }
    let words = ["left out", "3.png.aux.xml", "3.kml", "2 with a name that is no number", "3/07", "04"];
    ok(at, &words, &["convert", "f", "-o", "out.pmtiles"]);
    assert_eq!(read(&at.join("out.pmtiles")), tiles());
    let (_, said) = hypso(at, &["verify", "f"]);
    assert!(said.contains("left out"), "{said}");
    ok(at, &["\"left_out\": 6"], &["inspect", "f", "--format", "json"]);
    std::fs::create_dir_all(at.join("none/5/05")).unwrap();
    fails(at, 1, &["without tiles", "05"], &["convert", "none", "-o", "out2.pmtiles"]);
}

#[test]
fn two_files_of_one_tile_stop_unless_a_rule_takes_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    files(&at.join("f"), &tiles(), xyz(".png"), &Value::Null);
    let other = [&tiles()[&tile(3, 7, 3).into()][..], b" more"].concat();
    std::fs::write(at.join("f/3/7/3.webp"), &other).unwrap();
    for command in ["convert", "merge"] {
        fails(at, 1, &["3/7", "twice", "3.png, 3.webp"], &[command, "f", "-o", "out.pmtiles"]);
    }
    for (rule, expected) in [("first", &tiles()[&tile(3, 7, 3).into()]), ("last", &other)] {
        ok(at, &["another file"], &["convert", "f", "-o", "out.pmtiles", "--on-duplicate", rule]);
        assert_eq!(&read(&at.join("out.pmtiles"))[&tile(3, 7, 3).into()], expected, "{rule}");
        clear(at);
    }
    // The same content twice is no question.
    std::fs::write(at.join("f/3/7/3.webp"), &tiles()[&tile(3, 7, 3).into()]).unwrap();
    ok(at, &["4 tiles", "same content"], &["convert", "f", "-o", "out.pmtiles"]);
}

#[test]
fn folders_are_read_and_written_in_every_scheme() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let all = tiles();
    let south = |t: TileCoord| format!("{}/{}/{}.png", t.z(), t.x(), (1 << t.z()) - 1 - t.y());
    let swapped = |t: TileCoord| format!("{}/{}/{}.png", t.z(), t.y(), t.x());
    let bounds = json!([136, 1, 179, 40]);
    files(&at.join("said"), &all, south, &json!({"scheme": "tms"}));
    files(&at.join("shown"), &all, south, &json!({"bounds": bounds}));
    files(&at.join("zyx"), &all, swapped, &json!([{"name": "bounds", "value": bounds}]));
    files(&at.join("gdal"), &all, south, &Value::Null);
    std::fs::write(at.join("gdal/tilemapresource.xml"), "<TileMap><TileSets profile=\"mercator\"/></TileMap>").unwrap();
    files(&at.join("plain"), &all, south, &Value::Null);
    for (name, options, word) in [
        ("said", &[][..], "rows from the south (TMS), as metadata.json says"),
        ("shown", &[], "rows from the south (TMS), as its bounds show"),
        ("zyx", &[], "{z}/{y}/{x}, rows from the north (ZYX), as its bounds show"),
        ("gdal", &[], "as tilemapresource.xml says"),
        ("plain", &["--scheme", "tms"], ""),
        ("zyx", &["--scheme", "zyx"], ""),
    ] {
        for (command, output) in [("convert", "out.pmtiles"), ("merge", "out.mbtiles"), ("extract", "out2.pmtiles")] {
            let part: &[&str] = if command == "extract" { &["--max-zoom", "9"] } else { &[] };
            ok(at, &[word], &[&[command, name, "-o", output], part, options].concat());
            assert_eq!(read(&at.join(output)), all, "{command} {name}");
        }
        let (_, said) = hypso(at, &[&["verify", name][..], options].concat());
        assert!(said.contains(word), "{said}");
        clear(at);
    }
    // Another scheme than the bounds fit is obeyed, with a word.
    ok(at, &["its bounds fit", "say --scheme tms"], &["convert", "shown", "-o", "out.mbtiles", "--scheme", "xyz"]);
    assert!(read(&at.join("out.mbtiles")).contains_key(&tile(3, 7, 4).into()));
    clear(at);
    files(&at.join("wrong"), &all, south, &json!({"scheme": "xyz", "bounds": bounds}));
    ok(at, &["as metadata.json", "say --scheme tms"], &["convert", "wrong", "-o", "out.mbtiles"]);

    pmtiles(&at.join("a.pmtiles"), &all, &[]);
    for scheme in Scheme::ALL {
        clear(at);
        ok(at, &[], &["convert", "a.pmtiles", "-o", "out", "--scheme", scheme.name()]);
        let file = match scheme {
            Scheme::Xyz => "out/3/7/3.png",
            Scheme::Tms => "out/3/7/4.png",
            Scheme::Zyx => "out/3/3/7.png",
        };
        assert!(at.join(file).is_file(), "{file}");
        assert_eq!(read(&at.join("out")), all, "what we write, we read");
        ok(at, &[], &["convert", "out", "-o", "out2", "--scheme", scheme.name(), "--output-scheme", "tms"]);
        assert!(at.join("out2/3/7/4.png").is_file());
        assert_eq!(read(&at.join("out2")), all);
    }
    fails(at, 2, &["--scheme"], &["convert", "a.pmtiles", "-o", "out3.pmtiles", "--scheme", "tms"]);
    fails(at, 2, &["--output-scheme"], &["convert", "a.pmtiles", "-o", "out3.pmtiles", "--output-scheme", "tms"]);
    std::fs::write(at.join("gdal/tilemapresource.xml"), "<TileMap><TileSets profile=\"geodetic\"/></TileMap>").unwrap();
    fails(at, 1, &["no Web Mercator tiles"], &["convert", "gdal", "-o", "out3.pmtiles"]);
}
