//! What a raster holds, whatever way it says so: units, signs, bands, colours, further files; and what is no raster of heights.
//! Every test goes through the real program.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::program::{fails, gdal, hypso, ok, printed, run, scratch, stderr, tiles};
use hypso::raster::GeoTransform;
use hypso::raster::gdal::write_geotiff;
use hypso::raster::{GeoTiffCompression, GeoTiffSpec, GeoTiffType};
use serde_json::Value;

/// Cells a side of all rasters here.
const SIDE: u32 = 64;
/// A point inside of them, and one in their western part.
const POINT: &str = "138.05,35.95";
const WEST: &str = "138.01,35.95";

/// A GeoTIFF at 138 36 with cells of 0.0015 degrees: `west` in its western third, else `east`.
fn tif(path: &str, data_type: GeoTiffType, west: f32, east: f32) {
    let spec = GeoTiffSpec {
        width: SIDE,
        height: SIDE,
        transform: GeoTransform::north_up(138.0, 36.0, 0.0015, 0.0015),
        crs: "EPSG:4326".into(),
        data_type,
        nodata: None,
        tiled: None,
        compress: GeoTiffCompression::None,
    };
    let cells: Vec<f32> = (0..SIDE * SIDE).map(|i| if i % SIDE < SIDE / 3 { west } else { east }).collect();
    std::fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
    write_geotiff(path, &spec, &cells).unwrap();
}

