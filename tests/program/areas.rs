//! Boxes and outlines in every command that takes them: the same area takes the same tiles, however it is written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::program::{World, fails, names, ok, printed, scratch, surveyed, tiles};
use crate::surface::Sheet;
use hypso::archive::{self, ArchiveMetadata, TileFormat};
use hypso::store::{Store, verify};
use hypso::tile::{LonLat, LonLatBox, Polygons, TileCoord, TileId, web_mercator};

type Ring = Vec<[f64; 2]>;

/// The middle of the sheet that the features lie on.
const MIDDLE: [f64; 2] = [139.0, 34.2];

/// Features of some kilometres: overlapping, with holes, in a hole, touching, thin.
fn features() -> Vec<Vec<Ring>> {
    let at = |[x, y]: [f64; 2]| [MIDDLE[0] + x * 0.0019, MIDDLE[1] + y * 0.0019];
    let ring = |points: &[[f64; 2]]| -> Ring { points.iter().map(|&p| at(p)).collect() };
    let square = |w: f64, s: f64, e: f64, n: f64| ring(&[[w, s], [e, s], [e, n], [w, n], [w, s]]);
    vec![
        vec![square(-15.0, -10.0, 5.0, 10.0), square(-12.0, -7.0, 2.0, 7.0)],
        // In the hole of the first, and one that overlaps both it and the frame.
        vec![ring(&[[-6.0, -2.0], [-2.0, -1.0], [-5.0, 3.0], [-6.0, -2.0]])],
        vec![square(-17.0, 5.0, -9.0, 14.0)],
        // The same once more, and one that touches it along a line.
        vec![square(-17.0, 5.0, -9.0, 14.0)],
        vec![square(-9.0, 7.0, -4.0, 14.0)],
        // A sliver of some metres, slanted over several tiles.
        vec![ring(&[[4.0, -14.0], [16.0, -4.0], [16.0, -3.98], [4.0, -14.0]])],
    ]
}

fn geojson(features: &[Vec<Ring>]) -> String {
    let feature = |rings: &Vec<Ring>| {
        let geometry = serde_json::json!({"type": "Polygon", "coordinates": rings});
        serde_json::json!({"type": "Feature", "properties": {"name": "x"}, "geometry": geometry})
    };
    let all: Vec<_> = features.iter().map(feature).collect();
    format!("\u{feff}{}", serde_json::json!({"type": "FeatureCollection", "features": all}))
}

/// Inside any feature, an odd number of its rings around it: by hand, with nothing of hypso's.
fn inside(features: &[Vec<Ring>], lon: f64, lat: f64) -> bool {
    features.iter().any(|rings| {
        let lines = rings.iter().flat_map(|ring| ring.windows(2));
        let east = |w: &&[[f64; 2]]| {
            let [[ax, ay], [bx, by]] = [w[0], w[1]];
            (ay > lat) != (by > lat) && lon < ax + (lat - ay) / (by - ay) * (bx - ax)
        };
        lines.filter(east).count() % 2 == 1
    })
}

/// True where a point of a fine grid over the tile lies inside.
fn seen(features: &[Vec<Ring>], tile: TileCoord) -> bool {
    const GRID: usize = 48;
    let [w, s, e, n] = tile.bounds().to_lon_lat();
    let at = |low: f64, high: f64, i: usize| low + (high - low) * (i as f64 + 0.5) / GRID as f64;
    (0..GRID * GRID).any(|i| inside(features, at(w, e, i % GRID), at(s, n, i / GRID)))
}

