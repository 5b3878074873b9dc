//! Options that decide pixels or tiles, through the program: `--clip`, `--vertical-datum`, `provenance`, `--blend`.
#![cfg(all(feature = "gdal", feature = "cli"))]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::surface::{self, OPTIONS, Sheet, pixels};
use hypso::archive;
use hypso::terrain::decode_lineage;
use hypso::tile::{Polygons, TileCoord, web_mercator};

const CENTER: (f64, f64) = (15_443_000.0, 4_213_000.0);

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hypso")).current_dir(folder).args(args).output().unwrap()
}

fn ok(folder: &Path, args: &[&str]) -> (String, String) {
    let out = run(folder, args);
    let (text, said) = (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap());
    assert!(out.status.success(), "{args:?}: {said}");
    (text, said)
}

fn fails(folder: &Path, args: &[&str]) -> String {
    let out = run(folder, args);
    assert!(!out.status.success(), "{args:?} should fail");
    String::from_utf8(out.stderr).unwrap()
}

/// A fine source on the west of a coarse one; the coarse one is 30 m lower.
fn sources(folder: &Path) {
    let surface = |x: f64, y: f64| 500.0 + (x - CENTER.0) * 0.01 + (y - CENTER.1) * 0.02;
    Sheet::around("EPSG:3857", (CENTER.0 - 2000.0, CENTER.1), 20.0, 0.0, 200, 400)
        .write(&folder.join("fine/a.tif"), &|x, y| surface(x, y) + 30.0);
    Sheet::around("EPSG:3857", CENTER, 20.0, 0.0, 400, 400).write(&folder.join("coarse/b.tif"), &surface);
}

/// All tiles of an archive and their bytes.
fn tiles(path: &Path) -> std::collections::BTreeMap<TileCoord, Vec<u8>> {
    let archive = archive::open(path).unwrap();
    let coords = archive.ids().unwrap().map(|id| id.unwrap().coord().unwrap());
    coords.map(|tile| (tile, archive.tile(tile).unwrap().unwrap())).collect()
}

