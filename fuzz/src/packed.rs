//! Zips of tiles, JPGIS as XML and in zips, and STAC-GeoParquet: mostly sound ones, altered, and all that is read of them.

use std::path::{Path, PathBuf};

use hypso::archive::{self, VerifyOptions};
use hypso::catalog::{Options as BuildOptions, SourceSpec, Survey};
use hypso::export::{self, Format};
use hypso::progress::Silent;
use hypso::raster::{Adjustment, Cells, Raster, Window, jpgis, members};
use hypso::store::{self, DataType, Parameters, RecordInput, SourceInput, Store};
use hypso::tile::{Bounds, TileCoord};

use crate::random::Random;

/// The kinds of files, by their extensions: tiles, one elevation model, a zip of such, a table of items.
const KINDS: [&str; 4] = ["zip", "xml", "models.zip", "parquet"];

/// Makes a file in a folder; which kind it is says its name.
pub fn make(random: &mut Random, folder: &Path, seeds: &[Vec<u8>]) -> PathBuf {
    let kind = KINDS[random.below(4) as usize];
    let mut bytes = match kind {
        "zip" => zip_of_tiles(random),
        "xml" => model(random),
        "parquet" => seeds[random.below(seeds.len() as u64) as usize].clone(),
        _ => zip_of_models(random),
    };
    // Of a model only its own text is altered above: most other bytes would make it no XML.
    let times = if kind == "xml" { [0, 1] } else { [1, 4] }[random.below(2) as usize];
    (0..times).for_each(|_| alter(random, &mut bytes, kind == "parquet"));
    let path = folder.join(format!("FG-GML-x-DEM5A.{kind}"));
    std::fs::write(&path, bytes).expect("a scratch file");
    path
}