#[test]
fn the_same_outline_takes_the_same_tiles_in_every_command() {
    let (folder, path) = scratch();
    let middle = web_mercator::from_lon_lat(MIDDLE[0], MIDDLE[1]);
    Sheet::around("EPSG:3857", middle, 20.0, 0.0, 400, 400)
        .write(&folder.path().join("dem/a.tif"), &|x, y| 500.0 + (x - y) * 0.01);
    let (store, whole, clip) = (path("s.hypso"), path("all.pmtiles"), path("area.geojson"));
    let full = ["--coverage", "full", "--max-zoom", "16", "--tile-size", "256", "--encoder-level", "fast"];
    ok(&["build", "-o", &store, &path("dem"), "--tile-size", "256"]);
    ok(&[&["aggregate", &store, "-o", &whole], &full[..]].concat());
    let all = tiles(&whole);
    std::fs::write(&clip, geojson(&features())).unwrap();
    let polygons = Polygons::read(Path::new(&clip)).unwrap();
    let expected: BTreeMap<_, _> = all.iter().filter(|(t, _)| polygons.overlaps(&t.bounds())).collect();
    assert!(expected.len() > 60 && expected.len() + 60 < all.len(), "{} of {}", expected.len(), all.len());
    let mut shown: BTreeSet<TileCoord> = all.keys().copied().filter(|&t| t.z() >= 9 && seen(&features(), t)).collect();
    // The grid misses the sliver here and there: points along it, each checked to lie inside.
    let sliver = features()[5][0].clone();
    for i in 1..4000 {
        let along = |axis: usize| {
            let end = (sliver[1][axis] + sliver[2][axis]) / 2.0;
            sliver[0][axis] + (end - sliver[0][axis]) * f64::from(i) / 4000.0
        };
        assert!(inside(&features(), along(0), along(1)));
        let (x, y) = web_mercator::from_lon_lat(along(0), along(1));
        shown.extend((9..=16).map(|z| TileCoord::at(x, y, z)).filter(|t| all.contains_key(t)));
    }
    assert!(shown.iter().all(|t| expected.contains_key(t)), "what a point shows to be inside is taken");
    // Nothing else may be taken, but for a corner that both miss.
    let more: Vec<_> = expected.keys().filter(|t| t.z() >= 9 && !shown.contains(t)).collect();
    assert!(more.len() < 3, "{more:?}");

    let output = |n: usize| path(&format!("{n}.{}", if n.is_multiple_of(2) { "pmtiles" } else { "mbtiles" }));
    let dem = path("dem");
    let runs: [(&str, Vec<&str>); 6] = [
        ("aggregate", [&["aggregate", &store, "--clip", &clip], &full[..]].concat()),
        ("split", [&["aggregate", &store, "--polygon", &clip, "--split", "0-6,7-12,13-16"], &full[..]].concat()),
        ("extract", vec!["extract", &whole, "--clip", &clip]),
        ("extract by the old name", vec!["extract", &whole, "--polygon", &clip]),
        ("convert", vec!["convert", &whole, "--clip", &clip]),
        ("tiles", [&["tiles", &dem, "--clip", &clip], &full[..]].concat()),
    ];
    for (n, (name, arguments)) in runs.iter().enumerate() {
        ok(&[arguments.as_slice(), &["-o", &output(n)]].concat());
        let found = tiles(output(n));
        assert!(found.keys().eq(expected.keys().copied()), "{name}: {} tiles", found.len());
        assert!(found.values().eq(expected.values().copied()), "{name}: the same bytes");
    }
    let bounds = |n: usize| archive::open(Path::new(&output(n))).unwrap().metadata().bounds.unwrap();
    assert!(bounds(0).iter().zip(bounds(2)).all(|(a, b)| (a - b).abs() < 1e-6), "{:?} {:?}", bounds(0), bounds(2));

    // Every tile has data: what is planned is what is made.
    let options = ["plan", &store, "--clip", &clip, "--print", "json", "--coverage", "full", "--max-zoom", "16"];
    let plan: serde_json::Value = serde_json::from_str(&printed(&options)).unwrap();
    let finest = plan["zooms"].as_array().unwrap().iter().find(|z| z["zoom"] == 16).unwrap();
    assert_eq!(finest["tiles"], expected.keys().filter(|t| t.z() == 16).count());
    // A part of an archive that is encoded anew.
    ok(&["convert", &whole, "-o", &path("p.pmtiles"), "--clip", &clip, "--tile-format", "png"]);
    assert!(tiles(path("p.pmtiles")).keys().eq(expected.keys().copied()));
}

#[test]
fn an_update_keeps_to_the_outline() {
    let (folder, path) = scratch();
    surveyed(folder.path());
    let clip = path("area.geojson");
    let outline = r#"{"type":"Polygon","coordinates":[[[138.9,34.1],[139.05,34.1],[138.98,34.25],[138.9,34.1]]]}"#;
    std::fs::write(&clip, outline).unwrap();
    let (store, out, fresh) = (path("s.hypso"), path("o.pmtiles"), path("f.pmtiles"));
    let options = ["--clip", &clip, "--bbox", "138.9,34.1,139.01,34.3"];
    ok(&[&["aggregate", &store, "-o", &out], &options[..]].concat());
    let before = tiles(&out);
    let sheet = path("s/aw30/sheet_ne.tif");
    std::fs::copy(path("s/aw30/sheet_nw.tif"), &sheet).unwrap_or(0);
    std::fs::remove_file(path("s/aw30/sheet_sw.tif")).unwrap();
    ok(&["build", "-o", &store, "--config", &path("s/hypso.toml"), "--update"]);
    ok(&[&["aggregate", &store, "-o", &out, "--update"], &options[..]].concat());
    ok(&[&["aggregate", &store, "-o", &fresh], &options[..]].concat());
    let after = tiles(&out);
    assert!(after == tiles(&fresh) && after != before);
}

