//! MBTiles: rows from the north, rows that stand twice, tables and journals that were left behind.

use super::*;

#[test]
fn rows_from_the_north_are_told_by_the_tiles_whatever_the_zoom_rows_say() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let all = tiles();
    let rows: [&[(&str, &str)]; 4] =
        [&[("maxzoom", "14"), ("minzoom", "0")], &[("maxzoom", "999")], &[], &[("maxzoom", "1"), ("minzoom", "9")]];
    for rows in rows {
        for (north, rows) in [(true, [rows, &[("bounds", BOUNDS)]].concat()), (false, rows.to_vec())] {
            mbtiles(&at.join("a.mbtiles"), &all, north, &rows);
            ok(at, &[if north { "count from the north" } else { "" }], &["convert", "a.mbtiles", "-o", "out.pmtiles"]);
            assert_eq!(read(&at.join("out.pmtiles")), all, "{rows:?}");
            std::fs::remove_file(at.join("a.mbtiles")).unwrap();
            clear(at);
        }
    }
    // Bounds of the world tell nothing; then the option does, and a row that is not believed is named.
    mbtiles(&at.join("w.mbtiles"), &all, true, &[("bounds", "-180,-85,180,85"), ("scheme", "xyz")]);
    ok(at, &["read as TMS", "--scheme xyz"], &["convert", "w.mbtiles", "-o", "out.pmtiles"]);
    ok(at, &[], &["convert", "w.mbtiles", "-o", "out2.pmtiles", "--scheme", "xyz"]);
    assert_eq!(read(&at.join("out2.pmtiles")), all);
}

#[test]
fn rows_that_repeat_with_another_content_stop_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let all = tiles();
    let other = all[&tile(0, 0, 0).into()].clone();
    pmtiles(&at.join("good.pmtiles"), &all, &[]);
    ok(at, &[], &["diff", "good.pmtiles", "good.pmtiles", "-o", "patch.pmtiles"]);
    let shared =
        "CREATE TABLE map (zoom_level, tile_column, tile_row, tile_id); CREATE TABLE images (tile_data, tile_id);
        INSERT INTO images SELECT tile_data, rowid FROM tiles;
        INSERT INTO map SELECT zoom_level, tile_column, tile_row, rowid FROM tiles; DROP TABLE tiles;
        CREATE VIEW tiles AS SELECT zoom_level, tile_column, tile_row, tile_data FROM map JOIN images USING (tile_id);";
    let union = "ALTER TABLE tiles RENAME TO t; CREATE VIEW tiles AS SELECT * FROM t WHERE 1;";
    let index = "CREATE INDEX i ON tiles (zoom_level, tile_column, tile_row);";
    for schema in ["", shared, union, index] {
        mbtiles(&at.join("a.mbtiles"), &all, false, &[]);
        let db = Connection::open(at.join("a.mbtiles")).unwrap();
        db.execute("INSERT INTO tiles VALUES (3, 7, 4, ?1)", params![other]).unwrap();
        db.execute_batch(schema).unwrap();
        drop(db);
        for arguments in [
            &["convert", "a.mbtiles", "-o", "out.pmtiles"][..],
            &["convert", "a.mbtiles", "-o", "out.mbtiles", "--encoding", "mapbox"],
            &["merge", "a.mbtiles", "-o", "out.mbtiles"],
            &["merge", "a.mbtiles", "good.pmtiles", "-o", "out.mbtiles", "--on-overlap", "pixels"],
            &["extract", "a.mbtiles", "-o", "out.pmtiles", "--max-zoom", "5"],
            &["diff", "a.mbtiles", "good.pmtiles"],
            &["diff", "good.pmtiles", "a.mbtiles", "-o", "out.pmtiles"],
            &["patch", "a.mbtiles", "patch.pmtiles", "-o", "out.pmtiles"],
            &["preview", "a.mbtiles", "-o", "out.png", "--zoom", "3", "--bbox", "140", "5", "170", "35"],
        ] {
            fails(at, 1, &["a.mbtiles", "3/7/3", "twice", "--on-duplicate first"], arguments);
        }
        let (code, said) = hypso(at, &["verify", "a.mbtiles", "--parents", "none"]);
        assert!(
            code == 3 && said.contains("tile 3/7/3: stands in the archive twice, with different contents"),
            "{said}"
        );
        for (rule, expected) in [("first", &all[&tile(3, 7, 3).into()]), ("last", &other)] {
            for (command, output) in [("convert", "out.pmtiles"), ("merge", "out.mbtiles")] {
                ok(at, &["4 tiles", rule], &[command, "a.mbtiles", "-o", output, "--on-duplicate", rule]);
                assert_eq!(&read(&at.join(output))[&tile(3, 7, 3).into()], expected, "{schema} {command} {rule}");
            }
            clear(at);
        }
        std::fs::remove_file(at.join("a.mbtiles")).unwrap();
    }
    // The same content is no question, but told.
    mbtiles(&at.join("a.mbtiles"), &all, false, &[]);
    let db = Connection::open(at.join("a.mbtiles")).unwrap();
    db.execute_batch("INSERT INTO tiles SELECT * FROM tiles WHERE zoom_level = 3").unwrap();
    ok(
        at,
        &["1 rows stand for tiles that have another row", "same content"],
        &["merge", "a.mbtiles", "-o", "out.mbtiles"],
    );
    ok(at, &["4 tiles"], &["patch", "a.mbtiles", "patch.pmtiles", "-o", "out.pmtiles"]);
    let (code, said) = hypso(at, &["verify", "a.mbtiles", "--parents", "none"]);
    assert!(code == 3 && said.contains("twice, with the same content"), "{said}");
}

