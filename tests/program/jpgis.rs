//! Elevation models of GSI (JPGIS) as they are downloaded: XML files, zips of them, and zips of zips.

use crate::common;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::Path;

use crate::program::{fails, ok, scratch, tiles};
use hypso::Store;
use hypso::raster::gdal::write_geotiff;
use hypso::raster::{
    Adjustment, Cells, GeoTiffCompression, GeoTiffSpec, GeoTiffType, GeoTransform, RasterOpener, Window,
};
use hypso::render::GdalOpener;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const WIDTH: usize = 225;
const HEIGHT: usize = 150;
const NODATA: f32 = -9999.0;

/// A mesh of 5 m: 0.2 seconds, some kilometres west of Mount Fuji.
struct Mesh {
    /// Meshes east of the first one.
    east: usize,
    /// The cell of the first tuple, and how many there are.
    start: usize,
    count: usize,
    /// Metres added to all heights.
    raise: f32,
}

impl Mesh {
    fn corners(&self) -> [f64; 4] {
        let west = 138.6 + self.east as f64 * 0.0125;
        [west, 35.35, west + 0.0125, 35.358333333]
    }

    fn name(&self) -> String {
        format!("FG-GML-5338-05-0{}-DEM5A-20161001", self.east)
    }

    /// The cells: a slope with a hole, without what lies before the start and behind the end of the list.
    fn cells(&self) -> Vec<f32> {
        let height = |cell: usize| {
            let (x, y) = ((self.east * WIDTH + cell % WIDTH) as f32, (cell / WIDTH) as f32);
            let hole = (40..60).contains(&(cell / WIDTH)) && (100..130).contains(&(cell % WIDTH));
            let height = 900.0 + self.raise + x * 1.25 - y * 0.75 + (x * 0.1).sin() * 20.0;
            let listed = cell >= self.start && cell < self.start + self.count;
            if hole || !listed { NODATA } else { (height * 100.0).round() / 100.0 }
        };
        (0..WIDTH * HEIGHT).map(height).collect()
    }

    fn xml(&self) -> Vec<u8> {
        let [west, south, east, north] = self.corners();
        let mut list = String::new();
        for cell in &self.cells()[self.start..self.start + self.count] {
            match *cell {
                NODATA => list += "データなし,-9999.\r\n",
                height => write!(list, "地表面,{height:.2}\r\n").unwrap(),
            }
        }
        let (x, y) = (self.start % WIDTH, self.start / WIDTH);
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<Dataset xmlns:gml=\"http://www.opengis.net/gml/3.2\" \
             xmlns=\"http://fgd.gsi.go.jp/spec/2008/FGD_GMLSchema\"><DEM gml:id=\"DEM001\"><mesh>53380500</mesh><coverage>\
             <gml:boundedBy><gml:Envelope srsName=\"fguuid:jgd2011.bl\"><gml:lowerCorner>{south} {west}</gml:lowerCorner>\
             <gml:upperCorner>{north} {east}</gml:upperCorner></gml:Envelope></gml:boundedBy><gml:gridDomain><gml:Grid><gml:limits>\
             <gml:GridEnvelope><gml:low>0 0</gml:low><gml:high>224 149</gml:high></gml:GridEnvelope></gml:limits></gml:Grid>\
             </gml:gridDomain><gml:rangeSet><gml:DataBlock>\r\n<gml:tupleList>\r\n{list}</gml:tupleList></gml:DataBlock></gml:rangeSet>\
             <gml:coverageFunction><gml:GridFunction><gml:sequenceRule order=\"+x-y\">Linear</gml:sequenceRule>\
             <gml:startPoint>{x} {y}</gml:startPoint></gml:GridFunction></gml:coverageFunction></coverage></DEM></Dataset>"
        )
        .into_bytes()
    }

    /// The same heights as a GeoTIFF.
    fn tif(&self, folder: &str) {
        let [west, south, east, north] = self.corners();
        let (across, down) = ((east - west) / WIDTH as f64, (north - south) / HEIGHT as f64);
        let spec = GeoTiffSpec {
            width: WIDTH as u32,
            height: HEIGHT as u32,
            transform: GeoTransform::north_up(west, north, across, down),
            crs: "EPSG:6668".into(),
            data_type: GeoTiffType::F32,
            nodata: Some(f64::from(NODATA)),
            tiled: None,
            compress: GeoTiffCompression::Deflate,
        };
        write_geotiff(format!("{folder}/{}.tif", self.name()), &spec, &self.cells()).unwrap();
    }
}