/// All tiles of zooms 0 to 4, each with a height of its own.
fn world(path: &Path) -> BTreeMap<TileCoord, Vec<u8>> {
    use hypso::terrain::{ElevationTile, Encoding, ImageFormat, TileCodec};
    let codec = TileCodec::new(Encoding::Terrarium, ImageFormat::Webp);
    let metadata = ArchiveMetadata {
        name: "world".into(),
        format: TileFormat::Webp,
        encoding: Some(Encoding::Terrarium.into()),
        tile_size: Some(16),
        ..ArchiveMetadata::default()
    };
    let mut sink = archive::create(path, &metadata, false).unwrap();
    let mut all = BTreeMap::new();
    for id in (0..341).map(TileId) {
        let tile = id.coord().unwrap();
        let mut heights = ElevationTile::empty(16);
        heights.valid.fill(1);
        heights.values.fill(if tile.x() * 2 < 1 << tile.z() { 100.0 } else { 2000.0 + tile.x() as f32 * 8.0 });
        let bytes = codec.encode(&heights).unwrap();
        sink.put(tile, &bytes).unwrap();
        all.insert(tile, bytes);
    }
    sink.finish().unwrap();
    all
}

#[test]
fn boxes_are_taken_in_every_form_and_across_180_degrees() {
    let (_folder, path) = scratch();
    let input = path("w.pmtiles");
    let all = world(Path::new(&input));
    let taken = |boxes: &[&str]| -> BTreeSet<TileCoord> {
        let parts: Vec<_> = boxes.iter().flat_map(|b| b.parse::<LonLatBox>().unwrap().parts()).collect();
        all.keys().copied().filter(|t| parts.iter().any(|part| t.bounds().overlaps(part))).collect()
    };
    let plain = taken(&["-10,-10,179,60"]);
    let fiji = taken(&["170,-20,180,-10", "-180,-20,-170,-10"]);
    assert!(fiji.contains(&"4/0/8".parse().unwrap()) && fiji.contains(&"4/15/8".parse().unwrap()) && fiji.len() == 9);
    std::fs::write(path("both.geojson"), r#"{"type":"MultiPolygon","coordinates":[
        [[[170,-20],[180,-20],[180,-10],[170,-10],[170,-20]]],[[[-180,-20],[-170,-20],[-170,-10],[-180,-10],[-180,-20]]]]}"#).unwrap();
    std::fs::write(
        path("one.geojson"),
        r#"{"type":"Polygon","coordinates":[[[170,-20],[190,-20],[190,-10],[170,-10]]]}"#,
    )
    .unwrap();
    let forms: [(&[&str], &BTreeSet<TileCoord>); 11] = [
        (&["--bbox", "-10,-10,179,60"], &plain),
        (&["--bbox=-10,-10,179,60"], &plain),
        (&["--bbox", "-10", "-10", "179", "60"], &plain),
        (&["--bbox", "-10, -10, 179, 60"], &plain),
        (&["--bbox", "-10,", "-10,", "179,", "60"], &plain),
        (&["--bbox=-10", "-10", "179", "60"], &plain),
        (&["--bbox", "170", "-20", "-170", "-10"], &fiji),
        (&["--bbox", "170,-20,190,-10"], &fiji),
        (&["--bbox=-190,-20,-170,-10"], &fiji),
        (&["--clip", &path("both.geojson")], &fiji),
        (&["--clip", &path("one.geojson")], &fiji),
    ];
    for (n, (form, expected)) in forms.iter().enumerate() {
        for command in ["extract", "convert"] {
            let out = path(&format!("{command}{n}.{}", if n.is_multiple_of(2) { "pmtiles" } else { "mbtiles" }));
            ok(&[&[command], *form, &[&input, "-o", &out]].concat());
            let found = tiles(&out);
            assert_eq!(&found.keys().copied().collect::<BTreeSet<_>>(), *expected, "{command} {form:?}");
            assert!(found.iter().all(|(tile, bytes)| all[tile] == *bytes));
            ok(&["verify", &out, "--parents", "none"]);
        }
    }
    // Bounds must not wrap; the centre lies where tiles are.
    let metadata = archive::open(Path::new(&path("extract6.pmtiles"))).unwrap().metadata().clone();
    assert_eq!(metadata.bounds, Some([-180.0, -20.0, 180.0, -10.0]));
    assert!(metadata.center.is_some_and(|c| c.lon.abs() > 170.0 && (-20.0..-10.0).contains(&c.lat)));
    // A picture across 180 degrees: the right end of the whole world's, and its left one behind it.
    ok(&["preview", &input, "-o", &path("p.png"), "--bbox", "135,-40,-135,40", "--zoom", "4"]);
    ok(&["preview", &input, "-o", &path("q.png"), "--bbox", "-180,-40,180,40", "--zoom", "4"]);
    let size = |name: &str| hypso::terrain::image_size(&std::fs::read(path(name)).unwrap()).unwrap();
    assert_eq!((size("p.png").0, size("q.png").0, size("p.png").1), (64, 256, size("q.png").1));
    let (part, whole) = (pixels(&path("p.png")), pixels(&path("q.png")));
    for (part, whole) in part.chunks(64 * 3).zip(whole.chunks(256 * 3)) {
        // Shading looks at neighbours: the columns at the seam differ.
        assert_eq!(part[3..30 * 3], whole[225 * 3..254 * 3]);
        assert_eq!(part[34 * 3..63 * 3], whole[2 * 3..31 * 3]);
        assert_ne!(part[3..30 * 3], part[34 * 3..61 * 3]);
    }
    // Two boxes on both sides are one picture, with nothing drawn between them.
    let boxes = ["--bbox", "135,-40,157.4,40", "--bbox=-157.4,-40,-135,40"];
    ok(&[&["preview", &input, "-o", &path("r.png"), "--zoom", "4"], &boxes[..]].concat());
    assert_eq!(size("r.png"), size("p.png"));
    let two = pixels(&path("r.png"));
    let nothing = &two[30 * 3..31 * 3];
    for row in two.chunks(64 * 3) {
        let drawn = |columns: std::ops::Range<usize>| columns.filter(|x| row[x * 3..x * 3 + 3] != *nothing).count();
        assert_eq!(drawn(18..46), 0);
        assert!(drawn(3..14) > 5 && drawn(50..62) > 5);
    }
}

