//! Files of heights: what goes in from an archive comes out of it, asked point by point or tile by tile.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::Random;
use hypso::archive::heights::{CachedHeights, HeightsWriter};
use hypso::archive::pmtiles::TileReader;
use hypso::archive::{self, ArchiveMetadata, Selection, Severity, TileEncoding, TileFormat, VerifyOptions};
use hypso::heights::{HeightQueries, Heights, Interpolation, Sampling, Sight, Spacing, Voids};
use hypso::progress::Silent;
use hypso::terrain::{self, CodeTile, Encoding, ImageFormat};
use hypso::tile::{Area, LonLat, LonLatBox, TileCoord, TileId};

pub(crate) type Tiles = BTreeMap<TileId, CodeTile>;

pub(crate) fn metadata(encoding: Encoding, size: u32) -> ArchiveMetadata {
    ArchiveMetadata {
        name: "hills".into(),
        attribution: "© nobody".into(),
        format: TileFormat::Webp,
        encoding: TileEncoding::from_name(&encoding.to_string()),
        tile_size: Some(size),
        other: BTreeMap::from([
            ("vertical_datum".to_owned(), "EGM2008".into()),
            ("sources".to_owned(), r#"["a","b"]"#.parse().unwrap()),
        ]),
        ..ArchiveMetadata::default()
    }
}

/// Slopes, noise, cliffs, voids and the sea, at zooms 0 to 6 around a place, with fine tiles beside coarse ones.
pub(crate) fn hills(size: u32, seed: u64) -> Tiles {
    let mut random = Random(seed);
    let mut tiles = Tiles::new();
    for z in 0..=6u8 {
        let centre = TileCoord::at(1.5e7, 4.2e6, z);
        for (dx, dy) in (0..3u32).flat_map(|dx| (0..3u32).map(move |dy| (dx, dy))) {
            let (x, y) = ((centre.x() + dx).wrapping_sub(1), (centre.y() + dy).wrapping_sub(1));
            let Some(tile) = TileCoord::new(z, x, y).filter(|_| z < 5 || dx + dy < 3) else { continue };
            tiles.insert(tile.into(), hill(tile, size, &mut random));
        }
    }
    tiles
}

fn hill(tile: TileCoord, size: u32, random: &mut Random) -> CodeTile {
    let kind = (tile.x() + 2 * tile.y() + u32::from(tile.z())) % 5;
    let shift = u32::from(9 - tile.z());
    let mut out = CodeTile { size, ..CodeTile::default() };
    for i in 0..size * size {
        let (x, y) = (i % size, i / size);
        let ground = 0x80_0000 + ((x * 37 + y * y / 5 + (random.next() % 16) as u32) << shift);
        let (code, valid) = match kind {
            0 => (0x80_0000, 1),
            1 if (x / 9 + y / 11).is_multiple_of(3) => (0x80_0000, 0),
            2 if x > size / 3 => (ground + (700 << shift), 1),
            _ => (ground, 1),
        };
        out.codes.push(code);
        out.valid.push(valid);
    }
    out
}

pub(crate) fn write(path: &Path, tiles: &Tiles, metadata: &ArchiveMetadata, format: ImageFormat) {
    let mut sink = archive::create_with(path, metadata, Default::default()).unwrap();
    for (id, tile) in tiles {
        sink.put(id.coord().unwrap(), &tile.encode(format).unwrap()).unwrap();
    }
    sink.finish().unwrap();
}

pub(crate) fn convert(from: &Path, to: &Path) -> archive::ArchiveSummary {
    let source = archive::open(from).unwrap();
    let sink = archive::create_with(to, source.metadata(), Default::default()).unwrap();
    archive::convert(source.as_ref(), sink, &Selection::default(), &Silent).unwrap()
}

pub(crate) fn read(path: &Path) -> (Tiles, ArchiveMetadata) {
    let source = archive::open(path).unwrap();
    let ids: Vec<TileId> = source.ids().unwrap().map(Result::unwrap).collect();
    let tile = |id: TileId| CodeTile::decode(&source.tile(id.coord().unwrap()).unwrap().unwrap()).unwrap();
    (ids.into_iter().map(|id| (id, tile(id))).collect(), source.metadata().clone())
}

/// A file of heights and the PMTiles it was made of.
fn made(folder: &Path, size: u32) -> (Tiles, PathBuf, PathBuf) {
    let (tiles, from, to) = (hills(size, 5), folder.join("a.pmtiles"), folder.join("a.heights"));
    write(&from, &tiles, &metadata(Encoding::Terrarium, size), ImageFormat::Webp);
    convert(&from, &to);
    (tiles, from, to)
}

#[test]
fn pixels_masks_and_metadata_come_back_from_every_format() {
    let cases = [
        ("a.pmtiles", Encoding::Terrarium, 64, ImageFormat::Webp),
        ("a.mbtiles", Encoding::Mapbox, 40, ImageFormat::Png),
        ("a", Encoding::Terrarium, 256, ImageFormat::Png),
    ];
    for (name, encoding, size, format) in cases {
        let folder = tempfile::tempdir().unwrap();
        let [from, heights, back] = [name, "a.heights", "b.pmtiles"].map(|name| folder.path().join(name));
        let tiles = hills(size, 3);
        let said = ArchiveMetadata {
            format: if format == ImageFormat::Png { TileFormat::Png } else { TileFormat::Webp },
            ..metadata(encoding, size)
        };
        write(&from, &tiles, &said, format);
        let summary = convert(&from, &heights);
        assert_eq!(summary.tiles, tiles.len() as u64);
        assert!(summary.contents < summary.tiles, "the sea is stored once");
        assert_eq!(summary.file_size, std::fs::metadata(&heights).unwrap().len());
        convert(&heights, &back);
        let (first, second, third) = (read(&from), read(&heights), read(&back));
        assert!(second.0 == tiles && third.0 == tiles, "{name}");
        for (_, found) in [second, third] {
            let kept = ArchiveMetadata { tile_compression: found.tile_compression, ..first.1.clone() };
            assert_eq!(ArchiveMetadata { other: found.other.clone(), ..kept }, found, "{name}");
            assert_eq!(found.other["vertical_datum"].as_str(), Some("EGM2008"));
        }
        let opened = Heights::open(&heights).unwrap();
        assert_eq!(opened.datum().unwrap().as_deref(), Some("EGM2008"));
        let report = archive::verify(&heights, VerifyOptions::default(), &|_, _| Ok(()), &Silent).unwrap();
        assert_eq!(report.errors, 0, "{:?}", report.problems);
    }
}

#[test]
fn a_file_of_heights_names_the_source_of_every_pixel() {
    let folder = tempfile::tempdir().unwrap();
    let (tiles, from, _) = made(folder.path(), 64);
    let sources_of = |id: TileId| -> Vec<u8> {
        let number = |i: u64| if i.is_multiple_of(9) { terrain::NO_SOURCE } else { ((i / 64 + id.0) % 3) as u8 };
        (0..64 * 64).map(number).collect()
    };
    let lineage = folder.path().join("a-lineage.pmtiles");
    let mut said = metadata(Encoding::Terrarium, 64);
    said.encoding = Some(TileEncoding::Lineage);
    said.other.insert("legend".into(), terrain::legend(&["lidar", "survey", "satellite"], false));
    let mut sink = archive::create(&lineage, &said, false).unwrap();
    // Not every tile has a lineage.
    let told: Vec<TileId> = tiles.keys().copied().filter(|id| id.0 % 4 != 1).collect();
    for id in &told {
        let image = terrain::encode_lineage(64, &sources_of(*id), ImageFormat::Png).unwrap();
        sink.put(id.coord().unwrap(), &image).unwrap();
    }
    sink.finish().unwrap();
    let (source, path) = (archive::open(&from).unwrap(), folder.path().join("b.heights"));
    let writer = HeightsWriter::create(&path, source.metadata(), false).unwrap();
    let sink = Box::new(writer.with_lineage(archive::open(&lineage).unwrap()).unwrap());
    archive::convert(source.as_ref(), sink, &Selection::default(), &Silent).unwrap();

    let heights = Heights::open(&path).unwrap();
    assert_eq!(HeightQueries::sources(&heights).unwrap(), ["lidar", "survey", "satellite"]);
    let mut found = Vec::new();
    for &id in tiles.keys() {
        assert!(heights.read_lineage(id.coord().unwrap(), &mut found).unwrap());
        let expected = if told.contains(&id) { sources_of(id) } else { vec![terrain::NO_SOURCE; 64 * 64] };
        assert!(found == expected, "{id:?}");
    }
    let mut named = 0;
    for point in places(500, 6) {
        let Some(height) = heights.sample(point, &Sampling::default()).unwrap() else { continue };
        let (x, y) = point.metres();
        let tile = TileCoord::at(x, y, height.zoom);
        let bounds = tile.bounds();
        let pixel = |metres: f64| (metres / bounds.width() * 64.0) as usize;
        let at = pixel(bounds.max_y - y) * 64 + pixel(x - bounds.min_x);
        let is = sources_of(tile.into())[at];
        let expected = (told.contains(&tile.into()) && is != terrain::NO_SOURCE).then_some(is);
        assert_eq!(height.source, expected, "{point:?}");
        named += usize::from(expected.is_some());
    }
    assert!(named > 50, "{named}");
    let report = archive::verify(&path, VerifyOptions::default(), &|_, _| Ok(()), &Silent).unwrap();
    assert_eq!(report.errors, 0, "{:?}", report.problems);
    let plain = HeightsWriter::create(&folder.path().join("c.heights"), source.metadata(), false).unwrap();
    assert!(plain.with_lineage(archive::open(&from).unwrap()).err().unwrap().to_string().contains("no legend"));
}

fn places(count: usize, seed: u64) -> Vec<LonLat> {
    let mut random = Random(seed);
    let mut between = |a: f64, b: f64| a + random.unit() * (b - a);
    (0..count).map(|_| LonLat::new(between(100.0, 180.0), between(0.0, 60.0)).unwrap()).collect()
}

#[test]
fn a_cache_over_pmtiles_gives_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (_, from, to) = made(folder.path(), 64);
    let mapped = Heights::open(&to).unwrap();
    // Room for a few tiles, so that some are decoded again.
    let cached = CachedHeights::new(TileReader::open(&from).unwrap(), 100 << 10).unwrap();
    assert_eq!((cached.datum().unwrap(), cached.shape().size), (mapped.datum().unwrap(), 64));
    let both: [&dyn HeightQueries; 2] = [&mapped, &cached];
    let (points, mut found) = (places(3000, 1), [Vec::new(), Vec::new()]);
    for how in [
        Sampling::default(),
        Sampling::default().interpolation(Interpolation::Nearest),
        Sampling::default().voids(Voids::FillFromCoarser).up_to_zoom(5),
    ] {
        for (heights, found) in both.iter().zip(&mut found) {
            heights.at_many(&points, &how, found).unwrap();
        }
        assert!(found[0] == found[1], "{how:?}");
        // Coarse tiles have a height everywhere here.
        let filled = how == Sampling::default().voids(Voids::FillFromCoarser).up_to_zoom(5);
        assert!(found[0].iter().any(Option::is_some) && found[0].iter().any(Option::is_none) != filled, "{how:?}");
    }
    let area = Area::from(LonLatBox::new(110.0, 10.0, 160.0, 50.0).unwrap());
    let line = [points[0], points[1], points[2]];
    let how = Sampling::default();
    let answers = both.map(|heights| {
        (
            heights.statistics(&area, None).unwrap(),
            heights.range(&area, Some(5)).unwrap(),
            heights.along(&line, Spacing::Count(500), &how).unwrap(),
            points
                .windows(2)
                .take(40)
                .map(|p| heights.sees(&Sight::new(p[0], p[1]), &how).unwrap())
                .collect::<Vec<_>>(),
            heights.tile(TileCoord::at(1.5e7, 4.2e6, 6)).unwrap(),
        )
    });
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn what_is_no_terrain_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.heights");
    let refused = |metadata: &ArchiveMetadata, tiles: &[(u8, Vec<u8>)]| -> String {
        let mut sink = match archive::create(&out, metadata, false) {
            Ok(sink) => sink,
            Err(error) => return error.to_string(),
        };
        for (zoom, bytes) in tiles {
            if let Err(error) = sink.put(TileCoord::new(*zoom, 0, 0).unwrap(), bytes) {
                return error.to_string();
            }
        }
        sink.finish().unwrap_err().to_string()
    };
    let good = metadata(Encoding::Terrarium, 64);
    let tile = |size| hill(TileCoord::new(3, 1, 1).unwrap(), size, &mut Random(1)).encode(ImageFormat::Png).unwrap();
    let none = ArchiveMetadata { encoding: None, ..good.clone() };
    assert!(refused(&none, &[]).contains("terrarium`, or mapbox"));
    let photo = ArchiveMetadata { encoding: TileEncoding::from_name("lineage"), ..good.clone() };
    assert!(refused(&photo, &[]).contains("none of heights"));
    let message = refused(&good, &[(0, tile(64)), (1, tile(64)), (2, tile(32))]);
    assert!(message.contains("tile 2/0/0: has 32 pixels a side, but tile 0/0/0 has 64"), "{message}");
    let message = refused(&good, &[(0, tile(64)), (1, b"a vector tile".to_vec())]);
    assert!(message.contains("tile 1/0/0: is neither WebP nor PNG"), "{message}");
    let message = refused(&good, &[(1, tile(64)), (0, tile(64))]);
    assert!(message.contains("tile 0/0/0: comes after"), "{message}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn verify_finds_what_was_altered_in_a_file_of_heights() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, path) = made(folder.path(), 64);
    let whole = std::fs::read(&path).unwrap();
    let mut random = Random(4);
    for _ in 0..40 {
        let mut altered = whole.clone();
        let at = random.next() as usize % altered.len();
        altered[at] ^= 1 << (random.next() % 8);
        std::fs::write(&path, &altered).unwrap();
        let report = archive::verify(&path, VerifyOptions::default(), &|_, _| Ok(()), &Silent).unwrap();
        // Bytes between sections mean nothing.
        let heights = Heights::from_bytes(whole.clone()).unwrap();
        let counts = at < 128 || {
            use hypso::container::Schema as _;
            let sections = heights.container().sections();
            let table = 128 + sections.entries().len() * 64;
            at < table
                || sections.entries().iter().any(|e| (e.offset()..e.offset() + e.length()).contains(&(at as u64)))
        };
        assert_eq!(report.problems.iter().any(|p| p.severity == Severity::Error), counts, "byte {at}");
    }
}

/// A Python with NumPy; `None` where there is none. Missing under CI is a failure.
fn python() -> Option<PathBuf> {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    let python = if kept.exists() { kept } else { "python3".into() };
    let found = Command::new(&python).args(["-c", "import numpy"]).output();
    if found.as_ref().is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    assert!(std::env::var_os("CI").is_none(), "CI is set, but {} can't import numpy", python.display());
    println!("skipped: {} can't import numpy", python.display());
    None
}

#[test]
fn a_reader_written_from_the_document_sees_the_same() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (tiles, _, path) = made(folder.path(), 40);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/read_heights.py");
    let run = |arguments: &[&str], input: &str| -> String {
        let mut child = Command::new(&python)
            .arg(&script)
            .arg(&path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    for (id, tile) in tiles.iter().step_by(9) {
        let text = run(&["--pixels", &id.coord().unwrap().to_string()], "");
        let rows: Vec<Vec<Option<u32>>> = serde_json::from_str(&text).unwrap();
        let expected = tile.codes.iter().zip(&tile.valid).map(|(&code, &valid)| (valid == 1).then_some(code));
        assert!(rows.into_iter().flatten().eq(expected), "{id:?}");
    }
    let points = places(400, 9);
    let lines: String = points.iter().map(|p| format!("{},{}\n", p.lon(), p.lat())).collect();
    let heights = Heights::open(&path).unwrap();
    let found = run(&["--points"], &lines);
    assert_eq!(found.lines().count(), points.len());
    for (line, point) in found.lines().zip(&points) {
        let (theirs, ours): (Option<f64>, _) =
            (serde_json::from_str(line).unwrap(), heights.sample(*point, &Sampling::default()).unwrap());
        match (theirs, ours) {
            (Some(a), Some(b)) => assert!((a - b.metres).abs() < 1e-6, "{point:?}: {a} {b:?}"),
            (a, b) => assert_eq!((a, b), (None, None), "{point:?}"),
        }
    }
}
