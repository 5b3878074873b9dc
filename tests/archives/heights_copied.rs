//! Files of heights into files of heights: the same bytes as by way of images, and the sources of pixels are kept.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hypso::archive::heights::HeightsWriter;
use hypso::archive::{
    self, ArchiveKind, ArchiveMetadata, Located, LocatedTiles, OnOverlap, Selection, TileRun, TileSource, VerifyOptions,
};
use hypso::heights::{Description, HeightQueries, Heights, Packed, Writer};
use hypso::progress::Silent;
use hypso::terrain::{CodeTile, Encoding, ImageFormat, NO_SOURCE};
use hypso::tile::{Area, LonLatBox, TileCoord, TileId};

use crate::heights::{Tiles, convert, hills, metadata, read, write};

/// An archive that gives nothing but images, whatever it is.
struct Images(Box<dyn TileSource>);

impl TileSource for Images {
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn kind(&self) -> ArchiveKind {
        self.0.kind()
    }
    fn metadata(&self) -> &ArchiveMetadata {
        self.0.metadata()
    }
    fn tile(&self, tile: TileCoord) -> hypso::Result<Option<Vec<u8>>> {
        self.0.tile(tile)
    }
    fn tiles(&self) -> hypso::Result<LocatedTiles<'_>> {
        self.0.tiles()
    }
    fn tiles_of(&self, zoom: u8) -> hypso::Result<LocatedTiles<'_>> {
        self.0.tiles_of(zoom)
    }
    fn read(&self, tile: Located, into: &mut Vec<u8>) -> hypso::Result<()> {
        self.0.read(tile, into)
    }
    fn tile_count(&self) -> hypso::Result<u64> {
        self.0.tile_count()
    }
    fn runs(&self, visit: &mut dyn FnMut(TileRun) -> hypso::Result<()>) -> hypso::Result<()> {
        self.0.runs(visit)
    }
    fn facts(&self) -> hypso::Result<hypso::Json> {
        self.0.facts()
    }
}

/// Two files of heights: tiles in turn, some in both.
fn parts(folder: &Path, tiles: &Tiles, format: ImageFormat) -> [PathBuf; 2] {
    [(0, "a"), (1, "b")].map(|(n, name)| {
        let part = tiles.iter().enumerate().filter(|(i, _)| i % 2 == n || i % 11 == 3);
        let part: Tiles = part.map(|(_, (id, tile))| (*id, tile.clone())).collect();
        let [images, heights] = ["pmtiles", "heights"].map(|ending| folder.join(name).with_extension(ending));
        write(&images, &part, &metadata(Encoding::Terrarium, 64), format);
        convert(&images, &heights);
        heights
    })
}

#[test]
fn merged_and_cut_files_are_byte_by_byte_those_of_a_way_through_images() {
    for format in [ImageFormat::Webp, ImageFormat::Png] {
        let folder = tempfile::tempdir().unwrap();
        let tiles = hills(64, 11);
        let inputs = parts(folder.path(), &tiles, format);
        let mut outputs = Vec::new();
        for direct in [true, false] {
            let open = |path: &PathBuf| -> Box<dyn TileSource> {
                let source = archive::open(path).unwrap();
                if direct { source } else { Box::new(Images(source)) }
            };
            let opened = [open(&inputs[0]), open(&inputs[1])];
            let sources = [opened[0].as_ref(), opened[1].as_ref()];
            let path = |name: &str| folder.path().join(format!("{name}-{direct}.heights"));
            let said = archive::merged_metadata(&sources).unwrap();
            for (name, rule) in [("first", OnOverlap::First), ("last", OnOverlap::Last)] {
                let sink = archive::create(&path(name), &said, false).unwrap();
                let summary = archive::merge(&sources, sink, rule, &Silent).unwrap();
                assert_eq!(summary.tiles, tiles.len() as u64);
            }
            let sink = archive::create(&path("refused"), &said, false).unwrap();
            let refused = archive::merge(&sources, sink, OnOverlap::Error, &Silent).unwrap_err().to_string();
            assert!(refused.contains("is also in") && !path("refused").exists(), "{refused}");
            let area = Area::from(LonLatBox::new(120.0, 10.0, 150.0, 40.0).unwrap());
            let selection = Selection { min_zoom: Some(2), max_zoom: Some(5), zooms: None, area: Some(area) };
            let merged = open(&path("first"));
            let sink = archive::create(&path("part"), &selection.metadata(merged.as_ref()), false).unwrap();
            archive::convert(merged.as_ref(), sink, &selection, &Silent).unwrap();
            outputs.push(["first", "last", "part"].map(|name| std::fs::read(path(name)).unwrap()));
        }
        for (i, (direct, through)) in outputs[0].iter().zip(&outputs[1]).enumerate() {
            assert!(direct == through, "output {i} of {format:?}: {} and {} bytes", direct.len(), through.len());
        }
        assert!(read(&folder.path().join("first-true.heights")).0 == tiles);
    }
}

/// The source of a pixel of a tile in the file of a number.
fn source_of(n: usize, id: TileId, pixel: usize) -> u8 {
    if pixel.is_multiple_of(7) { NO_SOURCE } else { ((pixel / 64 + id.0 as usize + n) % 2) as u8 }
}