fn pixels(path: &str) -> Vec<u8> {
    let mut reader =
        png::Decoder::new(std::io::BufReader::new(std::fs::File::open(path).unwrap())).read_info().unwrap();
    let mut out = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut out).unwrap();
    out
}

#[test]
fn stores_across_180_degrees_are_planned_made_asked_and_exported_by_one_box() {
    let (folder, path) = scratch();
    for (name, west) in [("a", 179.85), ("b", 179.5), ("c", -179.5), ("d", -170.0)] {
        Sheet::north_up("EPSG:4326", west, -16.8, 0.002, 150, 60)
            .write(&folder.path().join(format!("fiji/{name}.tif")), &|_, _| 200.0);
    }
    let store = path("s.hypso");
    ok(&["build", "-o", &store, &path("fiji"), "--tile-size", "256"]);
    ok(&["aggregate", &store, "-o", &path("all.pmtiles")]);
    let bbox = ["--bbox", "179.6,-17,-179.3,-16"];
    let area: LonLatBox = "179.6,-17,-179.3,-16".parse().unwrap();
    let all = tiles(path("all.pmtiles"));
    let expected: BTreeMap<_, _> =
        all.into_iter().filter(|(t, _)| area.parts().iter().any(|part| t.bounds().overlaps(part))).collect();
    assert!(expected.keys().any(|t| t.z() > 8 && t.x() == 0) && expected.keys().any(|t| t.z() > 8 && t.x() > 256));
    ok(&[&["aggregate", &store, "-o", &path("box.pmtiles")], &bbox[..]].concat());
    assert!(tiles(path("box.pmtiles")) == expected);
    ok(&[&["extract", &path("all.pmtiles"), "-o", &path("cut.mbtiles")], &bbox[..]].concat());
    assert!(tiles(path("cut.mbtiles")) == expected);
    ok(&[&["aggregate-zoom", "9", "20", &store, "-o", &path("z.mbtiles")], &bbox[..]].concat());
    assert!(tiles(path("z.mbtiles")).iter().eq(expected.iter().filter(|(t, _)| t.z() >= 9)));
    ok(&[&["plan", &store, "-o", &path("w.pmtiles"), "--export", &path("plan.json")], &bbox[..]].concat());
    ok(&["work", "--plan", &path("plan.json"), "--unit", "0"]);
    ok(&[&["aggregate", &store, "-o", &path("w.pmtiles")], &bbox[..]].concat());
    assert!(tiles(path("w.pmtiles")) == expected);

    // The second part of a file has another path.
    let letter = |path: &str| path.trim_start_matches("./")[..1].to_owned();
    // Two parts of the first file, one of the second and third; the fourth lies elsewhere.
    let found = |arguments: &[&str]| {
        let text = printed(&[&["query", &store, "--format", "json"], arguments].concat());
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        let files: Vec<String> =
            found.as_array().unwrap().iter().map(|r| r["path"].as_str().unwrap()).map(letter).collect();
        files.concat()
    };
    let sorted = |text: String| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters.into_iter().collect::<String>()
    };
    assert_eq!(sorted(found(&bbox)), "aabc");
    assert_eq!(sorted(found(&["--bbox", "179.6", "-17", "180.7", "-16"])), "aabc");
    // Several boxes: each record once, and in the order in which they win pixels.
    let both = ["--bbox", "179.6,-17,180,-16", "--bbox", "-180,-17,-169,-16"];
    assert_eq!(found(&both), found(&["--bbox", "179.6,-17,-169,-16"]));
    assert_eq!(sorted(found(&both)), "aabcd");
    for point in [&["--point", "180", "-16.85"][..], &["--point", "-180,-16.85"], &["--point=-180", "-16.85"]] {
        assert_eq!(sorted(found(point)), "aa", "{point:?}: both sides of the meridian");
    }
    assert_eq!(found(&["--point", "190.1,-16.85"]), "d");
    assert_eq!(found(&["--point", "-179.9,-16.85"]), found(&["--point", "180.1,-16.85"]));
    assert_eq!(&found(&["--point", "-179.99,-17.5", "--nearest", "9"])[..2], "aa");
    assert!(found(&["--point", "0", "90"]).is_empty());
    ok(&[&["export", &store, "-o", &path("e.geojson")], &bbox[..]].concat());
    ok(&[&["export", &store, "-o", &path("f.geojson")], &both[..]].concat());
    for (name, count) in [("e.geojson", 4), ("f.geojson", 5)] {
        let exported: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap();
        assert_eq!(exported["features"].as_array().unwrap().len(), count, "{name}");
    }
    ok(&[&["export", &store, "-o", &path("e.mosaicjson")], &bbox[..]].concat());
    let mosaic: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path("e.mosaicjson")).unwrap()).unwrap();
    let lists = mosaic["tiles"].as_object().unwrap();
    for (side, names) in [("0", vec!["a", "c"]), ("1", vec!["a", "b"])] {
        let names: std::collections::BTreeSet<_> = names.iter().map(|name| format!("{name}.tif")).collect();
        let listed = lists.iter().filter(|(key, _)| key.starts_with(['0', '2']) == (side == "0"));
        let listed = listed.flat_map(|(_, files)| files.as_array().unwrap()).map(|file| file.as_str().unwrap());
        assert_eq!(
            listed.map(|file| file.rsplit('/').next().unwrap().to_owned()).collect::<std::collections::BTreeSet<_>>(),
            names
        );
    }
    let (bounds, center) = (&mosaic["bounds"], mosaic["center"][0].as_f64().unwrap());
    assert!(bounds[0] == -180.0 && bounds[2] == 180.0 && center.abs() > 179.0, "{bounds} {center}");

    // The library: longitudes wrap, each record comes once and in candidate order, not a number is nowhere.
    let store = Store::open(&store).unwrap();
    let ranks = |found: hypso::query::Overlapping<'_>| found.map(|r| r.rank()).collect::<Vec<_>>();
    let at = |lon, lat| LonLat::new(lon, lat).unwrap();
    let boxed = ranks(store.overlapping(area));
    assert!(boxed.len() == 4 && boxed.is_sorted());
    let most = LonLatBox::new(-179.0, -20.0, 179.7, -10.0).unwrap();
    let rest = LonLatBox::new(179.7, -20.0, -179.0, -10.0).unwrap();
    assert_eq!((ranks(store.overlapping(most)).len(), ranks(store.overlapping(rest)).len()), (2, 4));
    assert_eq!(ranks(store.overlapping(at(180.0, -16.85))), ranks(store.overlapping(at(-180.0, -16.85))));
    assert_eq!(ranks(store.overlapping(at(190.1, -16.85))), ranks(store.overlapping(at(-169.9, -16.85))));
    assert!(LonLat::new(f64::NAN, 0.0).is_err() && ranks(store.overlapping(at(0.0, -90.0))).is_empty());
    let near = store.nearest(at(-179.4, -15.0), 3);
    assert_eq!(near.iter().map(|n| letter(&n.record.path().unwrap())).collect::<String>(), "caa");
    assert!(near.windows(2).all(|w| w[0].distance <= w[1].distance));
}

