//! Parts of archives: several boxes, across 180 degrees, and lists of zooms.
#![cfg(feature = "cli")]

use std::collections::BTreeSet;
use std::path::Path;

use hypso::archive::{self, ArchiveMetadata, TileFormat};
use hypso::tile::TileId;

use crate::told::hypso;

/// The tiles that an extract takes.
fn taken(folder: &Path, arguments: &[&str]) -> BTreeSet<TileId> {
    let (code, said) =
        hypso(folder, &[&["extract", "world.pmtiles", "-o", "part.mbtiles", "--overwrite"], arguments].concat());
    assert_eq!(code, 0, "{arguments:?}: {said}");
    archive::open(&folder.join("part.mbtiles")).unwrap().ids().unwrap().map(Result::unwrap).collect()
}

#[test]
fn several_boxes_take_what_each_of_them_takes() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let metadata = ArchiveMetadata { name: "n".into(), format: TileFormat::Webp, ..ArchiveMetadata::default() };
    let mut sink = archive::create(&here.join("world.pmtiles"), &metadata, false).unwrap();
    for id in 0..TileId::first(6).0 {
        sink.put(TileId(id).coord().unwrap(), &[b"RIFF\0\0\0\0WEBP".as_slice(), &id.to_le_bytes()].concat()).unwrap();
    }
    sink.finish().unwrap();

    let fiji = ["--bbox", "176,-20,-178,-15"];
    let alps = ["--bbox", "5,45,16,48"];
    let both = taken(here, &[fiji, alps].concat());
    let [a, b] = [fiji, alps].map(|part| taken(here, &part));
    assert_eq!(both, &a | &b);
    assert!(a.len() > 6 && b.len() > 6 && both.len() > a.len().max(b.len()));
    let columns: BTreeSet<u32> = a.iter().filter_map(|id| id.coord()).filter(|t| t.z() == 5).map(|t| t.x()).collect();
    assert_eq!(columns, [0, 31].into(), "both sides of 180 degrees");
    // One box in the other, and one given with spaces.
    assert_eq!(taken(here, &["--bbox", "5", "45", "16", "48", "--bbox=7,46,8,47"]), b);

    let zooms = taken(here, &["--zoom", "0,2-3,5"]);
    let of = |list: &[u8]| -> BTreeSet<u8> { list.iter().copied().collect() };
    assert_eq!(zooms.iter().filter_map(|id| id.zoom()).collect::<BTreeSet<_>>(), of(&[0, 2, 3, 5]));
    assert_eq!(zooms.len(), 1 + 16 + 64 + 1024);
    let together = taken(here, &["--zoom", "0,2-3,5", "--min-zoom", "3", "--bbox", "5,45,16,48"]);
    let expected: BTreeSet<TileId> = b.iter().copied().filter(|id| matches!(id.zoom(), Some(3 | 5))).collect();
    assert_eq!(together, expected);

    for (list, code, word) in [
        ("3-1", 2, "expected zooms from 0 to 31 such as 3,5,7-9"),
        ("a", 2, "expected zooms"),
        ("32", 2, "expected zooms"),
        ("9", 1, "none is chosen"),
    ] {
        let (found, said) = hypso(here, &["extract", "world.pmtiles", "-o", "x.pmtiles", "--zoom", list]);
        assert!(found == code && said.contains(word), "{list}: {said}");
    }
    let (code, said) = hypso(here, &["extract", "world.pmtiles", "-o", "x.pmtiles", "--zoom", "1", "--min-zoom", "2"]);
    assert!(code == 2 && said.contains("--zoom: name none from 2 to 31"), "{said}");
    assert!(!here.join("x.pmtiles").exists());
}
