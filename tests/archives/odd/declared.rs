//! Metadata that the tiles belie: bounds, centres, formats, compression, zooms.

use super::*;

#[test]
fn bounds_and_centres_away_from_the_tiles_are_found_and_put_right() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let all = tiles();
    let e7 = |degrees: [i32; 4]| degrees.map(|v| (v * 10_000_000).to_le_bytes()).concat();
    for (bounds, centre, words) in [
        ([-100, -40, -90, -30], "2,3,1", "touch none of"),
        ([-100, -40, 140, 50], "-95,-35,1", ""),
        ([50, -30, 95, 40], "60,0,1", "touch none of"),
        ([136, 50, 179, 80], "", "touch none of"),
    ] {
        let text = bounds.map(|v| v.to_string()).join(",");
        mbtiles(
            &at.join("a.mbtiles"),
            &all,
            false,
            &[("bounds", &text), ("center", if centre.is_empty() { "-" } else { centre })],
        );
        pmtiles(&at.join("a.pmtiles"), &all, &[(102, &e7(bounds)), (119, &e7([-95, -35, 0, 0])[..8])]);
        let index = "CREATE UNIQUE INDEX i ON tiles (zoom_level, tile_column, tile_row)";
        Connection::open(at.join("a.mbtiles")).unwrap().execute_batch(index).unwrap();
        files(&at.join("a"), &all, xyz(".png"), &json!({"bounds": text, "center": centre, "format": "png"}));
        for input in ["a.mbtiles", "a.pmtiles", "a"] {
            let (code, said) = hypso(at, &["verify", input, "--parents", "none"]);
            if !words.is_empty() {
                assert!(code == 3 && said.contains("bounds") && said.contains(words), "{input}: {said}");
            }
            for (command, output) in
                [("convert", "out.pmtiles"), ("merge", "out.mbtiles"), ("extract", "out"), ("merge", "out2.pmtiles")]
            {
                let part: &[&str] = if command == "extract" { &["--max-zoom", "7"] } else { &[] };
                ok(at, &[words], &[&[command, input, "-o", output], part].concat());
                let source = archive::open(&at.join(output)).unwrap();
                let found = source.metadata().bounds.unwrap();
                if words.is_empty() {
                    assert_eq!(found, bounds.map(f64::from));
                } else {
                    assert!(
                        (found[0] - 135.0).abs() < 1e-6 && (found[2] - 180.0).abs() < 1e-6,
                        "{input} {output}: {found:?}"
                    );
                }
                let centre = source.metadata().center.unwrap();
                assert!((found[0]..=found[2]).contains(&centre.lon) && (found[1]..=found[3]).contains(&centre.lat));
                let (code, said) = hypso(at, &["verify", output, "--parents", "none"]);
                assert!(code == 0 && !said.contains("bounds"), "{output}: {said}");
            }
            clear(at);
        }
        std::fs::remove_file(at.join("a.mbtiles")).unwrap();
        std::fs::remove_file(at.join("a.pmtiles")).unwrap();
    }
    // Swapped ones are none.
    mbtiles(&at.join("s.mbtiles"), &all, false, &[("bounds", "179,1,136,40"), ("center", "x")]);
    let (code, said) = hypso(at, &["verify", "s.mbtiles", "--parents", "none"]);
    assert!(
        code == 3 && said.contains("the row \"bounds\" is \"179,1,136,40\"") && said.contains("\"center\""),
        "{said}"
    );
    ok(
        at,
        &["the row \"bounds\" says \"179,1,136,40\"", "the row \"center\""],
        &["convert", "s.mbtiles", "-o", "out.pmtiles"],
    );
    assert_eq!(hypso(at, &["verify", "out.pmtiles", "--parents", "none"]).0, 0);
}

