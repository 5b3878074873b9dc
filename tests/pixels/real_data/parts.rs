//! Boxes, zoom limits and splits add or remove tiles, and change no pixel.

use super::*;

/// The 5 m mesh, three of the files with holes, and the coarse sources: zooms 0 to 14 in few tiles.
fn small_store() -> Option<PathBuf> {
    static STORE: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let folder = common::shared("dem")?.join("fuji");
        let store = scratch("small.hypso");
        let sources = ["gsi-dem5a/*.tif", "gsi-dem5a-z13/12_3626_*.tif", "aster30m", "mapbox76m/*.tif", "srtm30"];
        hypso_ok(&folder, &[&["build", "-o", store.to_str().unwrap()], &sources[..]].concat());
        Some(store)
    });
    STORE.clone()
}

/// The tiles of a run on the small store.
fn run(output: &str, args: &[&str]) -> BTreeMap<TileCoord, Vec<u8>> {
    let store = small_store().unwrap();
    hypso_ok(SCRATCH.path(), &[&["aggregate", store.to_str().unwrap(), "-o", output], args].concat());
    Made::open(&scratch(output)).bytes()
}

static SMALL: LazyLock<BTreeMap<TileCoord, Vec<u8>>> = LazyLock::new(|| run("small.pmtiles", &[]));

/// Asserts that a run's tiles are those of the whole run that `wanted` holds for, byte by byte.
fn assert_part(what: &str, part: &BTreeMap<TileCoord, Vec<u8>>, wanted: impl Fn(TileCoord) -> bool) {
    let expected: BTreeMap<_, _> = SMALL.iter().filter(|(t, _)| wanted(**t)).collect();
    assert!(!expected.is_empty());
    let keys = |m: &mut dyn Iterator<Item = &TileCoord>| m.map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(keys(&mut part.keys()), keys(&mut expected.keys().copied()), "{what}");
    for (coord, bytes) in part {
        assert!(bytes == expected[coord], "{what}: {coord} differs");
    }
}

#[test]
fn boxes_and_zoom_limits_change_no_pixel() {
    if small_store().is_none() {
        return;
    }
    let all = SMALL.keys().map(|t| t.z()).max();
    assert_eq!(all, Some(14));
    // Cuts through tiles of every source; and a corner where tiles beside the box hold other sources.
    for (i, [w, s, e, n]) in [[138.72, 35.27, 138.80, 35.37], [138.495, 35.252, 138.505, 35.26]].into_iter().enumerate()
    {
        let wanted = Bounds::from_lon_lat(w, s, e, n);
        let values = [w, s, e, n].map(|v| v.to_string());
        let args: Vec<&str> = std::iter::once("--bbox").chain(values.iter().map(String::as_str)).collect();
        let part = run(&format!("box-{i}.pmtiles"), &args);
        let shares = |b: Bounds| {
            b.min_x < wanted.max_x && b.max_x > wanted.min_x && b.min_y < wanted.max_y && b.max_y > wanted.min_y
        };
        assert_part("--bbox", &part, |t| shares(t.bounds()));
    }
    assert_part("--max-zoom 10", &run("max.pmtiles", &["--max-zoom", "10"]), |t| t.z() <= 10);
    assert_part("--min-zoom 9", &run("min.mbtiles", &["--min-zoom", "9"]), |t| t.z() >= 9);
}

#[test]
fn splits_change_no_pixel() {
    let Some(store) = small_store() else { return };
    for pattern in ["single", "incremental", "0-4,5-11,12-13,14"] {
        let part = run(&format!("split-{}.pmtiles", pattern.len()), &["--split", pattern]);
        assert_part(pattern, &part, |_| true);
    }
    let zoom = |min: &str, max: &str, output: &str, more: &[&str]| {
        let args = ["aggregate-zoom", min, max, store.to_str().unwrap(), "-o", output];
        hypso_ok(SCRATCH.path(), &[&args, more].concat());
        Made::open(&scratch(output)).bytes()
    };
    assert_part("11-14", &zoom("11", "14", "fine.mbtiles", &[]), |t| t.z() >= 11);
    let with = zoom("0", "10", "with.pmtiles", &["--finer", "fine.mbtiles"]);
    assert_part("0-10 with --finer", &with, |t| t.z() <= 10);
    let without = zoom("8", "10", "without.mbtiles", &[]);
    assert_part("8-10 without --finer", &without, |t| (8..=10).contains(&t.z()));
}
