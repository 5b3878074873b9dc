//! Folders by patterns of names, and zips.
#![cfg(feature = "cli")]

use std::path::Path;
use std::process::Command;

use hypso::archive::{self, ArchiveKind, ArchiveMetadata, TileFormat};
use hypso::terrain::{CodeTile, Encoding, ImageFormat};
use hypso::tile::TileId;

use crate::told::{hypso, ok, tiles};

fn make(path: &Path) {
    let metadata = ArchiveMetadata {
        name: "n".into(),
        format: TileFormat::Png,
        encoding: Some(Encoding::Terrarium.into()),
        tile_size: Some(16),
        ..ArchiveMetadata::default()
    };
    let mut sink = archive::create(path, &metadata, false).unwrap();
    for id in (0..85).chain(100..110) {
        let codes = vec![0x80_0000 + 256 * id as u32; 256];
        let image = CodeTile { size: 16, codes, valid: vec![1; 256] }.encode(ImageFormat::Png).unwrap();
        sink.put(TileId(id).coord().unwrap(), &image).unwrap();
    }
    sink.finish().unwrap();
}

#[test]
fn folders_by_patterns_and_zips_give_back_what_was_put() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    make(&here.join("a.pmtiles"));
    let before = tiles(&here.join("a.pmtiles"));
    // Tile 3/7/2 is row 5 from the south; its quadkey by hand: x 111, y 010.
    for (n, (names, file)) in [
        ("{z}/{y}/{x}.png", "3/2/7.png"),
        ("{z}/{x}/{-y}.png", "3/7/5.png"),
        ("{quadkey}.png", "131.png"),
        ("L{z}/R{y}C{x}.png", "L3/R2C7.png"),
    ]
    .iter()
    .enumerate()
    {
        let output = format!("t{n}/{names}");
        ok(here, &["convert", "a.pmtiles", "-o", &output]);
        let id = TileId::from("3/7/2".parse::<hypso::tile::TileCoord>().unwrap());
        assert_eq!(std::fs::read(here.join(format!("t{n}/{file}"))).unwrap(), before[&id], "{names}");
        let back = format!("b{n}.pmtiles");
        ok(here, &["convert", &output, "-o", &back]);
        assert!(tiles(&here.join(&back)) == before, "{names}");
        let metadata = archive::open(&here.join(&back)).unwrap().metadata().clone();
        assert_eq!((metadata.name.as_str(), metadata.tile_size), ("n", Some(16)), "{names}");
        assert!(ok(here, &["inspect", &output]).contains("folder, 95 tiles"), "{names}");
        assert_eq!(ok(here, &["tile", &output, "3/7/2", "--decode"]).lines().count(), 257, "{names}");
        let said = hypso(here, &["verify", &output, "--parents", "none"]).1;
        assert!(said.contains("errors: 0"), "{names}: {said}");
    }
    for scheme in ["xyz", "tms", "zyx"] {
        let zip = format!("{scheme}.zip");
        ok(here, &["convert", "a.pmtiles", "-o", &zip, "--output-scheme", scheme]);
        assert_eq!(archive::open(&here.join(&zip)).unwrap().kind(), ArchiveKind::Zip);
        // Its metadata say how it is addressed.
        assert!(tiles(&here.join(&zip)) == before, "{scheme}");
        assert!(ok(here, &["inspect", &zip]).contains("zip, 95 tiles"), "{scheme}");
        let said = hypso(here, &["verify", &zip, "--parents", "none"]).1;
        assert!(said.contains("errors: 0"), "{scheme}: {said}");
    }
    ok(here, &["merge", "xyz.zip", "b0.pmtiles", "--on-overlap", "first", "-o", "m.zip"]);
    assert!(std::fs::read(here.join("m.zip")).unwrap() == std::fs::read(here.join("xyz.zip")).unwrap());
}

#[test]
fn zips_of_others_are_read_and_ours_by_others() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    make(&here.join("a.pmtiles"));
    ok(here, &["convert", "a.pmtiles", "-o", "tiles", "--output-scheme", "tms"]);
    ok(here, &["convert", "a.pmtiles", "-o", "a.zip"]);
    let script = "
import os, zipfile
with zipfile.ZipFile('theirs.zip', 'w', zipfile.ZIP_DEFLATED) as out:
    for base, _, names in os.walk('tiles'):
        for name in names:
            if name != 'metadata.json':
                path = os.path.join(base, name)
                out.write(path, 'some folder/' + path)
    out.writestr('README.txt', 'tiles')
ours = zipfile.ZipFile('a.zip')
assert ours.testzip() is None and len(ours.namelist()) == 96 and '3/7/2.png' in ours.namelist()
";
    let done = Command::new("python3").args(["-c", script]).current_dir(here).output();
    let done = match done {
        Ok(done) => done,
        Err(_) => {
            assert!(std::env::var_os("CI").is_none(), "python3 is not installed");
            return;
        }
    };
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = ok(here, &["convert", "theirs.zip", "-o", "b.pmtiles", "--scheme", "tms"]);
    assert!(said.contains("left out what is no tile: 1 (such as README.txt)"), "{said}");
    assert!(tiles(&here.join("b.pmtiles")) == tiles(&here.join("a.pmtiles")));
}

#[test]
fn what_names_can_not_say_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    make(&here.join("a.pmtiles"));
    std::fs::create_dir(here.join("there")).unwrap();
    ok(here, &["convert", "a.pmtiles", "-o", "a.zip"]);
    let zip = std::fs::read(here.join("a.zip")).unwrap();
    std::fs::write(here.join("cut.zip"), &zip[..zip.len() / 2]).unwrap();
    let mut altered = zip.clone();
    altered[60] ^= 0x55;
    std::fs::write(here.join("altered.zip"), altered).unwrap();
    for (arguments, code, word) in [
        (&["convert", "a.pmtiles", "-o", "x/{z}/{x}.png"][..], 2, "expected {z}, {x} and {y}"),
        (&["convert", "a.pmtiles", "-o", "x/{z}/{x}/{y}/{w}.png"], 2, "{w} is no field"),
        (&["convert", "a.pmtiles", "-o", "there/{z}/{x}/{y}.png", "--overwrite"], 2, "exists already"),
        (&["convert", "a.pmtiles", "-o", "x/{z}/{x}/{y}.webp"], 1, "is png, but its name would end with webp"),
        (&["convert", "there/{z}/{x}/{y}.png", "-o", "x.pmtiles"], 1, "has no tile under such names"),
        (&["convert", "none/{z}/{x}/{y}.png", "-o", "x.pmtiles"], 1, "none"),
        (&["convert", "cut.zip", "-o", "x.pmtiles"], 1, "cut.zip"),
        (&["convert", "altered.zip", "-o", "x.pmtiles"], 1, "altered.zip"),
        (&["convert", "a.pmtiles", "-o", "a.zip"], 1, "exists already"),
        (&["edit", "a.zip", "--name", "x"], 2, "can't be changed in place"),
    ] {
        let (found, said) = hypso(here, arguments);
        assert!(found == code && said.contains(word), "{arguments:?}: {found}: {said}");
    }
    assert!(!here.join("x").exists() && !here.join("x.pmtiles").exists());
    assert!(std::fs::read(here.join("a.zip")).unwrap() == zip);
}