#[test]
fn a_clip_removes_tiles_outside_and_changes_no_byte_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    sources(at);
    ok(at, &["build", "-o", "s.hypso", "fine", "coarse", "--tile-size", "256"]);
    ok(at, &["aggregate", "s.hypso", "-o", "all.pmtiles"]);
    let (lon, lat) = web_mercator::to_lon_lat(CENTER.0, CENTER.1);
    let corner = |dx: f64, dy: f64| format!("[{:.6},{:.6}]", lon + dx, lat + dy);
    let ring = [(-0.02, -0.02), (0.02, -0.02), (-0.02, 0.02), (-0.02, -0.02)].map(|(x, y)| corner(x, y)).join(",");
    let text =
        format!(r#"{{"type":"Feature","properties":null,"geometry":{{"type":"Polygon","coordinates":[[{ring}]]}}}}"#);
    std::fs::write(at.join("area.geojson"), &text).unwrap();
    ok(at, &["aggregate", "s.hypso", "-o", "cut.pmtiles", "--clip", "area.geojson"]);
    let (all, cut) = (tiles(&at.join("all.pmtiles")), tiles(&at.join("cut.pmtiles")));
    let area = Polygons::from_geojson(&text).unwrap();
    let want: Vec<_> = all.iter().filter(|(tile, _)| area.overlaps(&tile.bounds())).collect();
    assert!(want.len() > 15 && want.len() + 5 < all.len(), "{} of {}", want.len(), all.len());
    assert!(cut.iter().eq(want), "the tiles that overlap, byte by byte");
    std::fs::write(at.join("point.geojson"), r#"{"type":"Point","coordinates":[1,2]}"#).unwrap();
    assert!(fails(at, &["aggregate", "s.hypso", "-o", "x.pmtiles", "--clip", "point.geojson"]).contains("Point"));
    assert!(fails(at, &["aggregate", "s.hypso", "-o", "x.pmtiles", "--clip", "none.geojson"]).contains("none.geojson"));
}

#[test]
fn provenance_tells_what_lineage_tiles_show() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    sources(at);
    ok(at, &["build", "-o", "s.hypso", "fine", "coarse", "--tile-size", "256"]);
    ok(at, &["aggregate", "s.hypso", "-o", "all.pmtiles", "--lineage"]);
    let lineage = tiles(&at.join("all-lineage.pmtiles"));
    let finest = lineage.keys().map(|t| t.z()).max().unwrap();
    let mut mixed = 0;
    for (tile, bytes) in lineage.iter().filter(|(t, _)| t.z() == finest) {
        let (_, sources) = decode_lineage(bytes).unwrap();
        let count = |s: u8| sources.iter().filter(|&&v| v == s).count() as u64;
        let (text, _) = ok(at, &["provenance", "s.hypso", &tile.to_string(), "--format", "json"]);
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(found["nodata"], count(255), "{tile}");
        let pixels = |name: &str| {
            found["records"]
                .as_array()
                .unwrap()
                .iter()
                .find(|r| r["source"] == name)
                .map_or(0, |r| r["pixels"].as_u64().unwrap())
        };
        assert_eq!((pixels("fine"), pixels("coarse")), (count(0), count(1)), "{tile}");
        mixed += usize::from(count(0) > 0 && count(1) > 0);
    }
    assert!(mixed > 2);
    // A point in the west: both cover it, the fine one wins.
    let (lon, lat) = web_mercator::to_lon_lat(CENTER.0 - 1000.0, CENTER.1 + 500.0);
    let (text, _) = ok(at, &["provenance", "s.hypso", &format!("{lon},{lat}"), "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    let height = |i: usize| found["candidates"][i]["height"].as_f64().unwrap();
    assert_eq!((&found["candidates"][0]["source"], &found["candidates"][0]["used"]), (&"fine".into(), &true.into()));
    assert!((height(0) - 530.0).abs() < 1.0 && (height(0) - height(1) - 30.0).abs() < 0.01);
    let (table, _) = ok(at, &["provenance", "s.hypso", &format!("{lon},{lat}")]);
    assert!(table.contains("* ") && table.contains("fine") && table.contains("a.tif"), "{table}");
    assert!(fails(at, &["provenance", "s.hypso", "here"]).contains("138.7275,35.3607"));
}

#[test]
fn vertical_datums_are_warned_about_and_brought_to_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    sources(at);
    let config = |fine: &str, coarse: &str| {
        let text = format!("[[source]]\npath = \"fine\"\n{fine}\n[[source]]\npath = \"coarse\"\n{coarse}\n");
        std::fs::write(at.join("hypso.toml"), text).unwrap();
        ok(at, &["build", "-o", "s.hypso", "--config", "hypso.toml", "--overwrite", "--tile-size", "256"]);
    };
    let make = ["aggregate", "s.hypso", "-o", "x.pmtiles", "--overwrite", "--vertical-resolution", "full"];
    // One is over EGM96, the other over the ellipsoid.
    config("vertical_datum = \"EPSG:5773\"", "vertical_datum = \"ellipsoid\"");
    let (_, said) = ok(at, &make);
    assert!(said.contains("different vertical datums") && said.contains("fine (EPSG:5773)"), "{said}");
    let before = tiles(&at.join("x.pmtiles"));
    let (_, said) = ok(at, &[&make[..], &["--vertical-datum", "ellipsoid"]].concat());
    assert!(!said.contains("warning"), "{said}");
    let after = tiles(&at.join("x.pmtiles"));
    let finest = before.keys().map(|t| t.z()).max().unwrap();
    let mut places = Vec::new();
    for (tile, bytes) in before.iter().filter(|(t, _)| t.z() == finest) {
        let (a, b) = (OPTIONS.decode(bytes).unwrap(), OPTIONS.decode(&after[tile]).unwrap());
        for (i, (p, q)) in pixels(*tile, &a).zip(pixels(*tile, &b)).enumerate().filter(|(_, (p, _))| p.3) {
            let _ = i;
            places.push((p.0, p.1, q.2 - p.2));
        }
    }
    // What PROJ's own tool adds, at some places of both sources.
    let (mut fine, mut coarse) = (0, 0);
    let chosen: Vec<_> = places.iter().step_by(997).collect();
    let mut tool = Command::new("gdaltransform")
        .args(["-s_srs", "EPSG:4326+5773", "-t_srs", "EPSG:4979"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = tool.stdin.take().unwrap();
    for (x, y, _) in &chosen {
        let (lon, lat) = web_mercator::to_lon_lat(*x, *y);
        writeln!(input, "{lon:.9} {lat:.9} 0").unwrap();
    }
    drop(input);
    let answer = String::from_utf8(tool.wait_with_output().unwrap().stdout).unwrap();
    let added: Vec<f64> = answer.lines().map(|l| l.split_whitespace().nth(2).unwrap().parse().unwrap()).collect();
    assert!(added.iter().all(|a| (20.0..60.0).contains(a)), "the geoid of Japan: {:?}", &added[..3]);
    for ((x, _, got), want) in chosen.iter().zip(added) {
        let want = if *x < CENTER.0 - 20.0 { want } else { 0.0 };
        if (*x - CENTER.0).abs() > 40.0 {
            assert!((got - want).abs() < 0.01, "{got} {want}");
            if want > 0.0 { fine += 1 } else { coarse += 1 }
        }
    }
    assert!(fine > 20 && coarse > 20, "{fine} {coarse}");
    // Never silently: no way, no datum, no code.
    let try_it = |datum: &str| fails(at, &[&make[..], &["--vertical-datum", datum]].concat());
    assert!(try_it("EPSG:3855").contains("install its grids"), "{}", try_it("EPSG:3855"));
    assert!(try_it("EPSG:4326").contains("no vertical CRS"));
    config("vertical_datum = \"EPSG:5773\"", "");
    assert!(try_it("ellipsoid").contains("source coarse does not say"));
    // A constant offset, taken over by a store of another tile size as well.
    config("offset = -30.0", "");
    ok(at, &[&make[..], &["--tile-size", "512"]].concat());
    let (lon, lat) = web_mercator::to_lon_lat(CENTER.0 - 1000.0, CENTER.1 + 500.0);
    let (text, _) = ok(at, &["provenance", "s.hypso", &format!("{lon},{lat}"), "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    let height = |i: usize| found["candidates"][i]["height"].as_f64().unwrap();
    assert!((height(0) - height(1)).abs() < 0.01, "{text}");
    for (tile, bytes) in tiles(&at.join("x.pmtiles")).iter().filter(|(t, _)| t.z() == finest - 1) {
        let tile_pixels = OPTIONS.decode(bytes).unwrap();
        for (x, y, height, valid) in pixels(*tile, &tile_pixels) {
            let want = 500.0 + (x - CENTER.0) * 0.01 + (y - CENTER.1) * 0.02;
            assert!(!valid || (height - want).abs() < 0.5, "{height} {want}");
        }
    }
}

#[test]
fn blends_too_wide_for_a_worker_are_refused_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    sources(at);
    ok(at, &["build", "-o", "s.hypso", "fine", "coarse", "--tile-size", "256"]);
    let said = fails(at, &["aggregate", "s.hypso", "-o", "x.pmtiles", "--blend", "100000"]);
    assert!(said.contains("--blend") && said.contains("pixels"), "{said}");
    assert!(fails(at, &["aggregate", "s.hypso", "-o", "x.pmtiles", "--fill-gaps", "9999"]).contains("256"));
    // One and two workers, split and unsplit, give the same tiles.
    ok(
        at,
        &[
            "aggregate",
            "s.hypso",
            "-o",
            "a.pmtiles",
            "--blend",
            "300",
            "--fill-gaps",
            "5",
            "--jobs",
            "1",
            "--split",
            "single",
        ],
    );
    ok(
        at,
        &[
            "aggregate",
            "s.hypso",
            "-o",
            "b.pmtiles",
            "--blend",
            "300",
            "--fill-gaps",
            "5",
            "--jobs",
            "2",
            "--split",
            "incremental",
        ],
    );
    ok(at, &["aggregate", "s.hypso", "-o", "c.pmtiles", "--jobs", "2"]);
    let (a, b, c) = (tiles(&at.join("a.pmtiles")), tiles(&at.join("b.pmtiles")), tiles(&at.join("c.pmtiles")));
    assert!(a == b && a != c && a.len() == c.len());
    // Made alone, a tile in the middle of the border is the same.
    let (lon, lat) = web_mercator::to_lon_lat(CENTER.0 - 100.0, CENTER.1);
    let bbox = [lon - 1e-4, lat - 1e-4, lon + 1e-4, lat + 1e-4].map(|v| v.to_string());
    let bbox: Vec<&str> = bbox.iter().map(String::as_str).collect();
    ok(
        at,
        &[&["aggregate", "s.hypso", "-o", "d.pmtiles", "--blend", "300", "--fill-gaps", "5", "--bbox"], &bbox[..]]
            .concat(),
    );
    let alone = tiles(&at.join("d.pmtiles"));
    assert!(!alone.is_empty() && alone.len() < a.len() && alone.iter().all(|(tile, bytes)| a[tile] == *bytes));
}

#[test]
fn an_archive_is_compared_with_its_sources() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    sources(at);
    ok(at, &["build", "-o", "s.hypso", "fine", "coarse", "--tile-size", "256"]);
    ok(at, &["aggregate", "s.hypso", "-o", "a.pmtiles"]);
    let against = |args: &[&str]| {
        let (text, _) = ok(at, &[&["verify", "a.pmtiles", "--format", "json", "--against", "s.hypso"], args].concat());
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        found["against"].as_array().unwrap().clone()
    };
    let found = |args: &[&str]| {
        let out = run(at, args);
        (String::from_utf8(out.stdout).unwrap(), out.status.code())
    };
    let zooms = against(&[]);
    let finest = zooms.last().unwrap();
    let number = |row: &serde_json::Value, key: &str| row[key].as_f64().unwrap();
    // Heights were rounded to 2^(19-z)/256 m and nothing else.
    let step = 2f64.powi(19 - number(finest, "zoom") as i32) / 256.0;
    assert!(number(finest, "pixels") > 100_000.0 && number(finest, "tiles") > 5.0, "{finest}");
    assert!(number(finest, "min") >= -step / 2.0 - 1e-4 && number(finest, "max") <= step / 2.0 + 1e-4, "{finest}");
    assert!(number(finest, "mean").abs() < step / 20.0 && number(finest, "rms") > step / 10.0, "{finest}");
    assert_eq!((number(finest, "only_archive"), number(finest, "only_sources")), (0.0, 0.0));
    assert!(number(&against(&["--sample", "3"])[0], "tiles") < number(finest, "tiles"));
    // A source that is 2 m higher now.
    let text = "[[source]]\npath = \"fine\"\noffset = 2\n[[source]]\npath = \"coarse\"\noffset = 2\n";
    std::fs::write(at.join("hypso.toml"), text).unwrap();
    ok(at, &["build", "-o", "s.hypso", "--config", "hypso.toml", "--overwrite", "--tile-size", "256"]);
    let (table, code) = found(&["verify", "a.pmtiles", "--against", "s.hypso"]);
    assert!(table.contains("against the sources") && table.contains("-2.0"), "{table}");
    assert!(code == Some(3) && table.contains("pixels are not what the sources hold: column"), "{table}");
    let (text, code) = found(&["verify", "a.pmtiles", "--format", "json", "--against", "s.hypso"]);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let finest = document["against"].as_array().unwrap().last().unwrap();
    assert!((number(finest, "mean") + 2.0).abs() < step / 20.0);
    assert!(code == Some(3) && document["ok"] == false && number(finest, "wrong_tiles") > 5.0, "{text}");
}

#[test]
fn records_that_only_surroundings_look_at_are_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    // One tile, a file that reaches `margin` metres beyond it on all sides, one that goes on beyond that, and the same again below.
    let tile = TileCoord::at(CENTER.0, CENTER.1, 13).bounds();
    let middle = tile.center();
    let used = |name: &str, margin: f64, radius: f64, more: &[&str]| {
        let void = |x: f64, y: f64| if (x - middle.0).hypot(y - middle.1) < radius { f64::NAN } else { 500.0 };
        let side = ((tile.width() / 2.0 + margin) / 20.0) as u32 * 2;
        let sheet = |dx: f64| Sheet::around("EPSG:3857", (middle.0 + dx, middle.1), 20.0, 0.0, side, side);
        let east = f64::from(side) * 20.0;
        let folder = |source: &str| at.join(format!("{name}/{source}"));
        sheet(0.0).write(&folder("top/a.tif"), &void);
        sheet(east).write(&folder("top/b.tif"), &|_, _| 500.0);
        sheet(0.0).write(&folder("below/c.tif"), &|_, _| 400.0);
        sheet(east).write(&folder("below/d.tif"), &|_, _| 400.0);
        let at = &at.join(name);
        ok(at, &["build", "-o", "s.hypso", "top", "below", "--tile-size", "256", "--overwrite"]);
        let corner = |d: f64| web_mercator::to_lon_lat(middle.0 + d, middle.1 + d);
        let ((w, s), (e, n)) = (corner(-100.0), corner(100.0));
        let bbox = [w, s, e, n].map(|v| v.to_string());
        let bbox: Vec<&str> = bbox.iter().map(String::as_str).collect();
        let make = ["aggregate", "s.hypso", "-o", "o.pmtiles", "--overwrite", "--min-zoom", "13", "--bbox"];
        ok(at, &[&make[..], &bbox[..], more].concat());
        let report = std::fs::read_to_string(at.join("o.report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        (report["records"]["used"].as_u64().unwrap(), report["sources"].clone())
    };
    for (name, radius, count) in [("void", 70.0, 2), ("whole", 0.0, 1)] {
        let plain = used(name, 400.0, radius, &[]);
        assert_eq!(plain.0, count, "{plain:?}");
        for pixels in ["3", "12"] {
            assert_eq!(used(name, 400.0, radius, &["--fill-gaps", pixels]), plain, "{pixels}");
        }
        // The soft border lies beyond the tile.
        assert_eq!(used(name, 400.0, radius, &["--blend", "200"]), plain);
    }
    // A soft border within the tile is where both sources give pixels.
    assert_eq!(used("soft", 40.0, 0.0, &["--blend", "200", "--fill-gaps", "2"]).0, 2);
}

#[test]
fn both_parts_of_a_file_across_the_180th_meridian_survive_updates_and_lists() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    Sheet::north_up("EPSG:4326", 179.9, -16.8, 0.002, 100, 60)
        .write(&at.join("fiji/x/a.tif"), &|_, y| 900.0 + y * 1e-4);
    Sheet::north_up("EPSG:4326", 179.5, -16.8, 0.002, 100, 60).write(&at.join("fiji/b.tif"), &|_, _| 200.0);
    ok(at, &["build", "-o", "s.hypso", "fiji", "--tile-size", "256", "--write-bounds", "fiji/bounds.csv"]);
    let records = |store: &str| {
        let (text, _) = ok(at, &["query", store, "--bbox", "-180", "-20", "180", "-10", "--format", "json"]);
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        found.as_array().unwrap().len()
    };
    assert_eq!(records("s.hypso"), 3);
    let (_, said) = ok(at, &["build", "-o", "s.hypso", "fiji", "--tile-size", "256", "--update"]);
    assert!(said.contains("3 unchanged, 0 read"), "{said}");
    // One line a file: the box of the first reaches beyond the world.
    let list = std::fs::read_to_string(at.join("fiji/bounds.csv")).unwrap();
    assert_eq!(list.lines().count(), 3, "{list}");
    ok(at, &["build", "-o", "l.hypso", "fiji/bounds.csv", "--tile-size", "256"]);
    assert_eq!(records("l.hypso"), 3);
    ok(at, &["aggregate", "s.hypso", "-o", "s.pmtiles"]);
    ok(at, &["aggregate", "l.hypso", "-o", "l.pmtiles"]);
    let (a, b) = (tiles(&at.join("s.pmtiles")), tiles(&at.join("l.pmtiles")));
    assert!(
        a == b && a.keys().any(|t| t.z() > 5 && t.x() == 0) && a.keys().any(|t| t.x() + 1 == 1 << t.z() && t.z() > 5)
    );
}

#[test]
fn libwebp_gives_the_same_pixels_in_other_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    sources(at);
    ok(at, &["build", "-o", "s.hypso", "fine", "coarse", "--tile-size", "256"]);
    let level = ["--encoder-level", "fast", "--lineage", "--overwrite"];
    let make = |output: &str, encoder: &[&str]| {
        ok(at, &[&["aggregate", "s.hypso", "-o", output], &level[..], encoder].concat());
        let report = std::fs::read_to_string(at.join(output).with_extension("report.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&report).unwrap()["images"].clone()
    };
    let images = make("ours.pmtiles", &[]);
    assert_eq!(images, serde_json::json!({"format": "webp", "encoder": "hypso", "level": "fast"}));
    assert_eq!(make("theirs.pmtiles", &["--encoder", "libwebp"])["encoder"], "libwebp");
    for name in ["", "-lineage"] {
        let [ours, theirs] = ["ours", "theirs"].map(|n| tiles(&at.join(format!("{n}{name}.pmtiles"))));
        assert!(ours.keys().eq(theirs.keys()) && ours.len() > 10);
        assert!(ours.values().zip(theirs.values()).filter(|(a, b)| a == b).count() * 2 < ours.len(), "two encoders");
        let mut masked = 0;
        for (tile, a, b) in ours.iter().map(|(tile, a)| (tile, a, &theirs[tile])) {
            if name.is_empty() {
                assert!(OPTIONS.decode(a).unwrap() == OPTIONS.decode(b).unwrap(), "{tile}");
                masked += usize::from(b.windows(4).any(|w| w == b"hyMK"));
            } else {
                assert!(decode_lineage(a).unwrap() == decode_lineage(b).unwrap(), "{tile}");
            }
        }
        assert!(masked > 5 || !name.is_empty(), "masks are in libwebp's files too");
    }
    // A plan's units are those of a run with the same encoder, and of no other.
    let theirs = ["s.hypso", "-o", "planned.pmtiles", "--encoder", "libwebp", "--encoder-level", "fast"];
    ok(at, &[&["plan"], &theirs[..], &["--export", "plan.json"]].concat());
    ok(at, &["work", "--plan", "plan.json", "--unit", "0"]);
    let other = fails(at, &["aggregate", "s.hypso", "-o", "planned.pmtiles", "--encoder-level", "fast"]);
    assert!(other.contains("--overwrite"), "{other}");
    ok(at, &[&["aggregate"], &theirs[..]].concat());
    assert!(tiles(&at.join("planned.pmtiles")) == tiles(&at.join("theirs.pmtiles")));

    let png = fails(at, &["aggregate", "s.hypso", "-o", "x.pmtiles", "--encoder", "libwebp", "--format", "png"]);
    assert!(png.contains("libwebp writes WebP only"), "{png}");
    assert!(fails(at, &["plan", "s.hypso", "--encoder", "jpeg"]).contains("possible values: hypso, libwebp"));
}

#[test]
fn heights_of_coarse_tiles_come_from_overviews_that_hold_means_and_in_strips() {
    let folder = tempfile::tempdir().unwrap();
    let surface =
        |x: f64, y: f64| 500.0 + (x - CENTER.0) * 0.01 + ((x * 12.9898 + y * 78.233).sin() * 43_758.5).fract() * 20.0;
    let plain = folder.path().join("plain/a.tif");
    Sheet::around("EPSG:3857", CENTER, 5.0, 0.0, 800, 800).write(&plain, &surface);
    let text = |path: &Path| path.to_str().unwrap().to_string();
    // A tile whose pixels are 8 to 16 cells wide.
    let tile = TileCoord::at(CENTER.0, CENTER.1, 11);
    let of = |name: &str, command: &str, args: &[&str], more: &[&str]| {
        let path = folder.path().join(name).join("a.tif");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if command == "gdaladdo" {
            std::fs::copy(&plain, &path).unwrap();
            surface::gdal(command, &[args, &[&text(&path)], more].concat());
        } else {
            surface::gdal(command, &[args, &[&text(&plain), &text(&path)], more].concat());
        }
        let store = surface::store_of_folders(&[path.parent().unwrap().into()]);
        hypso::render::heights(&store, &hypso::render::GdalOpener, hypso::raster::Resampling::Bilinear, tile).unwrap()
    };
    let whole = of("whole", "gdal_translate", &["-q"], &[]);
    let count = whole.valid_count();
    assert!(count > 2000, "{count}");
    let apart = |other: &hypso::terrain::ElevationTile| {
        assert_eq!(other.valid, whole.valid);
        let apart = other.values.iter().zip(&whole.values).map(|(a, b)| (a - b).abs());
        apart.fold(0f32, f32::max)
    };
    // Means of means: the weights at a pixel's edge are those of larger cells.
    let means = apart(&of("means", "gdaladdo", &["-q", "-r", "average"], &["2", "4"]));
    assert!(means > 0.0 && means < 1.0, "{means}");
    assert_eq!(apart(&of("picked", "gdaladdo", &["-q", "-r", "nearest"], &["2", "4"])), 0.0, "these are not looked at");
    // 16 million cells are read in strips.
    let strips = apart(&of("strips", "gdal_translate", &["-q", "-outsize", "4000", "4000"], &[]));
    assert!(strips < 1e-3, "{strips}");
}

/// An overview is taken where its cells are found to be means, whatever the file says of it.
#[test]
fn only_overviews_that_hold_means_are_taken() {
    use hypso::raster::gdal::{GdalRaster, write_geotiff};
    use hypso::raster::{Adjustment, GeoTransform, Raster};
    use hypso::raster::{GeoTiffCompression, GeoTiffSpec, GeoTiffType};

    let folder = tempfile::tempdir().unwrap();
    for (data_type, name) in [(GeoTiffType::F32, "float"), (GeoTiffType::I16, "whole")] {
        // A rough surface with a void.
        let (width, height) = (512u32, 384u32);
        let spec = GeoTiffSpec {
            width,
            height,
            transform: GeoTransform::north_up(138.0, 36.0, 0.001, 0.001),
            crs: "EPSG:4326".into(),
            data_type,
            nodata: Some(-9999.0),
            tiled: Some(64),
            compress: GeoTiffCompression::Deflate,
        };
        let height_at = |i: u32| {
            let (x, y) = (f64::from(i % width), f64::from(i / width));
            let rough = ((x * 12.9898 + y * 78.233).sin() * 43_758.5).fract() * 60.0;
            if x < 40.0 && y < 30.0 { -9999.0 } else { (900.0 + (x / 40.0).sin() * 300.0 + y + rough) as f32 }
        };
        let plain = folder.path().join(format!("{name}.tif"));
        write_geotiff(&plain, &spec, &(0..width * height).map(height_at).collect::<Vec<_>>()).unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_string();
        let open = |path: &Path, most: f64| GdalRaster::open_means(path, None, &Adjustment::default(), most).unwrap();
        assert!(open(&plain, 8.0).is_none(), "there is none");
        for (how, trusted) in [("average", true), ("nearest", false), ("cubic", false), ("mode", false)] {
            let path = folder.path().join(format!("{name}-{how}.tif"));
            std::fs::copy(&plain, &path).unwrap();
            surface::gdal("gdaladdo", &["-q", "-r", how, &text(&path), "2", "4", "8"]);
            let found = open(&path, 4.5);
            let size = found.as_ref().map(|r| (r.info().width, r.info().height));
            assert_eq!(size, trusted.then_some((128, 96)), "{name} {how}: the coarsest of up to 4.5 cells");
            if let Some(overview) = found {
                assert_eq!((overview.info().transform.0[1], overview.info().nodata), (0.004, Some(-9999.0)));
            }
            assert!(open(&path, 1.9).is_none());
        }
        let cog = folder.path().join(format!("{name}-cog.tif"));
        let options = ["-q", "-of", "COG", "-co", "BLOCKSIZE=128", "-co", "OVERVIEW_RESAMPLING=AVERAGE"];
        surface::gdal("gdal_translate", &[&options[..], &[&text(&plain), &text(&cog)]].concat());
        assert_eq!(open(&cog, 2.0).unwrap().info().width, 256);
    }
}