/// A VRT of the same place with these bands.
fn vrt(path: &str, crs: &str, bands: &[String]) {
    let text = format!(
        "<VRTDataset rasterXSize=\"{SIDE}\" rasterYSize=\"{SIDE}\"><SRS>{crs}</SRS>\
         <GeoTransform>138, 0.0015, 0, 36, 0, -0.0015</GeoTransform>{}</VRTDataset>",
        bands.concat()
    );
    std::fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A band that shows the first band of a file beside the VRT.
fn band(number: u32, kind: &str, source: &str, inner: &str) -> String {
    format!(
        "<VRTRasterBand dataType=\"{kind}\" band=\"{number}\">{inner}<SimpleSource><SourceFilename relativeToVRT=\"1\">{source}\
         </SourceFilename><SourceBand>1</SourceBand><SrcRect xOff=\"0\" yOff=\"0\" xSize=\"{SIDE}\" ySize=\"{SIDE}\"/>\
         <DstRect xOff=\"0\" yOff=\"0\" xSize=\"{SIDE}\" ySize=\"{SIDE}\"/></SimpleSource></VRTRasterBand>"
    )
}

/// A band whose bytes lie in a file beside the VRT.
fn raw(source: &str, inner: &str) -> String {
    format!(
        "<VRTRasterBand dataType=\"Byte\" band=\"1\" subClass=\"VRTRawRasterBand\">{inner}<SourceFilename relativetoVRT=\"1\">{source}\
         </SourceFilename><ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset><LineOffset>{SIDE}</LineOffset></VRTRasterBand>"
    )
}

const SIGNED: &str = "<Metadata domain=\"IMAGE_STRUCTURE\"><MDI key=\"PIXELTYPE\">SIGNEDBYTE</MDI></Metadata>";

/// The height that the first record of a store gives a point.
fn height(store: &str, point: &str) -> Option<f64> {
    let text = printed(&["provenance", store, point, "--format", "json"]);
    let value: Value = serde_json::from_str(&text).unwrap();
    value["candidates"][0]["height"].as_f64()
}

/// Builds a store from one place and gives the height at a point.
fn built(path: &impl Fn(&str) -> String, place: &str, point: &str) -> f64 {
    let store = path("built.hypso");
    ok(&["build", "-o", &store, "--overwrite", place]);
    height(&store, point).unwrap()
}

fn close(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() < 0.01
}

#[test]
fn feet_become_metres_wherever_they_are_said() {
    let (_folder, path) = scratch();
    let aux = |name: &str, inner: &str| {
        let text = format!("<PAMDataset>{inner}</PAMDataset>");
        std::fs::write(path(&format!("{name}.aux.xml")), text).unwrap();
    };
    let unit = |name: &str| format!("<PAMRasterBand band=\"1\"><UnitType>{name}</UnitType></PAMRasterBand>");
    for (name, said, metres) in [
        ("foot", "foot", 914.4),
        ("survey", "US survey foot", 3000.0 * 1200.0 / 3937.0),
        ("us-ft", "us-ft", 3000.0 * 1200.0 / 3937.0),
        ("cm", "cm", 30.0),
        ("metre", "metres", 3000.0),
        ("unknown", "unknown", 3000.0),
    ] {
        let file = format!("{name}/a.tif");
        tif(&path(&file), GeoTiffType::I16, 0.0, 3000.0);
        aux(&file, &unit(said));
        assert!(close(built(&path, &path(name), POINT), metres), "{name}");
        // A VRT that does not say it, as gdalbuildvrt makes them, and one of that.
        vrt(&path(&format!("{name}-vrt/a.vrt")), "EPSG:4326", &[band(1, "Int16", &format!("../{file}"), "")]);
        vrt(
            &path(&format!("{name}-two/a.vrt")),
            "EPSG:4326",
            &[band(1, "Float32", &format!("../{name}-vrt/a.vrt"), "")],
        );
        assert!(close(built(&path, &path(&format!("{name}-vrt")), POINT), metres), "{name}, VRT");
        assert!(close(built(&path, &path(&format!("{name}-two")), POINT), metres), "{name}, VRT of a VRT");
    }
    // The vertical axis of the CRS; what the band says goes before it.
    let compound = "COMPD_CS[\"c\",GEOGCS[\"WGS 84\",DATUM[\"WGS_1984\",SPHEROID[\"WGS 84\",6378137,298.257223563]],\
        PRIMEM[\"Greenwich\",0],UNIT[\"degree\",0.0174532925199433]],VERT_CS[\"v\",VERT_DATUM[\"d\",2005],\
        UNIT[\"foot\",0.3048],AXIS[\"Up\",UP]]]"
        .replace('"', "&quot;");
    tif(&path("plain/a.tif"), GeoTiffType::F32, 0.0, 3000.0);
    vrt(&path("axis/a.vrt"), &compound, &[band(1, "Float32", "../plain/a.tif", "")]);
    vrt(&path("both/a.vrt"), &compound, &[band(1, "Float32", "../plain/a.tif", "<UnitType>m</UnitType>")]);
    assert!(close(built(&path, &path("axis"), POINT), 914.4));
    assert!(close(built(&path, &path("both"), POINT), 3000.0));
    // Scale and offset of the band are in its unit.
    let scaled = "<UnitType>ft</UnitType><Offset>100</Offset><Scale>0.1</Scale>";
    vrt(&path("scaled/a.vrt"), "EPSG:4326", &[band(1, "Float32", "../plain/a.tif", scaled)]);
    assert!(close(built(&path, &path("scaled"), POINT), 400.0 * 0.3048));
    let said = ok(&["build", "-o", &path("said.hypso"), &path("foot")]);
    assert!(said.contains("heights in 1 file are foot, and converted to metres"), "{said}");
    // Sources of different units have none.
    let both = band(1, "Int16", "../foot/a.tif", "").replace("</VRTRasterBand>", "")
        + band(1, "Int16", "../metre/a.tif", "").split_once('>').unwrap().1;
    vrt(&path("mixed/a.vrt"), "EPSG:4326", &[both]);
    fails(1, &["a.vrt", "different units"], &["build", "-o", &path("x.hypso"), &path("mixed")]);
    std::fs::write(path("mixed/hypso.toml"), "[[source]]\npath = \".\"\nunit = \"m\"\n").unwrap();
    assert!(close(built(&path, &path("mixed"), POINT), 3000.0));
    // What is no length is refused by name.
    for no_length in ["degree", "K", "m/s", "percent"] {
        aux("metre/a.tif", &unit(no_length));
        fails(1, &["a.tif", no_length, "no length", "unit"], &["build", "-o", &path("x.hypso"), &path("metre")]);
    }
}

#[test]
fn what_the_user_says_of_unit_scale_and_band_goes_before_the_file() {
    let (_folder, path) = scratch();
    tif(&path("dem/a.tif"), GeoTiffType::F32, 0.0, 3000.0);
    let config = |inner: &str| {
        std::fs::write(path("hypso.toml"), format!("[[source]]\nname = \"dem\"\npath = \"dem\"\n{inner}")).unwrap();
    };
    config("unit = \"ft\"\nscale = 0.5\noffset = 7\n");
    ok(&["build", "-o", &path("s.hypso"), "--config", &path("hypso.toml")]);
    let metres = 3000.0 * 0.5 * 0.3048 + 7.0;
    assert!(close(height(&path("s.hypso"), POINT).unwrap(), metres));
    // Through every index and back, to the same bytes.
    let original = std::fs::read(path("s.hypso")).unwrap();
    for name in ["i.fgb", "i.gti.gpkg"] {
        ok(&["export", &path("s.hypso"), "-o", &path(name)]);
        ok(&["build", "-o", &path("again.hypso"), "--overwrite", &path(name)]);
        assert!(std::fs::read(path("again.hypso")).unwrap() == original, "{name}");
    }
    // A file found by the folder's own hypso.toml is the same source.
    ok(&["build", "-o", &path("auto.hypso"), &path("dem")]);
    assert!(std::fs::read(path("auto.hypso")).unwrap() == original);
    // A bounds.csv says it for each of its files, and gets it written.
    ok(&[
        "build",
        "-o",
        &path("s.hypso"),
        "--overwrite",
        "--config",
        &path("hypso.toml"),
        "--write-bounds",
        &path("dem/bounds.csv"),
    ]);
    let text = std::fs::read_to_string(path("dem/bounds.csv")).unwrap();
    assert!(text.contains(",unit,scale,band") && text.contains(",ft,0.5,"), "{text}");
    std::fs::remove_file(path("hypso.toml")).unwrap();
    ok(&["build", "-o", &path("csv.hypso"), &path("dem/bounds.csv")]);
    assert!(close(height(&path("csv.hypso"), POINT).unwrap(), metres - 7.0));
    std::fs::write(path("dem/bounds.csv"), text.replace(",ft,", ",percent,")).unwrap();
    fails(1, &["line 2, column unit", "percent"], &["build", "-o", &path("x.hypso"), &path("dem/bounds.csv")]);
    // An update looks into the files again where they are read in another way, and tiles follow.
    config("");
    ok(&["build", "-o", &path("s.hypso"), "--overwrite", "--config", &path("hypso.toml")]);
    ok(&["aggregate", &path("s.hypso"), "-o", &path("s.mbtiles"), "--jobs", "1"]);
    config("unit = \"ft\"\n");
    ok(&["build", "-o", &path("s.hypso"), "--update", "--config", &path("hypso.toml")]);
    assert!(close(height(&path("s.hypso"), POINT).unwrap(), 914.4));
    let said = ok(&["aggregate", &path("s.hypso"), "-o", &path("s.mbtiles"), "--update", "--jobs", "1"]);
    assert!(said.contains("1 changed"), "{said}");
    // So they do where metres are added.
    config("unit = \"ft\"\noffset = 3\n");
    ok(&["build", "-o", &path("s.hypso"), "--update", "--config", &path("hypso.toml")]);
    let said = ok(&["aggregate", &path("s.hypso"), "-o", &path("s.mbtiles"), "--update", "--jobs", "1"]);
    assert!(said.contains("1 changed"), "{said}");
}

#[test]
fn signed_bytes_keep_their_sign() {
    let (_folder, path) = scratch();
    let cells: Vec<u8> = (0..SIDE * SIDE).map(|i| if i % SIDE < SIDE / 3 { (-7i8) as u8 } else { 3 }).collect();
    std::fs::create_dir(path("dem")).unwrap();
    std::fs::write(path("dem/a.raw"), &cells).unwrap();
    vrt(&path("dem/a.vrt"), "EPSG:4326", &[raw("a.raw", SIGNED)]);
    assert!(close(built(&path, &path("dem"), WEST), -7.0) && close(built(&path, &path("dem"), POINT), 3.0));
    assert!(printed(&["export", &path("built.hypso"), "-o", &path("i.geojson")]).contains("1 record,"));
    assert!(std::fs::read_to_string(path("i.geojson")).unwrap().contains("\"data_type\":\"int8\""));
    // A VRT that does not say it.
    vrt(&path("over/b.vrt"), "EPSG:4326", &[band(1, "Byte", "../dem/a.vrt", "")]);
    assert!(close(built(&path, &path("over"), WEST), -7.0));
    // Values that mean nothing, as the signed or the unsigned number.
    for nodata in ["-7", "249"] {
        let inner = format!("{SIGNED}<NoDataValue>{nodata}</NoDataValue>");
        vrt(&path("void/a.vrt"), "EPSG:4326", &[raw("../dem/a.raw", &inner)]);
        ok(&["build", "-o", &path("v.hypso"), "--overwrite", &path("void")]);
        assert_eq!(height(&path("v.hypso"), WEST), None, "{nodata}");
    }
    // GDAL turns them into 249 where a VRT has another type.
    let version = hypso::raster::gdal::version();
    let old = version.split('.').nth(1).and_then(|v| v.parse::<u32>().ok()).is_some_and(|minor| minor < 7);
    if version.starts_with("3.") && old {
        vrt(&path("wide/c.vrt"), "EPSG:4326", &[band(1, "Int16", "../dem/a.vrt", "")]);
        fails(1, &["c.vrt", "signed bytes"], &["build", "-o", &path("x.hypso"), &path("wide")]);
    }
}

#[test]
fn what_is_no_elevation_is_refused_by_name_and_a_band_may_be_chosen() {
    let (_folder, path) = scratch();
    tif(&path("a.tif"), GeoTiffType::I16, 40.0, 60.0);
    tif(&path("b.tif"), GeoTiffType::I16, 1.0, 2.0);
    let colour = |name: &str| format!("<ColorInterp>{name}</ColorInterp>");
    let named = |name: &str| format!("<Description>{name}</Description>");
    let rgb: Vec<String> = [(1, "Red"), (2, "Green"), (3, "Blue")]
        .map(|(number, name)| band(number, "Byte", "../a.tif", &colour(name)))
        .to_vec();
    let two =
        |first: &str, second: &str| vec![band(1, "Float32", "../a.tif", first), band(2, "Float32", "../b.tif", second)];
    let palette =
        "<ColorInterp>Palette</ColorInterp><ColorTable><Entry c1=\"0\" c2=\"0\" c3=\"0\" c4=\"255\"/></ColorTable>";
    for (name, bands, words) in [
        ("rgb", rgb.clone(), "3 bands of a picture in colours: 1 red, 2 green, 3 blue"),
        ("red", vec![band(1, "Byte", "../a.tif", &colour("Red"))], "its band is a colour: 1 red"),
        ("palette", vec![band(1, "Byte", "../a.tif", palette)], "palette"),
        ("bag", two(&named("elevation"), &named("uncertainty")), "1 elevation, 2 uncertainty"),
        ("complex", vec![band(1, "CFloat32", "../a.tif", "")], "complex numbers"),
    ] {
        vrt(&path(&format!("{name}/x.vrt")), "EPSG:4326", &bands);
        let place = path(name);
        fails(1, &["x.vrt", "no elevation", words, "band = N"], &["build", "-o", &path("x.hypso"), &place]);
        fails(1, &["x.vrt", words], &["tiles", "-o", &path("x.pmtiles"), &place]);
        // A list that nobody has looked into fails when the file is opened.
        let line = "filename,left,bottom,right,top,width,height\nx.vrt,15362089,4285000,15372776,4300621,64,64\n";
        std::fs::write(path(&format!("{name}/bounds.csv")), line).unwrap();
        ok(&["build", "-o", &path("csv.hypso"), "--overwrite", &path(&format!("{name}/bounds.csv"))]);
        fails(1, &["x.vrt", words], &["provenance", &path("csv.hypso"), POINT]);
    }
    // An alpha band and a mask are none.
    for second in [colour("Alpha"), named("mask")] {
        vrt(&path("masked/x.vrt"), "EPSG:4326", &two("", &second));
        assert!(close(built(&path, &path("masked"), POINT), 60.0));
    }
    // Who means it says which band.
    let chosen = |name: &str, band: u32| {
        let text = format!("[[source]]\npath = \"{name}\"\nband = {band}\n");
        std::fs::write(path("c.toml"), text).unwrap();
        hypso(&["build", "-o", &path("c.hypso"), "--overwrite", "--config", &path("c.toml")])
    };
    for (name, band, wanted) in [("bag", 2, 2.0), ("bag", 1, 60.0), ("rgb", 3, 60.0), ("palette", 1, 60.0)] {
        let out = chosen(name, band);
        assert!(out.status.success(), "{}", stderr(&out));
        assert!(close(height(&path("c.hypso"), POINT).unwrap(), wanted), "{name} {band}");
    }
    let out = stderr(&chosen("bag", 3));
    assert!(out.contains("band 3 is asked for, but it has 2"), "{out}");
}

#[test]
fn masks_beside_heights_are_refused_and_a_pattern_leaves_them_out() {
    if !gdal() {
        return;
    }
    let (_folder, path) = scratch();
    tif(&path("x/N36_DSM.tif"), GeoTiffType::I16, -9999.0, 60.0);
    tif(&path("one.tif"), GeoTiffType::I16, 1.0, 1.0);
    run("gdal_translate", &["-q", "-ot", "Byte", &path("one.tif"), &path("x/N36_MSK.tif")]);
    let words = ["N36_MSK.tif", "mask beside heights", "N36_DSM.tif", "'*_DSM.tif'", "band = 1"];
    fails(1, &words, &["build", "-o", &path("x.hypso"), &path("x")]);
    fails(1, &words, &["tiles", "-o", &path("x.pmtiles"), &path("x")]);
    run("gdaltindex", &[&path("i.gpkg"), &path("x/N36_DSM.tif"), &path("x/N36_MSK.tif")]);
    fails(1, &words[..3], &["build", "-o", &path("x.hypso"), &path("i.gpkg")]);
    ok(&["build", "-o", &path("a.hypso"), &path("x/*_DSM.tif")]);
    let said = ok(&["build", "-o", &path("b.hypso"), "--on-error", "skip", &path("x")]);
    assert!(said.contains("1 record, 1 file skipped"), "{said}");
    std::fs::write(path("x/hypso.toml"), "[[source]]\npath = \".\"\nband = 1\n").unwrap();
    let said = ok(&["build", "-o", &path("c.hypso"), &path("x")]);
    assert!(said.contains("2 records"), "{said}");
}

#[test]
fn a_change_below_a_vrt_is_seen_by_every_command() {
    let (_folder, path) = scratch();
    tif(&path("low/deep/one.tif"), GeoTiffType::F32, 10.0, 20.0);
    vrt(&path("low/mid.vrt"), "EPSG:4326", &[band(1, "Float32", "deep/one.tif", "")]);
    vrt(&path("dem/top.vrt"), "EPSG:4326", &[band(1, "Float32", "../low/mid.vrt", "")]);
    tif(&path("other/far.tif"), GeoTiffType::F32, 1.0, 1.0);
    let (store, out) = (path("s.hypso"), path("s.mbtiles"));
    ok(&["build", "-o", &store, &path("dem"), &path("other")]);
    ok(&["aggregate", &store, "-o", &out, "--jobs", "1"]);
    let said = ok(&["build", "-o", &store, "--update", &path("dem"), &path("other")]);
    assert!(said.contains("2 unchanged, 0 read"), "{said}");
    // Statistics that GDAL keeps aside change no pixel.
    let aux = "<PAMDataset><PAMRasterBand band=\"1\"><Metadata><MDI key=\"STATISTICS_MEAN\">1</MDI></Metadata></PAMRasterBand></PAMDataset>";
    std::fs::write(path("low/deep/one.tif.aux.xml"), aux).unwrap();
    let said = ok(&["build", "-o", &store, "--update", &path("dem"), &path("other")]);
    assert!(said.contains("2 unchanged, 0 read"), "{said}");
    // The same size, another time.
    tif(&path("low/deep/one.tif"), GeoTiffType::F32, 30.0, 40.0);
    let later = SystemTime::now() + Duration::from_secs(60);
    std::fs::File::options().write(true).open(path("low/deep/one.tif")).unwrap().set_modified(later).unwrap();
    fails(1, &["top.vrt", "hypso build"], &["provenance", &store, POINT]);
    let stale = hypso(&["aggregate", &store, "-o", &path("stale.mbtiles"), "--jobs", "1"]);
    assert!(
        !stale.status.success() && stderr(&stale).contains("was changed after the store was built"),
        "{}",
        stderr(&stale)
    );
    let said = ok(&["build", "-o", &store, "--update", &path("dem"), &path("other")]);
    assert!(said.contains("1 unchanged, 1 read"), "{said}");
    assert!(close(height(&store, POINT).unwrap(), 40.0));
    let said = ok(&["aggregate", &store, "-o", &out, "--update", "--jobs", "1"]);
    assert!(said.contains("1 changed"), "{said}");
    ok(&["aggregate", &store, "-o", &path("fresh.mbtiles"), "--jobs", "1"]);
    assert!(tiles(&out) == tiles(path("fresh.mbtiles")));
    // An index and a list see it as well.
    ok(&["export", &store, "-o", &path("i.fgb")]);
    std::fs::File::options().write(true).open(path("low/mid.vrt")).unwrap().set_modified(later).unwrap();
    ok(&["build", "-o", &path("index.hypso"), &path("i.fgb")]);
    assert!(close(height(&path("index.hypso"), POINT).unwrap(), 40.0));
}

#[test]
fn a_vrt_that_leads_nowhere_or_to_itself_says_so() {
    let (_folder, path) = scratch();
    vrt(&path("a/gone.vrt"), "EPSG:4326", &[band(1, "Float32", "nowhere.tif", "")]);
    vrt(&path("a/self.vrt"), "EPSG:4326", &[band(1, "Float32", "self.vrt", "")]);
    tif(&path("a/good.tif"), GeoTiffType::F32, 1.0, 1.0);
    std::fs::write(path("a/empty.tif"), "").unwrap();
    let whole = std::fs::read(path("a/good.tif")).unwrap();
    std::fs::write(path("a/short.tif"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(path("a/masked.tif"), &whole).unwrap();
    std::fs::write(path("a/masked.tif.msk"), "no mask").unwrap();
    std::fs::write(path("a/text.tif"), "no raster\u{1b}[31m").unwrap();
    let said = ok(&["build", "-o", &path("s.hypso"), "--on-error", "skip", &path("a")]);
    for (file, words) in [
        ("gone.vrt", "nowhere.tif, which is not there"),
        ("self.vrt", "refers to itself"),
        ("empty.tif", "empty file"),
        ("short.tif", "truncated ("),
        ("masked.tif", "its mask"),
        ("text.tif", "not a raster ("),
    ] {
        let line = said.lines().find(|l| l.contains(file)).unwrap_or_else(|| panic!("{file}: {said}"));
        assert!(line.contains(words), "{line}");
    }
    assert!(said.contains("1 record, 6 files skipped") && !said.contains('\u{1b}'), "{said}");
}

#[test]
fn a_crs_whose_code_nobody_knows_is_used_by_its_wkt() {
    let (_folder, path) = scratch();
    tif(&path("dem/a.tif"), GeoTiffType::F32, 10.0, 20.0);
    let wkt = |name: &str, code: &str| {
        format!(
            "GEOGCS[\"{name}\",DATUM[\"WGS_1984\",SPHEROID[\"WGS 84\",6378137,298.257223563]],PRIMEM[\"Greenwich\",0],\
             UNIT[\"degree\",0.0174532925199433],AUTHORITY[\"EPSG\",\"{code}\"]]"
        )
        .replace('"', "&quot;")
    };
    for (name, code) in [("unknown", "99999"), ("another", "32654")] {
        vrt(&path(&format!("{name}/a.vrt")), &wkt(name, code), &[band(1, "Float32", "../dem/a.tif", "")]);
        assert!(close(built(&path, &path(name), POINT), 20.0), "{name}");
    }
    vrt(&path("known/a.vrt"), &wkt("WGS 84", "4326"), &[band(1, "Float32", "../dem/a.tif", "")]);
    assert!(close(built(&path, &path("known"), POINT), 20.0));
    let local = "LOCAL_CS[&quot;site grid&quot;,UNIT[&quot;metre&quot;,1]]";
    vrt(&path("local/a.vrt"), local, &[band(1, "Float32", "../dem/a.tif", "")]);
    fails(1, &["a.vrt", "no CRS", "site grid", "--assume-crs"], &["build", "-o", &path("x.hypso"), &path("local")]);
}

#[test]
fn rasters_that_a_folder_is_not_searched_for_are_named_with_their_pattern() {
    let (_folder, path) = scratch();
    tif(&path("mixed/a.tif"), GeoTiffType::F32, 10.0, 20.0);
    let grid = format!("ncols 2\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\n{}", "1 2\n3 4\n");
    for name in ["mixed/deep/old.nc", "mixed/model.grb2", "mixed/grid.txt", "mixed/readme.txt", "only/b.h5"] {
        std::fs::create_dir_all(Path::new(&path(name)).parent().unwrap()).unwrap();
        std::fs::write(path(name), if name.contains("grid") { grid.as_str() } else { "Please read this.\n" }).unwrap();
    }
    let said = ok(&["build", "-o", &path("s.hypso"), &path("mixed")]);
    for words in ["1 file .nc, such as deep/old.nc", "1 file .grb2", "such as grid.txt", "/**/*.txt'"] {
        assert!(said.contains(words) || words.contains("**"), "{words}: {said}");
    }
    assert!(said.contains("1 record,"), "{said}");
    fails(1, &["only", "1 file .h5, such as b.h5"], &["build", "-o", &path("x.hypso"), &path("only")]);
    // A folder is no raster, whatever it is called.
    std::fs::create_dir(path("mixed/b.tif")).unwrap();
    fails(1, &["b.tif", "it is a folder"], &["build", "-o", &path("x.hypso"), &path("mixed/*.tif")]);
}

#[test]
fn files_given_one_by_one_are_one_source() {
    let (_folder, path) = scratch();
    for (name, height) in [("dem/0.tif", 1.0), ("dem/1.tif", 2.0), ("fine/0.tif", 3.0), ("fine/1.tif", 4.0)] {
        tif(&path(name), GeoTiffType::F32, height, height);
    }
    std::fs::write(path("dem/0.tif.aux.xml"), "<PAMDataset/>").unwrap();
    let files = ["dem/0.tif", "dem/0.tif.aux.xml", "dem/1.tif"].map(&path);
    let [a, b, c] = &files;
    let said = ok(&["build", "-o", &path("s.hypso"), &path("fine"), a, b, c, "--write-config", &path("w.toml")]);
    assert!(said.contains("dem: 3 files that were given one by one are one source"), "{said}");
    let original = std::fs::read(path("s.hypso")).unwrap();
    assert_eq!(hypso::Store::open(path("s.hypso")).unwrap().sources().len(), 2);
    ok(&["build", "-o", &path("again.hypso"), "--config", &path("w.toml")]);
    assert!(std::fs::read(path("again.hypso")).unwrap() == original);
    ok(&["tiles", a, c, "-o", &path("t.mbtiles")]);
    // Two folders are two sources, in the order that they were given in.
    ok(&["build", "-o", &path("two.hypso"), &path("fine/1.tif"), &path("fine/0.tif"), a, c]);
    assert!(close(height(&path("two.hypso"), POINT).unwrap(), 3.0));
    fails(2, &["\"dem\"", "quote the pattern"], &["build", "-o", &path("x.hypso"), a, &path("fine"), c]);
}

#[test]
fn heights_that_the_earth_does_not_have_are_counted_and_named() {
    let (_folder, path) = scratch();
    tif(&path("dem/bad.tif"), GeoTiffType::F32, -9999.0, 200.0);
    let (store, out) = (path("s.hypso"), path("s.mbtiles"));
    ok(&["build", "-o", &store, &path("dem")]);
    for options in [&[][..], &["--lineage"], &["--fill-gaps", "2"]] {
        let said = ok(&[&["aggregate", &store, "-o", &out, "--overwrite", "--jobs", "1"], options].concat());
        assert!(said.contains("dem/bad.tif (-9999 m)") && said.contains("`nodata = [-9999]`"), "{said}");
        let report: Value = serde_json::from_str(&std::fs::read_to_string(path("s.report.json")).unwrap()).unwrap();
        let odd = &report["implausible"];
        assert!(odd["pixels"].as_u64().unwrap() > 1000, "{odd}");
        assert_eq!(
            (&odd["records"][0]["path"], &odd["records"][0]["cell"]),
            (&"dem/bad.tif".into(), &(-9999.0).into())
        );
    }
    for (west, words) in [(-32767.0, "-32767"), (1e20, "100000000000000000000"), (f32::MAX, "e38")] {
        tif(&path("dem/bad.tif"), GeoTiffType::F32, west, 200.0);
        ok(&["build", "-o", &store, "--overwrite", &path("dem")]);
        let said = ok(&["aggregate", &store, "-o", &out, "--overwrite", "--jobs", "1"]);
        let line = said.lines().find(|l| l.contains("bad.tif (")).unwrap_or_else(|| panic!("{said}"));
        assert!(line.contains(words) || words == "e38", "{line}");
    }
    // Heights as they are, and declared voids, deserve no word.
    std::fs::write(path("hypso.toml"), "[[source]]\npath = \"dem\"\nnodata = [-9999]\n").unwrap();
    tif(&path("dem/bad.tif"), GeoTiffType::F32, -9999.0, 200.0);
    ok(&["build", "-o", &store, "--overwrite", "--config", &path("hypso.toml")]);
    let said = ok(&["aggregate", &store, "-o", &out, "--overwrite", "--jobs", "1"]);
    assert!(!said.contains("mark of voids"), "{said}");
}