#[test]
fn pictures_are_never_written_packed_and_flags_say_what_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let all = tiles();
    let pack = |how: &dyn Fn(&[u8]) -> Vec<u8>| -> Tiles { all.iter().map(|(id, b)| (*id, how(b))).collect() };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    // One of four only, as a fault in the middle leaves it.
    let mut one = all.clone();
    one.insert(tile(3, 7, 3).into(), gzip(&all[&tile(3, 7, 3).into()]));
    let kinds: [(&str, Tiles, u8); 6] = [
        ("gzip", pack(&gzip), 1),
        ("gzip", pack(&|b| gzip(&gzip(b))), 2),
        ("zlib", pack(&zlib), 0),
        ("zstd", pack(&zstd), 4),
        ("gzip", one, 1),
        // Plain, and said to be gzip.
        ("compression", all.clone(), 2),
    ];
    for (word, kind, flag) in kinds {
        let plain = kind == all;
        mbtiles(
            &at.join("a.mbtiles"),
            &kind,
            false,
            &[("format", "-"), if plain { ("compression", "gzip") } else { ("x", "y") }],
        );
        pmtiles(&at.join("a.pmtiles"), &kind, &[(98, &[flag])]);
        files(
            &at.join("a"),
            &kind,
            xyz(".png"),
            &json!({"tileSize": 64, "encoding": "terrarium", "compression": if plain { "gzip" } else { "" }}),
        );
        let db = Connection::open(at.join("a.mbtiles")).unwrap();
        db.execute_batch("CREATE UNIQUE INDEX i ON tiles (zoom_level, tile_column, tile_row)").unwrap();
        drop(db);
        for input in ["a.mbtiles", "a.pmtiles", "a"] {
            let (code, said) = hypso(at, &["verify", input, "--parents", "none"]);
            assert!(code == 3 && said.contains("compress") && said.contains(word), "{input} {word}: {said}");
            for output in OUTPUTS {
                ok(at, &[word], &["convert", input, "-o", output]);
                assert_eq!(stored(&at.join(output)), all, "{input} {output} {word}");
                let metadata = archive::open(&at.join(output)).unwrap().metadata().clone();
                assert_eq!(metadata.format, TileFormat::Png);
                assert!(metadata.tile_compression.is_none_or(|c| c == Compression::None), "{input} {output}");
                let (_, said) = hypso(at, &["verify", output, "--parents", "none"]);
                assert!(!said.contains("compress") && said.contains("4 decoded"), "{said}");
            }
            clear(at);
            for output in ["out.mbtiles", "out.pmtiles"] {
                ok(at, &[], &["merge", input, "-o", output]);
                assert_eq!(stored(&at.join(output)), all, "merge {input} {output} {word}");
            }
            ok(at, &[], &["extract", input, "-o", "out", "--max-zoom", "8"]);
            assert_eq!(stored(&at.join("out")), all, "extract {input} {word}");
            ok(at, &[], &["preview", input, "-o", "out.png", "--zoom", "3", "--bbox", "140", "5", "170", "35"]);
            ok(at, &["4 equal"], &["diff", input, "out.pmtiles"]);
            clear(at);
        }
        ["a.mbtiles", "a.pmtiles"].iter().for_each(|name| std::fs::remove_file(at.join(name)).unwrap());
        std::fs::remove_dir_all(at.join("a")).unwrap();
    }
}

#[test]
fn vector_tiles_are_known_whatever_the_archive_calls_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let plain = vectors();
    let pack = |how: &dyn Fn(&[u8]) -> Vec<u8>| -> Tiles { plain.iter().map(|(id, b)| (*id, how(b))).collect() };
    let packed = pack(&gzip);
    let mut mixed = packed.clone();
    mixed.insert(tile(3, 7, 3).into(), plain[&tile(3, 7, 3).into()].clone());
    for (kind, expected, compression, word) in [
        (&packed, &packed, Compression::Gzip, ""),
        (&plain, &plain, Compression::None, ""),
        (&pack(&zlib), &packed, Compression::Gzip, "zlib"),
        (&pack(&|b| gzip(&gzip(b))), &packed, Compression::Gzip, "twice"),
        (&mixed, &packed, Compression::Gzip, "not packed and gzip"),
    ] {
        // The format is not said, wrong, or right; the flag is wrong.
        for (row, number) in [("-", 0u8), ("png", 2), ("pbf", 1)] {
            mbtiles(&at.join("a.mbtiles"), kind, false, &[("format", row), ("encoding", "-")]);
            let flag = if compression == Compression::Gzip { 1 } else { 2 };
            pmtiles(&at.join("a.pmtiles"), kind, &[(98, &[flag, number])]);
            files(&at.join("a"), kind, xyz(".mvt"), &if row == "-" { Value::Null } else { json!({"format": row}) });
            for input in ["a.mbtiles", "a.pmtiles", "a"] {
                for output in OUTPUTS {
                    ok(at, &[word], &["convert", input, "-o", output]);
                    assert_eq!(&stored(&at.join(output)), expected, "{input} {output} {row} {word}");
                    assert_eq!(archive::open(&at.join(output)).unwrap().metadata().format, TileFormat::Mvt);
                }
                let header = *PmtilesReader::open(&at.join("out.pmtiles")).unwrap().header();
                assert_eq!((header.tile_type, header.tile_compression), (1, compression), "{input} {row} {word}");
                if row == "png" && input != "a" {
                    let (code, said) = hypso(at, &["verify", input]);
                    assert!(code == 3 && said.contains("is pbf, but the archive declares png"), "{said}");
                }
                clear(at);
            }
            ["a.mbtiles", "a.pmtiles"].iter().for_each(|name| std::fs::remove_file(at.join(name)).unwrap());
            std::fs::remove_dir_all(at.join("a")).unwrap();
        }
    }
    // Plain and packed ones are not of one kind.
    mbtiles(&at.join("a.mbtiles"), &packed, false, &[("format", "pbf"), ("encoding", "-")]);
    pmtiles(&at.join("b.pmtiles"), &plain, &[(99, &[1])]);
    fails(at, 1, &["compression"], &["merge", "a.mbtiles", "b.pmtiles", "-o", "out.pmtiles", "--on-overlap", "first"]);
}