/// A file of one row of tiles at zoom 4, with sources unless it has no names.
fn with_sources(path: &Path, n: usize, names: &[&str]) {
    let out = std::fs::File::create(path).unwrap();
    let mut out = Writer::new(out, None, 64, Writer::TERRARIUM, !names.is_empty()).unwrap();
    let ids: BTreeSet<TileId> = (0..5).map(|x| TileCoord::new(4, x, n as u32).unwrap().into()).collect();
    for id in ids {
        let sources: Vec<u8> = (0..64 * 64).map(|pixel| source_of(n, id, pixel)).collect();
        let valid: Vec<u8> = sources.iter().map(|&source| u8::from(source != NO_SOURCE)).collect();
        let lineage = Packed::new(64, &sources.iter().map(|&s| s.into()).collect::<Vec<_>>(), &valid).unwrap();
        let heights = Packed::new(64, &[0x80_0000 + n as u32; 64 * 64], &[1; 64 * 64]).unwrap();
        out.put(id, &heights, Some(&lineage).filter(|_| !names.is_empty())).unwrap();
    }
    let metadata = r#"{"encoding":"terrarium","format":"webp"}"#.into();
    let sources = names.iter().map(|&name| name.to_owned()).collect();
    out.finish(&Description { metadata, sources, ..Description::default() }).unwrap();
}

#[test]
fn sources_are_kept_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let names: [&[&str]; 3] = [&["lidar", "survey"], &["survey", "satellite"], &[]];
    let paths = [0, 1, 2].map(|n| {
        let path = folder.path().join(format!("{n}.heights"));
        with_sources(&path, n, names[n]);
        path
    });
    let opened = paths.each_ref().map(|path| archive::open(path).unwrap());
    let inputs: Vec<&dyn TileSource> = opened.iter().map(AsRef::as_ref).collect();
    let path = folder.path().join("all.heights");
    let sink = archive::create(&path, &archive::merged_metadata(&inputs).unwrap(), false).unwrap();
    archive::merge(&inputs, sink, OnOverlap::Error, &Silent).unwrap();
    let heights = Heights::open(&path).unwrap();
    let united = HeightQueries::sources(&heights).unwrap();
    assert_eq!(united, ["lidar", "survey", "satellite"]);
    let mut found = Vec::new();
    for (n, x) in (0..3).flat_map(|n| (0..5).map(move |x| (n, x))) {
        let tile = TileCoord::new(4, x, n as u32).unwrap();
        assert!(heights.read_lineage(tile, &mut found).unwrap());
        for (pixel, &source) in found.iter().enumerate() {
            let is = source_of(n, tile.into(), pixel);
            let expected = if is == NO_SOURCE { None } else { names[n].get(usize::from(is)).copied() };
            assert_eq!(united.get(usize::from(source)).map(String::as_str), expected, "{tile} {pixel}");
        }
    }
    let report = archive::verify(&path, VerifyOptions::default(), &|_, _| Ok(()), &Silent).unwrap();
    assert_eq!(report.errors, 0, "{:?}", report.problems);
    // A copy of one file has its sources.
    let sink = archive::create(&folder.path().join("one.heights"), opened[1].metadata(), false).unwrap();
    archive::convert(opened[1].as_ref(), sink, &Selection::default(), &Silent).unwrap();
    let one = Heights::open(folder.path().join("one.heights")).unwrap();
    assert_eq!(HeightQueries::sources(&one).unwrap(), names[1]);
}

#[test]
fn more_sources_than_one_file_holds_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut opened = Vec::new();
    for n in 0..2 {
        let names: Vec<String> = (0..200).map(|i| format!("{n} {i}")).collect();
        let path = folder.path().join(format!("{n}.heights"));
        with_sources(&path, n, &names.iter().map(String::as_str).collect::<Vec<_>>());
        opened.push(archive::open(&path).unwrap());
    }
    let inputs: Vec<&dyn TileSource> = opened.iter().map(AsRef::as_ref).collect();
    let path = folder.path().join("all.heights");
    let sink = archive::create(&path, &archive::merged_metadata(&inputs).unwrap(), false).unwrap();
    let refused = archive::merge(&inputs, sink, OnOverlap::Error, &Silent).unwrap_err().to_string();
    assert!(refused.contains("255 sources") && !path.exists(), "{refused}");
}

#[test]
fn of_codes_under_voids_the_first_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut tile = CodeTile { size: 32, ..CodeTile::default() };
    for i in 0..32 * 32 {
        tile.codes.push(0x80_0000 + i * 3);
        tile.valid.push(u8::from(i % 5 != 2));
    }
    let id = TileId::from(TileCoord::new(3, 1, 1).unwrap());
    let [images, heights, back] = ["a.pmtiles", "a.heights", "b.pmtiles"].map(|name| folder.path().join(name));
    write(&images, &Tiles::from([(id, tile.clone())]), &metadata(Encoding::Terrarium, 32), ImageFormat::Png);
    convert(&images, &heights);
    convert(&heights, &back);
    let found = &read(&back).0[&id];
    assert_eq!(found.valid, tile.valid);
    for (i, (&code, &is)) in found.codes.iter().zip(&tile.codes).enumerate() {
        assert_eq!(code, if tile.valid[i] == 1 { is } else { tile.codes[2] }, "pixel {i}");
    }
}

#[test]
fn a_damaged_tile_is_named_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.heights");
    write(&folder.path().join("a.pmtiles"), &hills(64, 2), &metadata(Encoding::Terrarium, 64), ImageFormat::Webp);
    convert(&folder.path().join("a.pmtiles"), &path);
    let mut bytes = std::fs::read(&path).unwrap();
    let sections = hypso::format::Sections::parse(&bytes).unwrap();
    let entry = sections.entries().iter().find(|entry| entry.name() == "height.start").unwrap();
    let second = entry.offset() as usize + 8;
    bytes[second..second + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let source = archive::open(&path).unwrap();
    let to = folder.path().join("b.heights");
    let sink = HeightsWriter::create(&to, source.metadata(), false).unwrap();
    let error =
        archive::convert(source.as_ref(), Box::new(sink), &Selection::default(), &Silent).unwrap_err().to_string();
    assert!(error.contains("a.heights") && error.contains("tile ") && !to.exists(), "{error}");
}