/// Three meshes side by side: a whole one, one whose list begins late, one whose list ends early.
fn meshes() -> [Mesh; 3] {
    let all = WIDTH * HEIGHT;
    [(0, all), (20_000, all - 20_000), (10, 5_000)]
        .into_iter()
        .enumerate()
        .map(|(east, (start, count))| Mesh { east, start, count, raise: 0.0 })
        .collect::<Vec<_>>()
        .try_into()
        .unwrap_or_else(|_| panic!("three"))
}

fn zipped(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn member(mesh: &Mesh) -> (String, Vec<u8>) {
    (format!("{}.xml", mesh.name()), mesh.xml())
}

/// A download folder: a zip with metadata beside the heights, a zip of a zip, an unpacked file.
fn download(folder: &str) {
    let [a, b, c] = meshes();
    std::fs::create_dir(folder).unwrap();
    let metadata = ("fmdid15-3101.xml".to_string(), b"<MD_Metadata/>".to_vec());
    std::fs::write(format!("{folder}/FG-GML-5338-05-DEM5A.zip"), zipped(&[member(&a), metadata])).unwrap();
    let inner = zipped(&[(format!("x/{}", member(&b).0), member(&b).1)]);
    std::fs::write(format!("{folder}/PackDLMap.zip"), zipped(&[("FG-GML-5338-05-DEM5A.zip".into(), inner)])).unwrap();
    let (name, bytes) = member(&c);
    std::fs::write(format!("{folder}/{name}"), bytes).unwrap();
}

fn geotiffs(folder: &str) {
    std::fs::create_dir(folder).unwrap();
    meshes().iter().for_each(|mesh| mesh.tif(folder));
}

#[test]
fn tiles_of_a_download_folder_are_those_of_the_same_heights_in_geotiffs() {
    let (_folder, path) = scratch();
    download(&path("DEM5A"));
    geotiffs(&path("tif"));
    ok(&["build", &path("DEM5A"), "-o", &path("a.hypso")]);
    ok(&["tiles", &path("DEM5A"), "-o", &path("a.pmtiles"), "--blend", "30", "--fill-gaps", "4"]);
    ok(&["tiles", &path("tif"), "-o", &path("b.pmtiles"), "--blend", "30", "--fill-gaps", "4"]);
    let (a, b) = (tiles(path("a.pmtiles")), tiles(path("b.pmtiles")));
    assert!(a.len() > 10, "{}", a.len());
    assert!(a == b, "{} and {} tiles", a.len(), b.len());
    let store = Store::open(path("a.hypso")).unwrap();
    let paths: Vec<String> = store.records().iter().map(|r| r.path().unwrap().into_owned()).collect();
    let [first, second, third] = meshes().map(|mesh| mesh.name());
    let mut expected = [
        format!("FG-GML-5338-05-DEM5A.zip/{first}.xml"),
        format!("PackDLMap.zip/FG-GML-5338-05-DEM5A.zip/x/{second}.xml"),
        format!("{third}.xml"),
    ];
    expected.sort();
    assert_eq!(paths.len(), 3);
    assert!(expected.iter().all(|name| paths.contains(name)), "{paths:?}");
    assert!(store.records().iter().all(|r| r.crs().unwrap() == "EPSG:6668" && r.nodata() == Some(-9999.0)));
    // What else names rasters knows the members.
    let said = ok(&["verify", &path("a.pmtiles"), "--against", &path("a.hypso")]);
    assert!(!said.contains("warning"), "{said}");
    ok(&["export", &path("a.hypso"), "-o", &path("a.fgb")]);
    ok(&["build", &path("a.fgb"), "-o", &path("again.hypso")]);
    assert!(std::fs::read(path("again.hypso")).unwrap() == std::fs::read(path("a.hypso")).unwrap());
    // One file, and a pattern, as sources.
    for (source, records) in [("FG-GML-5338-05-DEM5A.zip", 1), ("PackDLMap.zip", 1), ("*.zip", 2), ("*", 3)] {
        ok(&["build", &path(&format!("DEM5A/{source}")), "-o", &path("part.hypso"), "--overwrite"]);
        assert_eq!(Store::open(path("part.hypso")).unwrap().len(), records, "{source}");
    }
}

#[test]
fn a_changed_zip_is_read_again_and_only_its_tiles_are_made_anew() {
    let (_folder, path) = scratch();
    download(&path("DEM5A"));
    let (store, output) = (path("a.hypso"), path("a.pmtiles"));
    ok(&["build", &path("DEM5A"), "-o", &store]);
    ok(&["aggregate", &store, "-o", &output]);
    let before = tiles(&output);
    let zip = path("DEM5A/FG-GML-5338-05-DEM5A.zip");
    let raised = Mesh { raise: 50.0, ..meshes().into_iter().next().unwrap() };
    std::fs::write(&zip, zipped(&[member(&raised)])).unwrap();
    // A store that is older than the zip says so.
    fails(1, &["FG-GML-5338-05-DEM5A.zip", "changed"], &["aggregate", &store, "-o", &path("stale.pmtiles")]);
    let said = ok(&["build", "--update", &path("DEM5A"), "-o", &store]);
    assert!(said.contains("2 unchanged") || said.contains("2 of 3"), "{said}");
    ok(&["aggregate", "--update", &store, "-o", &output]);
    ok(&["aggregate", &store, "-o", &path("anew.pmtiles")]);
    let after = tiles(&output);
    assert!(after == tiles(path("anew.pmtiles")), "an update gives what a new run gives");
    let same = after.iter().filter(|(tile, bytes)| before.get(tile) == Some(bytes)).count();
    assert!(same > 0 && same < after.len(), "{same} of {}", after.len());
    // A zip that is gone is missed by its name.
    std::fs::remove_file(&zip).unwrap();
    fails(1, &["FG-GML-5338-05-DEM5A.zip"], &["aggregate", &store, "-o", &path("gone.pmtiles")]);
}

#[test]
fn shards_name_the_zip_that_a_machine_needs() {
    let (_folder, path) = scratch();
    download(&path("DEM5A"));
    let (store, plan) = (path("a.hypso"), path("p.plan"));
    ok(&["build", &path("DEM5A"), "-o", &store]);
    ok(&["plan", &store, "-o", &path("a.pmtiles"), "--shards", "2", "--export", &plan]);
    let lines = std::fs::read_to_string(format!("{plan}/shards.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rasters = lines.iter().flat_map(|line| line["rasters"].as_array().unwrap());
    let names: Vec<&str> = rasters.map(|raster| raster["path"].as_str().unwrap()).collect();
    let zips = names.iter().filter(|name| name.ends_with("DEM5A/PackDLMap.zip")).count();
    assert!(zips > 0 && names.iter().all(|name| Path::new(name).is_file()), "{names:?}");
    for shard in ["0", "1"] {
        ok(&["work", "--plan", &plan, "--shard", shard]);
    }
    ok(&["aggregate", &store, "-o", &path("b.pmtiles")]);
}

#[test]
fn what_cant_be_read_is_named_with_zip_and_member() {
    let (_folder, path) = scratch();
    download(&path("d"));
    let [mesh, ..] = meshes();
    let (name, bytes) = member(&mesh);
    let cut = bytes[..bytes.len() - 3_000].to_vec();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let huge = text.replace("224 149", "99999 99999").into_bytes();
    let word = text.replacen("地表面,9", "地表面,x", 1).into_bytes();
    let mut locked = zipped(&[(name.clone(), bytes.clone())]);
    let directory = locked.windows(4).position(|part| part == b"PK\x01\x02").unwrap();
    locked[6] |= 1;
    locked[directory + 8] |= 1;
    for (zip, content) in [
        ("cut.zip", zipped(&[(name.clone(), cut)])),
        ("huge.zip", zipped(&[(name.clone(), huge)])),
        ("word.zip", zipped(&[(name.clone(), word)])),
        ("locked.zip", locked),
        ("rasters.zip", zipped(&[("a/b.tif".into(), vec![0; 10])])),
        ("both.zip", zipped(&[(name.clone(), bytes), ("c.tif".into(), vec![0; 10])])),
        ("texts.zip", zipped(&[("read.me".into(), vec![0; 10])])),
        ("none.zip", b"no zip".to_vec()),
    ] {
        std::fs::write(path(&format!("d/{zip}")), content).unwrap();
    }
    let build = ["build", &path("d"), "-o", &path("d.hypso")];
    fails(1, &["8 of 12 files"], &[&build[..], &["--on-error", "fail"]].concat());
    let said = ok(&[&build[..], &["--on-error", "skip"]].concat());
    for (file, words) in [
        (format!("cut.zip/{name}"), "is no whole XML document"),
        (format!("huge.zip/{name}"), "to 99999 99999 (high)"),
        (format!("word.zip/{name}"), "its tuple 1 is"),
        (format!("locked.zip/{name}"), "is encrypted; unpack the zip with its password"),
        ("rasters.zip".into(), "rasters in it are not read (1), such as a/b.tif"),
        ("both.zip".into(), "such as c.tif"),
        ("texts.zip".into(), "archive"),
        ("none.zip".into(), "can't be unpacked"),
    ] {
        let line = said.lines().find(|line| line.contains(&file)).unwrap_or_else(|| panic!("{file}: {said}"));
        assert!(line.contains(words), "{line}");
    }
    // No output takes the place of a zip that is read.
    fails(2, &["is an input as well"], &["build", &path("d"), "-o", &path("d/PackDLMap.zip"), "--overwrite"]);
    assert!(std::fs::read(path("d/PackDLMap.zip")).unwrap().starts_with(b"PK"));
}

/// All cells of a raster.
fn cells(path: &Path) -> Cells {
    let mut raster = GdalOpener.open(path, None, &Adjustment::default()).unwrap();
    let (width, height) = (raster.info().width, raster.info().height);
    assert_eq!((raster.info().crs.as_str(), width, height), ("EPSG:6668", 225, 150), "{}", path.display());
    let mut cells = Cells::outside(Window { col: 0, row: 0, width: 225, height: 150 });
    raster.read_into(&mut cells).unwrap();
    cells
}

#[test]
fn every_cell_of_real_meshes_is_that_of_their_geotiffs() {
    let Some(dem) = common::shared("dem") else { return };
    let zip = dem.join("taketomi/gsi-dem5b/FG-GML-3624-30-DEM5B.zip");
    let members = hypso::raster::members(&zip).unwrap();
    assert_eq!(members.len(), 8);
    let pairs =
        members.iter().map(|member| (zip.join(&member.name), zip.with_file_name(member.name.replace(".xml", ".tif"))));
    let fuji = dem.join("fuji/gsi-dem5a/FG-GML-5238-74-00-DEM5A-20161001.xml");
    let mut valid = 0;
    for (xml, tif) in pairs.chain([(fuji.clone(), fuji.with_extension("tif"))]) {
        let (a, b) = (cells(&xml), cells(&tif));
        assert_eq!((a.state.len(), &a.state), (33_750, &b.state), "{}", xml.display());
        assert!(a.values.iter().zip(&b.values).all(|(a, b)| a.to_bits() == b.to_bits()), "{}", xml.display());
        let open = |path: &Path| GdalOpener.open(path, None, &Adjustment::default()).unwrap();
        let (ours, theirs) = (open(&xml).info().clone(), open(&tif).info().clone());
        assert!(hypso::raster::shares_lattice(&ours, &theirs), "{:?} {:?}", ours.transform, theirs.transform);
        assert_eq!((ours.turn, ours.limits, ours.nodata), (theirs.turn, theirs.limits, theirs.nodata));
        valid += a.state.iter().filter(|&&state| state == 1).count();
    }
    assert!(valid > 160_000, "{valid}");
}
