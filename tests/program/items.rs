//! STAC-GeoParquet: items that `hypso export` writes are read by others, and `hypso build` reads those of others.
//!
//! Without the Python package `pyarrow` (`scripts/test.sh` installs it) they are skipped; under CI that is a failure.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::common;
use crate::operations::python;
use crate::program::{fails, ok, scratch, surveyed};
use hypso::Store;

/// What the script in `tests/python/` prints; `None` where Python lacks what it needs.
fn check(arguments: &[&str]) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check_items.py");
    let output = Command::new(python("pyarrow")?).arg(script).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn others_read_the_items_of_an_export() {
    let (_folder, path) = scratch();
    // More rows than are written at once, and coordinate systems with a code, with a definition and without either.
    let (sources, mut records) = common::catalogue(40_000, 5);
    records[0].nodata = Some(f64::NAN);
    records[1].nodata = Some(f64::from(f32::MIN));
    records[2].crs = "LOCAL_CS[\"none\"]".into();
    records[3].crs = String::new();
    std::fs::write(path("s.hypso"), common::store_bytes(&sources, &records)).unwrap();
    let some = ["--bbox", "125.5,33.6,126.4,34.3", "--source", "dem10", "--relative"];
    for options in [&[][..], &some] {
        for name in ["s.parquet", "s.geojson"] {
            ok(&[&["export", &path("s.hypso"), "-o", &path(name), "--overwrite"], options].concat());
        }
        if check(&["read", &path("s.parquet"), &path("s.geojson")]).is_none() {
            return;
        }
    }
    ok(&["export", &path("s.hypso"), "-o", &path("x"), "--format", "stac-geoparquet", "--source", "dem1"]);
    assert!(std::fs::read(path("x")).unwrap().starts_with(b"PAR1"));
}

/// Items for the rasters of a folder: one with assets that are no heights, one that says where it lies.
fn items(folder: &str) -> Value {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".tif"))
        .collect();
    names.sort();
    let features = names.iter().enumerate().map(|(n, name)| {
        let mut assets = json!({"dem": {"href": format!("./{name}"), "type": "image/tiff; application=geotiff", "roles": ["data"]}});
        if n == 1 {
            assets["preview"] = json!({"href": "p.tif", "roles": ["overview", "visual"]});
            assets["about"] = json!({"href": "a.xml"});
        }
        let mut links = vec![json!({"rel": "root", "href": "../catalog.json", "type": "application/json"})];
        if n == 2 {
            links.push(json!({"rel": "self", "href": "items/none.json"}));
        }
        json!({
            "type": "Feature", "stac_version": "1.1.0", "stac_extensions": [], "id": format!("item-{n}"), "links": links, "assets": assets,
            "geometry": {"type": "Point", "coordinates": [138.0, 35.0]}, "bbox": [138.0, 35.0, 138.0, 35.0],
            "properties": {"datetime": "2026-11-27T00:00:00Z", "gsd": 10.0, "proj:code": "EPSG:6677", "proj:shape": [n, 100]},
        })
    });
    json!({"type": "FeatureCollection", "features": features.collect::<Vec<_>>()})
}

#[test]
fn items_in_parquet_give_the_records_that_they_give_as_json() {
    let (folder, path) = scratch();
    surveyed(folder.path());
    let dem = path("s/dem10");
    // It completes a list in its folder, but no index.
    std::fs::remove_file(path("s/hypso.toml")).unwrap();
    std::fs::write(path("s/dem10/items.json"), items(&dem).to_string()).unwrap();
    let Some(written) = check(&["write", &path("s/dem10/items.json"), &dem]) else { return };
    ok(&["build", "-o", &path("json.hypso"), &format!("dem10={}", path("s/dem10/items.json"))]);
    let expected = std::fs::read(path("json.hypso")).unwrap();
    assert_eq!(Store::open(path("json.hypso")).unwrap().len(), 8);
    assert!(written.lines().count() >= 7, "{written}");
    for name in written.lines() {
        ok(&["build", "-o", &path("x.hypso"), "--overwrite", &format!("dem10={dem}/{name}")]);
        assert!(std::fs::read(path("x.hypso")).unwrap() == expected, "{name}");
    }
    std::fs::rename(format!("{dem}/lz4.bad"), path("lz4.parquet")).unwrap();
    // A pattern does not take the tables for rasters.
    ok(&["build", "-o", &path("x.hypso"), "--overwrite", &format!("dem10={dem}/*")]);
    assert!(std::fs::read(path("x.hypso")).unwrap() == expected);
    fails(1, &["lz4.parquet", "LZ4", "zstd"], &["build", "-o", &path("y.hypso"), &path("lz4.parquet")]);
}

#[test]
fn tables_that_are_no_items_are_refused_by_name() {
    let (folder, path) = scratch();
    surveyed(folder.path());
    ok(&["export", &path("s.hypso"), "-o", &path("whole.parquet")]);
    let whole = std::fs::read(path("whole.parquet")).unwrap();
    let footer = whole.len() - 8;
    let length = |number: u32| [&whole[..footer], &number.to_le_bytes(), b"PAR1"].concat();
    let without = |from: &str, to: &str| {
        let mut bytes = whole.clone();
        for at in 0..bytes.len() - from.len() {
            if bytes[at..].starts_with(from.as_bytes()) {
                bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            }
        }
        bytes
    };
    let half = whole.len() / 2;
    for (bytes, words) in [
        (b"no Parquet at all".to_vec(), "is no Parquet file"),
        (Vec::new(), "is no Parquet file"),
        (whole[..half].to_vec(), "its footer is not there"),
        (length(7), "footer"),
        (length(u32::MAX), "its footer is not there"),
        ([&whole[..4], &[0xff; 300], &whole[half..]].concat(), "column id"),
        (without("assets", "asSets"), "no column assets"),
    ] {
        std::fs::write(path("x.parquet"), bytes).unwrap();
        fails(1, &["x.parquet", words], &["build", "-o", &path("x.hypso"), &path("x.parquet")]);
    }
}