#[test]
fn tables_that_are_left_behind_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    mbtiles(&at.join("a.mbtiles"), &tiles(), false, &[]);
    let db = Connection::open(at.join("a.mbtiles")).unwrap();
    db.execute_batch(
        "CREATE TABLE grids (zoom_level, tile_column, tile_row, grid); INSERT INTO grids VALUES (0, 0, 0, x'78');
         CREATE TABLE grid_data (zoom_level); INSERT INTO grid_data VALUES (1); CREATE TABLE empty (a);
         CREATE TABLE \"my \"\"notes\" (a); INSERT INTO \"my \"\"notes\" VALUES (1);",
    )
    .unwrap();
    drop(db);
    let words = ["grid_data, grids, my \"notes", "UTFGrids"];
    for arguments in [
        &["convert", "a.mbtiles", "-o", "out.pmtiles"][..],
        &["merge", "a.mbtiles", "-o", "out.mbtiles"],
        &["extract", "a.mbtiles", "-o", "out", "--max-zoom", "2"],
    ] {
        assert!(!ok(at, &words, arguments).contains("empty"));
    }
    ok(at, &["grid_data", "other_tables"], &["inspect", "a.mbtiles"]);
    // Tables below a view are the tiles.
    ok(at, &[], &["convert", "out.mbtiles", "-o", "out2.mbtiles", "--dedup"]);
    let said = ok(at, &[], &["convert", "out2.mbtiles", "-o", "out3.mbtiles"]);
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn a_torn_journal_is_named_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    mbtiles(&at.join("b.mbtiles"), &tiles(), false, &[]);
    let mut db = Connection::open(at.join("b.mbtiles")).unwrap();
    db.execute_batch("PRAGMA cache_size = 1").unwrap();
    let change = db.transaction().unwrap();
    change.execute_batch("UPDATE tiles SET tile_data = zeroblob(900)").unwrap();
    for n in 0..400 {
        change.execute("INSERT INTO tiles VALUES (9, ?1, 0, zeroblob(4000))", params![n]).unwrap();
    }
    // As a kill in the middle leaves them.
    std::fs::copy(at.join("b.mbtiles"), at.join("a.mbtiles")).unwrap();
    std::fs::copy(at.join("b.mbtiles-journal"), at.join("a.mbtiles-journal")).unwrap();
    change.rollback().unwrap();
    let words = ["a.mbtiles-journal", "sqlite3 FILE", "undo"];
    for arguments in [
        &["convert", "a.mbtiles", "-o", "out.pmtiles"][..],
        &["merge", "a.mbtiles", "-o", "out.mbtiles"],
        &["inspect", "a.mbtiles"],
    ] {
        let (code, said) = hypso(at, arguments);
        assert!(code == 1 && words.iter().all(|word| said.contains(word)) && !said.contains("permission"), "{said}");
    }
    let (code, said) = hypso(at, &["verify", "a.mbtiles"]);
    assert!(code == 3 && said.contains("a.mbtiles-journal"), "{said}");
    // The way out leads out.
    let db = Connection::open(at.join("a.mbtiles")).unwrap();
    db.query_row("SELECT 1 FROM sqlite_master", [], |_| Ok(())).unwrap();
    drop(db);
    ok(at, &["4 tiles"], &["convert", "a.mbtiles", "-o", "out.pmtiles"]);
    assert_eq!(read(&at.join("out.pmtiles")), tiles());
}