#[test]
fn values_that_are_set_are_compared_with_the_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pmtiles(&at.join("a.pmtiles"), &tiles(), &[]);
    for (set, code, word) in [
        ("bounds=1,2,3", 2, "west,south,east,north"),
        ("bounds=-100,-40,-90,-30", 2, "touch no tile"),
        ("center=1,2,3", 2, "outside of the bounds"),
        ("center=150,20,9", 2, "zoom without tiles"),
        ("center=150,20", 2, "longitude,latitude,zoom"),
        ("compression=gzip", 2, "not what the tiles have"),
        ("compression=lzma", 2, "none, gzip, brotli or zstd"),
        ("format=webp", 2, "not what the tiles are"),
        ("minzoom=3", 2, "follows from the tiles"),
        ("scheme=tms", 2, "for the server"),
    ] {
        for recode in [&[][..], &["--encoding", "mapbox"]] {
            fails(at, code, &[word], &[&["convert", "a.pmtiles", "-o", "out.pmtiles", "--set", set], recode].concat());
        }
    }
    let set = [
        "--set",
        "bounds=136,1,179,40",
        "--set",
        "centre=150,20,2",
        "--set",
        "compression=none",
        "--set",
        "tile_size=64",
    ];
    ok(at, &[], &[&["convert", "a.pmtiles", "-o", "out.mbtiles"][..], &set].concat());
    let metadata = archive::open(&at.join("out.mbtiles")).unwrap().metadata().clone();
    let centre = metadata.center.unwrap();
    assert_eq!(metadata.bounds, Some([136.0, 1.0, 179.0, 40.0]));
    assert_eq!((centre.lon, centre.lat, centre.zoom, metadata.tile_size), (150.0, 20.0, 2, Some(64)));
}

#[test]
fn merging_archives_that_end_at_different_zooms_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let shallow: Tiles = tiles().into_iter().take(2).collect();
    let deep: Tiles = tiles().into_iter().skip(2).collect();
    mbtiles(&at.join("a.mbtiles"), &shallow, false, &[("bounds", "0,0,179,80")]);
    pmtiles(&at.join("b.pmtiles"), &deep, &[]);
    let words = [
        "end at different zooms",
        "a.mbtiles: zooms 0 to 1 over 0,0,179,80",
        "b.pmtiles: zooms 2 to 3 over 135,0,180,40.9799",
    ];
    ok(at, &words, &["merge", "a.mbtiles", "b.pmtiles", "-o", "out.pmtiles"]);
    ok(at, &words, &["merge", "a.mbtiles", "b.pmtiles", "-o", "out.mbtiles", "--on-overlap", "pixels"]);
    let said = ok(at, &[], &["merge", "out.mbtiles", "out.pmtiles", "-o", "out2.pmtiles", "--on-overlap", "first"]);
    assert!(!said.contains("different zooms"), "{said}");
}