#[test]
fn impossible_areas_are_refused_with_the_right_form_before_anything_is_done() {
    let w = World::get();
    let (folder, path) = scratch();
    let (store, archive, dem) = (w.path("s.hypso"), w.path("s.pmtiles"), w.path("s/aw30"));
    let out = path("o.pmtiles");
    let commands: [&[&str]; 9] = [
        &["aggregate", &store, "-o", &out],
        &["aggregate-zoom", "0", "5", &store, "-o", &out],
        &["tiles", &dem, "-o", &out],
        &["plan", &store],
        &["query", &store],
        &["export", &store, "-o", &path("o.fgb")],
        &["extract", &archive, "-o", &out],
        &["convert", &archive, "-o", &out],
        &["preview", &archive, "-o", &path("o.png")],
    ];
    for command in commands {
        for (bbox, words) in [
            (&["--bbox", "0,5,1,5"][..], "has no area: south (5) must be below north (5)"),
            (&["--bbox", "0", "6", "1", "5"], "west, south, east, north, such as"),
            (&["--bbox", "35.2,138.6,35.5,138.9"], "latitude 138.6 is not within -90..90"),
            (&["--bbox", "0,0,400,1"], "longitude 400"),
            (&["--bbox", "nan,0,1,1"], "NaN"),
            (&["--bbox", "1,2,3"], "expected four numbers, found 3"),
            (&["--bbox", "1", "2", "3"], "expected four numbers, found 3"),
            (&["--bbox=1,2,3,4,5"], "found 5"),
            (&["--bbox", "a,b,c,d"], "expected four numbers: west"),
            (&["--bbox", "0,86,1,89"], "beyond the latitudes of Web Mercator"),
        ] {
            fails(2, &["--bbox", words], &[command, bbox].concat());
        }
    }
    std::fs::write(path("point.geojson"), r#"{"type":"Point","coordinates":[1,2]}"#).unwrap();
    std::fs::write(path("flat.geojson"), r#"{"type":"Polygon","coordinates":[[[1,2],[3,4],[1,2],[1,2]]]}"#).unwrap();
    std::fs::write(path("metres.geojson"), r#"{"type":"Polygon","crs":{"type":"name","properties":{"name":"EPSG:3857"}},"coordinates":[[[1,2],[3,2],[3,4],[1,2]]]}"#).unwrap();
    std::fs::copy(&store, path("binary.geojson")).unwrap();
    for command in commands.iter().filter(|c| !["query", "export", "preview"].contains(&c[0])) {
        for (file, words) in [
            ("point.geojson", "holds a Point, expected polygons"),
            ("flat.geojson", "no polygon with an area"),
            ("metres.geojson", "in the coordinate system EPSG:3857"),
            ("binary.geojson", "is not valid JSON"),
            ("none.geojson", "check the path"),
        ] {
            fails(1, &[file, words], &[*command, &["--clip", &path(file)]].concat());
        }
    }
    fails(2, &["latitude 139 is not within", "longitude, latitude"], &["query", &store, "--point", "34", "139"]);
    fails(2, &["latitude 139"], &["provenance", &store, "34,139"]);
    fails(2, &["no record lies in the area"], &["plan", &store, "--bbox", "5", "5", "4", "6", "--min-zoom", "5"]);
    let made: Vec<_> = names(folder.path()).into_iter().filter(|n| !n.ends_with(".geojson")).collect();
    assert!(made.is_empty(), "{made:?}");
    assert_eq!(verify(&Store::open(&store).unwrap()), []);
}