/// Alters bytes: bits, numbers, pieces that are cut out or written over others. `end` alters the last part more often, where tables have
/// their footer.
fn alter(random: &mut Random, bytes: &mut Vec<u8>, end: bool) {
    let length = bytes.len() as u64;
    let from = if end && random.below(2) == 0 { length - random.below(length.min(6000)) } else { random.below(length) };
    let at = (from as usize).min(bytes.len().saturating_sub(9));
    match random.below(8) {
        _ if bytes.len() < 32 => {}
        0..=2 => bytes[at] ^= 1 << random.below(8),
        3 | 4 => bytes[at] = random.hostile(length) as u8,
        5 => {
            let size = [2, 4, 8][random.below(3) as usize];
            let number = random.hostile(length).to_le_bytes();
            bytes[at..at + size].copy_from_slice(&number[..size]);
        }
        6 => {
            let size = (random.below(64) as usize).min(bytes.len() - at);
            let to = random.below(length - size as u64) as usize;
            bytes.copy_within(at..at + size, to);
        }
        _ if random.below(4) == 0 => bytes.truncate(at),
        _ => drop(bytes.drain(at..at + 1 + random.below(8) as usize)),
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// A zip of files, stored or as a deflated block that is not packed.
fn zip(random: &mut Random, files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let deflated = random.below(2) == 0 && bytes.len() < 0xffff;
        let packed = if deflated {
            let size = bytes.len() as u16;
            [&[1][..], &size.to_le_bytes(), &(!size).to_le_bytes(), bytes].concat()
        } else {
            bytes.clone()
        };
        let method = if deflated { 8u16 } else { 0 };
        let mut common = [20u16, 0, method, 0, 0x21].map(u16::to_le_bytes).concat();
        let sizes = [crc32(bytes), packed.len() as u32, bytes.len() as u32];
        common.extend(sizes.map(u32::to_le_bytes).concat());
        common.extend([name.len() as u16, 0].map(u16::to_le_bytes).concat());
        directory.extend([&b"PK\x01\x02\x14\0"[..], &common, &[0; 10], &(out.len() as u32).to_le_bytes()].concat());
        directory.extend(name.as_bytes());
        out.extend([b"PK\x03\x04", &common[..], name.as_bytes(), &packed].concat());
    }
    let (start, count) = (out.len() as u32, (files.len() as u16).to_le_bytes());
    let size = directory.len() as u32;
    out.extend(directory);
    out.extend(
        [&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &size.to_le_bytes(), &start.to_le_bytes(), &[0, 0]].concat(),
    );
    out
}

fn zip_of_tiles(random: &mut Random) -> Vec<u8> {
    let mut files = Vec::new();
    if random.below(2) == 0 {
        files.push(("metadata.json".into(), br#"{"name":"fuzz","scheme":"xyz","minzoom":0}"#.to_vec()));
    }
    for _ in 0..random.below(30) {
        let z = random.below(6);
        let beyond = u64::from(random.below(40) == 0);
        let (x, y) = (random.below(1 << z), random.below((1 << z) + beyond));
        let ending = ["png", "webp", "PNG", "pbf"][random.below(20).min(3) as usize];
        let mut body = b"\x89PNG\r\n\x1a\n".to_vec();
        body.extend((0..random.below(40)).map(|_| random.next() as u8));
        files.push((format!("{z}/{x}/{y}.{ending}"), body));
    }
    zip(random, &files)
}

/// A model of some cells, in whose text numbers, tags and tuples may be others.
fn model(random: &mut Random) -> Vec<u8> {
    let tuple = |random: &mut Random| format!("地表面,{}.{:02}\n", random.below(4000), random.below(100));
    let list: String = (0..random.below(16)).map(|_| tuple(random)).collect();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Dataset xmlns:gml=\"http://www.opengis.net/gml/3.2\" \
         xmlns=\"http://fgd.gsi.go.jp/spec/2008/FGD_GMLSchema\"><DEM gml:id=\"DEM001\"><coverage>\
         <gml:Envelope srsName=\"fguuid:jgd2011.bl\"><gml:lowerCorner>35.0 138.0</gml:lowerCorner>\
         <gml:upperCorner>35.000166666667 138.000222222</gml:upperCorner></gml:Envelope>\
         <gml:low>0 0</gml:low><gml:high>3 2</gml:high><gml:tupleList>\n{list}</gml:tupleList>\
         <gml:sequenceRule order=\"+x-y\">Linear</gml:sequenceRule><gml:startPoint>{} 0</gml:startPoint></coverage></DEM></Dataset>",
        random.below(4)
    );
    let words = [
        "3 2",
        "0 0",
        "35.0",
        "138.000222222",
        "DEM",
        "tupleList",
        "+x-y",
        "地表面,",
        "jgd2011",
        ">",
        "</gml:high>",
        "<?xml",
    ];
    let others = [
        "-1",
        "9223372036854775807",
        "1e308",
        "NaN",
        "",
        "<",
        "&#0;",
        "\u{0}",
        "<DEM>",
        "4294967295 4294967295",
        "データなし,",
        "&a;",
    ];
    for _ in 0..[0, 1, 3][random.below(3) as usize] {
        let (word, other) = (words[random.below(12) as usize], others[random.below(12) as usize]);
        text = text.replacen(word, other, 1 + random.below(2) as usize);
    }
    text.into_bytes()
}

fn zip_of_models(random: &mut Random) -> Vec<u8> {
    let names = ["FG-GML-1-DEM5A-1.xml", "a/FG-GML-2-DEM10B-2.xml", "../FG-GML-3-DEM5A-3.xml", "x.tif"];
    let files = |random: &mut Random| -> Vec<(String, Vec<u8>)> {
        (0..1 + random.below(3)).map(|n| (names[(n + random.below(2)) as usize].into(), model(random))).collect()
    };
    let mut outer = files(random);
    if random.below(2) == 0 {
        let inside = files(random);
        let mut inner = zip(random, &inside);
        if random.below(2) == 0 {
            alter(random, &mut inner, false);
        }
        outer.push(("inner.zip".into(), inner));
    }
    zip(random, &outer)
}

/// Tables as they are exported, of few and of many records; and those in a folder, which others may have made.
pub fn tables(folder: &Path, more: Option<&str>) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for count in [1, 40, 3000] {
        let record = |n: usize| RecordInput {
            source: n % 2,
            path: format!("{n}/a.tif"),
            bounds: Bounds::new(n as f64, 0.0, n as f64 + 99.0, 99.0),
            pixel_size: 1.0,
            width: 99,
            height: 99,
            data_type: DataType::F32,
            nodata: (n % 3 == 0).then_some(-9999.0),
            file_size: n as u64,
            ..RecordInput::default()
        };
        let source = |name: &str| SourceInput { name: name.into(), root: folder.join(name), ..SourceInput::default() };
        let records: Vec<_> = (0..count).map(record).collect();
        let (store, table) = (folder.join("seed.hypso"), folder.join("seed.parquet"));
        let sources = ["a", "b"].map(source);
        let file = std::fs::File::create(&store).expect("a scratch file");
        store::write(file, &sources, &records, &Parameters::default()).expect("a seed");
        let options = export::Options { overwrite: true, ..export::Options::new(Format::StacGeoParquet) };
        export::export(&Store::open(&store).expect("a seed"), &table, &options, &Silent).expect("a seed");
        out.push(std::fs::read(&table).expect("a seed"));
    }
    for entry in more.and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten() {
        out.extend(std::fs::read(entry.path()).ok().filter(|bytes| bytes.starts_with(b"PAR1")));
    }
    out
}

/// Reads a file with all that reads its kind; true where there was something in it.
pub fn read(path: &Path) -> bool {
    let name = path.to_string_lossy();
    if name.ends_with(".parquet") {
        let spec = SourceSpec::parse(&name).expect("a file");
        return Survey::new(&[spec], &BuildOptions::default(), &Silent).is_ok();
    }
    if name.ends_with(".xml") {
        return cells_of(path);
    }
    if name.ends_with(".models.zip") {
        let found = members(path).unwrap_or_default();
        let sound = found.iter().filter(|member| member.problem.is_none());
        return sound.fold(false, |any, member| cells_of(&path.join(&member.name)) || any);
    }
    let check = |_: TileCoord, _: &[u8]| Ok(());
    let _ = archive::verify(path, VerifyOptions::default(), &check, &Silent);
    let Ok(reader) = archive::open(path) else { return false };
    let ids: Vec<_> = reader.ids().into_iter().flatten().take(1000).flatten().collect();
    ids.iter().filter_map(|id| id.coord()).for_each(|tile| drop(reader.tile(tile)));
    !ids.is_empty()
}

fn cells_of(path: &Path) -> bool {
    let Ok(mut model) = jpgis::open(path, None, &Adjustment::default()) else { return false };
    let (width, height) = (model.info().width as usize, model.info().height as usize);
    let mut cells = Cells::outside(Window { col: -1, row: -1, width: width.min(64) + 2, height: height.min(64) + 2 });
    model.read_into(&mut cells).is_ok()
}
