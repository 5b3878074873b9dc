//! Commands on a damaged store: whatever they say, it names the store.

use std::path::Path;

use hypso::format::Kind;
use hypso::store::Store;

use crate::common::fit_checksums;
use crate::program::{hypso, scratch, stderr, surveyed};

/// The commands that open a store, with a place for what they write.
fn commands(folder: &Path) -> Vec<Vec<String>> {
    let name = |name: &str| folder.join(name).display().to_string();
    let (store, archive, config) = (name("damaged.hypso"), name("whole.pmtiles"), name("s/hypso.toml"));
    let commands: [&[&str]; 16] = [
        &["info", &store, "--sections"],
        &["info", &store, "--format", "json"],
        &["query", &store, "--bbox=-180,-85,180,85"],
        &["query", &store, "--bbox=-180,-85,180,85", "--format", "csv"],
        &["query", &store, "--bbox=-180,-85,180,85", "--format", "geojson"],
        &["provenance", &store, "0/0/0"],
        &["export", &store, "-o", &name("out.geojson"), "--overwrite"],
        &["export", &store, "-o", &name("out.fgb"), "--overwrite"],
        &["export", &store, "-o", &name("out.gti.gpkg"), "--overwrite"],
        &["plan", &store, "--max-zoom", "9"],
        &["aggregate", &store, "-o", &name("out.pmtiles"), "--max-zoom", "9", "--overwrite", "--jobs", "1"],
        &["aggregate-zoom", "8", "9", &store, "-o", &name("zoom.mbtiles"), "--overwrite", "--jobs", "1"],
        &[
            "aggregate",
            &store,
            "-o",
            &name("small.pmtiles"),
            "--max-zoom",
            "9",
            "--overwrite",
            "--jobs",
            "1",
            "--tile-size",
            "256",
        ],
        &["verify", &store],
        &["verify", &archive, "--against", &store],
        &["build", "--update", "-o", &store, "--config", &config],
    ];
    commands.iter().map(|c| c.iter().map(ToString::to_string).collect()).collect()
}

/// Runs all commands on a damaged store; gives how many of them failed.
fn failures(folder: &Path, bytes: &[u8], what: &str) -> usize {
    let store = folder.join("damaged.hypso");
    let mut failed = 0;
    for command in commands(folder) {
        std::fs::write(&store, bytes).unwrap();
        let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        let output = hypso(&arguments);
        let said = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code().is_some_and(|code| code != 101), "{what}: {command:?}: {said}");
        if !output.status.success() {
            failed += 1;
            assert!(said.contains(&store.display().to_string()), "{what}: {command:?}: {said}");
        }
    }
    failed
}

#[test]
fn every_command_names_the_damaged_store() {
    let (_guard, at) = scratch();
    let folder = at("");
    let folder = Path::new(&folder);
    let bytes = surveyed(folder);
    let tiles = ["aggregate", &at("s.hypso"), "-o", &at("whole.pmtiles"), "--max-zoom", "9", "--jobs", "1"];
    assert!(hypso(&tiles).status.success());
    let sections = Store::from_bytes(bytes.clone()).unwrap().sections().clone();
    let place = |name: &str, kind: Kind| {
        let entry = sections.find(name, kind).unwrap_or_else(|| panic!("no {name}"));
        (entry.offset() as usize, entry.length() as usize)
    };
    let damage = |name: &str, kind: Kind| {
        let (start, length) = place(name, kind);
        let mut file = bytes.clone();
        file[start + length / 2..start + length].iter_mut().for_each(|byte| *byte ^= 0xff);
        file
    };
    for (name, kind) in [("record.path", Kind::Bytes), ("record.min_x", Kind::Column), ("tile.list", Kind::Offsets)] {
        let failed = failures(folder, &damage(name, kind), name);
        // An update of a store takes from the old one what is whole.
        assert!(failed >= commands(folder).len() - 1, "{name}: {failed}");
    }
    // The same behind checksums that fit, so that commands find out when they read.
    let mut found = 0;
    for (name, kind) in [
        ("record.path", Kind::Bytes),
        ("record.path", Kind::Offsets),
        ("crs.name", Kind::Bytes),
        ("source.name", Kind::Offsets),
        ("source.root", Kind::Bytes),
        ("store.metadata", Kind::Json),
        ("record.source", Kind::Column),
    ] {
        let mut file = damage(name, kind);
        fit_checksums(&mut file);
        found += failures(folder, &file, &format!("{name}, checksums fit"));
    }
    assert!(found > 40, "{found}");
}
