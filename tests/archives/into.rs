//! `merge --into` and `patch --in-place`: MBTiles are changed where they are, wholly or not at all.
#![cfg(feature = "cli")]

use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hypso::archive::{self, ArchiveMetadata, CreateOptions, TileFormat};
use hypso::tile::TileId;

use crate::told::{HYPSO, all_fail, hypso, names, ok, tiles};

fn make(path: &Path, ids: Range<u64>, mark: u64, dedup: bool) {
    let metadata = ArchiveMetadata {
        name: format!("n{mark}"),
        attribution: format!("a{mark}"),
        format: TileFormat::Webp,
        ..ArchiveMetadata::default()
    };
    let mut sink = archive::create_with(path, &metadata, CreateOptions { dedup, ..CreateOptions::default() }).unwrap();
    for id in ids {
        let bytes = [b"RIFF\0\0\0\0WEBP".as_slice(), &id.to_le_bytes(), &mark.to_le_bytes()].concat();
        sink.put(TileId(id).coord().unwrap(), &bytes).unwrap();
    }
    sink.finish().unwrap();
}

#[test]
fn merging_into_an_archive_gives_what_a_merge_beside_it_gives() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    make(&here.join("base.mbtiles"), 0..100, 1, false);
    make(&here.join("more.pmtiles"), 90..341, 2, false);
    make(&here.join("new.pmtiles"), 341..400, 3, false);
    make(&here.join("shared.mbtiles"), 0..10, 1, true);
    let base = std::fs::read(here.join("base.mbtiles")).unwrap();
    // A tile that both hold stops it, and nothing has changed.
    let (code, said) = hypso(here, &["merge", "new.pmtiles", "more.pmtiles", "--into", "base.mbtiles"]);
    assert!(code == 1 && said.contains("is also in base.mbtiles"), "{said}");
    assert!(std::fs::read(here.join("base.mbtiles")).unwrap() == base);
    let here_before = names(here);
    for (rule, counts) in
        [("first", "241 tiles added, 0 replaced, 10 left out"), ("last", "241 tiles added, 10 replaced, 0 left out")]
    {
        std::fs::write(here.join("base.mbtiles"), &base).unwrap();
        ok(
            here,
            &["merge", "base.mbtiles", "more.pmtiles", "-o", "beside.mbtiles", "--on-overlap", rule, "--overwrite"],
        );
        let said = ok(here, &["merge", "more.pmtiles", "--into", "base.mbtiles", "--on-overlap", rule]);
        assert!(said.contains(counts), "{rule}: {said}");
        assert!(tiles(&here.join("base.mbtiles")) == tiles(&here.join("beside.mbtiles")), "{rule}");
        let [a, b] =
            ["base.mbtiles", "beside.mbtiles"].map(|name| archive::open(&here.join(name)).unwrap().metadata().clone());
        assert_eq!((a.attribution.as_str(), a.maxzoom), ("a1 | a2", Some(4)), "{rule}");
        assert_eq!((a.bounds, a.minzoom, a.name), (b.bounds, b.minzoom, b.name), "{rule}");
        std::fs::remove_file(here.join("beside.mbtiles")).unwrap();
        assert_eq!(names(here), here_before, "{rule}: nothing stays beside it");
    }
    let said = ok(here, &["merge", "new.pmtiles", "--into", "base.mbtiles"]);
    assert!(said.contains("59 tiles added"), "{said}");
    all_fail(
        here,
        &[
            (&["merge", "new.pmtiles", "--into", "more.pmtiles"], 1, "only MBTiles are changed in place"),
            (&["merge", "new.pmtiles", "--into", "shared.mbtiles"], 1, "is a view"),
            (&["merge", "base.mbtiles", "--into", "base.mbtiles"], 2, "is an input as well"),
            (&["merge", "new.pmtiles", "--into", "none.mbtiles"], 1, "none.mbtiles"),
            (&["merge", "new.pmtiles", "--into", "base.mbtiles", "--on-overlap", "pixels"], 2, "write a new archive"),
            (&["merge", "new.pmtiles", "--into", "base.mbtiles", "-o", "x.mbtiles"], 2, "cannot be used with"),
            (&["merge", "new.pmtiles"], 2, "--output"),
        ],
    );
    assert!(!here.join("none.mbtiles").exists());
}

#[test]
fn a_patch_changes_the_archive_that_it_was_made_from_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    make(&here.join("old.mbtiles"), 0..200, 1, false);
    make(&here.join("rest.pmtiles"), 150..260, 2, false);
    ok(here, &["extract", "old.mbtiles", "-o", "part.pmtiles", "--zoom", "1-4"]);
    ok(here, &["merge", "part.pmtiles", "rest.pmtiles", "-o", "new.pmtiles", "--on-overlap", "last"]);
    ok(here, &["diff", "old.mbtiles", "new.pmtiles", "-o", "patch.pmtiles"]);
    let before = std::fs::read(here.join("old.mbtiles")).unwrap();
    let said = ok(here, &["patch", "old.mbtiles", "patch.pmtiles", "--in-place"]);
    assert!(said.contains("old.mbtiles: 60 tiles added, 50 changed, 1 deleted"), "{said}");
    assert!(tiles(&here.join("old.mbtiles")) == tiles(&here.join("new.pmtiles")));
    let metadata = archive::open(&here.join("old.mbtiles")).unwrap().metadata().clone();
    assert!(!metadata.other.contains_key("hypso_patch") && metadata.minzoom == Some(1), "{metadata:?}");
    // Once more it is another archive.
    let after = std::fs::read(here.join("old.mbtiles")).unwrap();
    let (code, said) = hypso(here, &["patch", "old.mbtiles", "patch.pmtiles", "--in-place"]);
    assert!(code == 1 && said.contains("is not the one that patch.pmtiles was made from"), "{said}");
    assert!(std::fs::read(here.join("old.mbtiles")).unwrap() == after && before != after);
    let (code, said) = hypso(here, &["patch", "new.pmtiles", "patch.pmtiles", "--in-place"]);
    assert!(code == 1 && said.contains("only MBTiles are changed in place"), "{said}");
}

#[test]
#[cfg(unix)]
fn killed_at_any_moment_it_holds_all_tiles_of_the_inputs_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let first = TileId::first(8).0;
    make(&here.join("base.mbtiles"), 0..341, 1, false);
    make(&here.join("more.pmtiles"), first..first + 20_000, 2, false);
    let base = std::fs::read(here.join("base.mbtiles")).unwrap();
    let mut killed = 0;
    for moment in [5, 30, 60, 120, 200, 300, 450] {
        std::fs::write(here.join("base.mbtiles"), &base).unwrap();
        let mut child = Command::new(HYPSO)
            .args(["merge", "more.pmtiles", "--into", "base.mbtiles"])
            .current_dir(here)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(moment));
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
        // The next that may write undoes half of it.
        ok(here, &["edit", "base.mbtiles", "--name", "seen"]);
        let count = archive::open(&here.join("base.mbtiles")).unwrap().tile_count().unwrap();
        assert!(count == 341 || count == 20_341, "after {moment} ms: {count}");
    }
    assert!(killed > 0, "nothing was killed");
}
