//! What would take all memory, hang, or reach for the network is refused at once, by name.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::program::{HYPSO, fails, hypso, ok, peak, printed, scratch, stderr};
use hypso::raster::GeoTransform;
use hypso::raster::gdal::write_geotiff;
use hypso::raster::{GeoTiffCompression, GeoTiffSpec, GeoTiffType};

/// A raster of so many cells of `cell` metres in EPSG:3857, from (0, 0) south-eastwards.
fn raster(path: impl AsRef<Path>, (width, height): (u32, u32), cell: f64) {
    let spec = GeoTiffSpec {
        width,
        height,
        transform: GeoTransform::north_up(0.0, 0.0, cell, cell),
        crs: "EPSG:3857".into(),
        data_type: GeoTiffType::I16,
        nodata: None,
        tiled: None,
        compress: GeoTiffCompression::Deflate,
    };
    let cells: Vec<f32> = (0..width * height).map(|i| (i % 100) as f32).collect();
    write_geotiff(path.as_ref(), &spec, &cells).unwrap();
}

/// A VRT of so many cells a side, of `cell` metres, over a small raster beside it.
fn vast(folder: &str, side: u32, cell: f64) {
    raster(format!("{folder}/small.bin"), (4, 4), 1.0);
    let text = format!(
        "<VRTDataset rasterXSize=\"{side}\" rasterYSize=\"{side}\"><SRS>EPSG:3857</SRS>\
         <GeoTransform>0, {cell}, 0, 0, 0, -{cell}</GeoTransform><VRTRasterBand dataType=\"Int16\" band=\"1\">\
         <SimpleSource><SourceFilename relativeToVRT=\"1\">small.bin</SourceFilename><SourceBand>1</SourceBand>\
         <SrcRect xOff=\"0\" yOff=\"0\" xSize=\"4\" ySize=\"4\"/><DstRect xOff=\"0\" yOff=\"0\" xSize=\"4\" ySize=\"4\"/>\
         </SimpleSource></VRTRasterBand></VRTDataset>"
    );
    std::fs::write(format!("{folder}/vast.vrt"), text).unwrap();
}

/// Runs the program with a bound on its memory (MB of addresses) and on its time.
fn bounded(megabytes: u32, seconds: u64, arguments: &[&str]) -> (Option<i32>, String) {
    let begun = Instant::now();
    let script = format!("ulimit -v {}; exec \"$@\"", megabytes << 10);
    let output = Command::new("bash").args(["-c", &script, "bash", HYPSO]).args(arguments).output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(seconds), "{arguments:?} took {:?}", begun.elapsed());
    (output.status.code(), stderr(&output))
}

#[test]
fn a_raster_of_a_wrong_cell_size_is_refused_by_name_before_its_tiles_are_enumerated() {
    let (_guard, at) = scratch();
    std::fs::create_dir(at("dem")).unwrap();
    vast(&at("dem"), 1_000_000_000, 0.001);
    ok(&["build", "-o", &at("s.hypso"), &at("dem")]);
    let plan = at("plan.json");
    for more in [
        vec!["plan"],
        vec!["plan", "--split", "incremental"],
        vec!["plan", "--split", "dynamic"],
        vec!["plan", "--coverage", "full"],
        vec!["plan", "--export", &plan],
        vec!["aggregate"],
        vec!["aggregate", "--bbox", "0", "-8", "8", "0"],
    ] {
        let (store, output) = (at("s.hypso"), at("o.pmtiles"));
        let mut arguments = more.clone();
        arguments.splice(1..1, [store.as_str(), "-o", &output]);
        let (code, said) = bounded(2000, 20, &arguments);
        assert_eq!(code, Some(1), "{more:?}: {said}");
        for word in ["vast.vrt", "1000000000 x 1000000000 cells of 1.000e-3 m", "zoom 22", "georeference", "--min-zoom"]
        {
            assert!(said.contains(word), "{more:?}: no {word:?} in {said}");
        }
    }
    // Coarse tiles are means of fine ones.
    let (store, words) = (at("s.hypso"), ["vast.vrt", "a smaller --max-zoom saves none of them", "gdalwarp -tr"]);
    fails(1, &words, &["plan", &store, "--max-zoom", "8"]);
    fails(1, &["vast.vrt"], &["tiles", &at("dem"), "-o", &at("t.pmtiles")]);
    // What is small is planned, although the store holds a raster that is not.
    for more in ["native", "full"] {
        let (code, said) = bounded(
            2000,
            20,
            &["plan", &at("s.hypso"), "--min-zoom", "21", "--bbox", "0,-0.0003,0.0003,0", "--coverage", more],
        );
        assert_eq!(code, Some(0), "{said}");
    }
}

#[test]
fn blowing_coarse_records_up_beyond_all_bounds_is_refused_with_the_option_that_asks_for_it() {
    let (_guard, at) = scratch();
    std::fs::create_dir(at("dem")).unwrap();
    raster(at("dem/a.tif"), (100, 100), 20_000.0);
    ok(&["build", "-o", &at("s.hypso"), &at("dem")]);
    let (code, said) = bounded(2000, 20, &["plan", &at("s.hypso"), "--coverage", "full", "--max-zoom", "22"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("smaller --max-zoom"), "{said}");
    printed(&["plan", &at("s.hypso"), "--coverage", "full", "--max-zoom", "10"]);
}

#[test]
fn what_would_fill_the_tile_index_is_refused_when_a_store_is_built() {
    let (_guard, at) = scratch();
    std::fs::create_dir(at("dem")).unwrap();
    raster(at("dem/a.tif"), (90, 60), 10.0);
    let line = "a.tif,-2e7,-2e7,1.9e7,1.9e7,4000000000,4000000000";
    std::fs::write(at("dem/bounds.csv"), format!("filename,left,bottom,right,top,width,height\n{line}\n")).unwrap();
    let (code, said) = bounded(2000, 20, &["build", "-o", &at("s.hypso"), &at("dem/bounds.csv")]);
    assert_eq!(code, Some(1), "{said}");
    for word in ["a.tif", "tiles along its edge", "line 2 of", "dem/bounds.csv"] {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
    assert!(!Path::new(&at("s.hypso")).exists());
}

#[test]
fn a_row_of_a_list_that_does_not_fit_its_raster_stops_the_run_and_says_both_places() {
    let (_guard, at) = scratch();
    std::fs::create_dir(at("dem")).unwrap();
    raster(at("dem/a.tif"), (90, 60), 10.0);
    let head = "filename,left,bottom,right,top,width,height";
    for (line, words) in [
        // The size of another raster, a million tiles.
        ("a.tif,0,-600000,900000,0,900000,600000", ["has 90 x 60 pixels", "line 2 of"]),
        // The place of another one.
        ("a.tif,1000,-600,1900,0,90,60", ["lies at 0.0 -600.0 900.0 0.0", "the store says 1000.0"]),
        ("a.tif,0,-1200,1800,0,90,60", ["lies at 0.0 -600.0 900.0 0.0", "the store says 0.0 -1200.0"]),
    ] {
        std::fs::write(at("dem/bounds.csv"), format!("{head}\n{line}\n")).unwrap();
        ok(&["build", "--overwrite", "-o", &at("s.hypso"), &at("dem/bounds.csv")]);
        let (code, said) = bounded(
            3000,
            60,
            &[
                "aggregate",
                &at("s.hypso"),
                "-o",
                &at("o.pmtiles"),
                "--jobs",
                "1",
                "--overwrite",
                "--min-zoom",
                "12",
                "--bbox=0,-0.005,0.0081,0",
            ],
        );
        assert_eq!(code, Some(1), "{line}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{line}: {said}");
        assert!(!Path::new(&at("o.pmtiles")).exists());
    }
    // Off by a cell, as lists are that were made from rounded corners.
    std::fs::write(at("dem/bounds.csv"), format!("{head}\na.tif,9,-609,909,-9,90,60\n")).unwrap();
    ok(&["build", "--overwrite", "-o", &at("s.hypso"), &at("dem/bounds.csv")]);
    ok(&["aggregate", &at("s.hypso"), "-o", &at("o.pmtiles"), "--jobs", "1", "--overwrite"]);
}

#[test]
fn a_feature_of_an_index_that_does_not_fit_its_raster_is_named() {
    let (_guard, at) = scratch();
    std::fs::create_dir(at("dem")).unwrap();
    raster(at("dem/a.tif"), (90, 60), 10.0);
    ok(&["build", "-o", &at("s.hypso"), &at("dem")]);
    ok(&["export", &at("s.hypso"), "-o", &at("dem/i.fgb")]);
    let geojson = at("dem/j.geojson");
    let made =
        Command::new("ogr2ogr").args(["-f", "GeoJSON", "-lco", "RFC7946=NO", &geojson, &at("dem/i.fgb")]).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("skipped: GDAL's programs are not installed; run scripts/install-gdal.sh --tests");
        assert!(std::env::var_os("CI").is_none());
        return;
    }
    // Without a field for nodata hypso opens the rasters of an index.
    let text = std::fs::read_to_string(&geojson).unwrap().replace("\"data_type\"", "\"nodata\": null, \"data_type\"");
    std::fs::write(&geojson, text.replace("\"crs\": \"EPSG:3857\"", "\"crs\": \"EPSG:99999\"")).unwrap();
    fails(1, &["j.geojson", "feature", "crs", "EPSG:99999"], &["build", "-o", &at("t.hypso"), &geojson]);
    std::fs::write(&geojson, text.replace("-600.0", "-1600.0")).unwrap();
    ok(&["build", "-o", &at("t.hypso"), &geojson]);
    fails(1, &["a.tif", "lies at", "the store says"], &["aggregate", &at("t.hypso"), "-o", &at("o.pmtiles")]);
    let output = hypso(&["provenance", &at("t.hypso"), "--at", "0.004,-0.004"]);
    assert_ne!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// A collection of STAC, whose assets GDAL may open as one raster.
const STAC: &str = r#"{"type": "FeatureCollection", "stac_version": "1.0.0", "features": [{"type": "Feature", "stac_version": "1.0.0",
    "id": "a", "collection": "c", "properties": {"proj:epsg": 3857}, "assets": {"a": {"href": "URL", "type": "image/tiff",
    "proj:epsg": 3857, "proj:transform": [10, 0, 0, 0, -10, 0, 0, 0, 1], "proj:shape": [60, 90]}}}]}"#;

/// Counts who calls on a port of this machine, and hangs up.
struct Listener {
    port: u16,
    calls: Arc<AtomicUsize>,
}

impl Listener {
    fn new() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, calls) = (socket.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&calls);
        std::thread::spawn(move || {
            for _ in socket.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, calls }
    }

    /// How many calls came while `work` was done.
    fn during(&self, work: impl FnOnce()) -> usize {
        let before = self.calls.load(Ordering::SeqCst);
        work();
        self.calls.load(Ordering::SeqCst) - before
    }

    /// A VRT of 90 x 60 cells of 10 m over a source, with an overview of another name.
    fn vrt(source: &str, overview: &str) -> String {
        format!(
            "<VRTDataset rasterXSize=\"90\" rasterYSize=\"60\"><SRS>EPSG:3857</SRS>\
             <GeoTransform>0, 10, 0, 0, 0, -10</GeoTransform><VRTRasterBand dataType=\"Int16\" band=\"1\">{overview}\
             <SimpleSource><SourceFilename relativeToVRT=\"1\">{source}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>\
             </VRTRasterBand></VRTDataset>"
        )
    }

    /// Files that make GDAL send requests here, by name.
    fn files(&self) -> Vec<(&'static str, String)> {
        let url = format!("http://127.0.0.1:{}/x.tif", self.port);
        let wms = format!(
            "<GDAL_WMS><Service name=\"TMS\"><ServerUrl>http://127.0.0.1:{}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service>\
             <DataWindow><UpperLeftX>-20037508.34</UpperLeftX><UpperLeftY>20037508.34</UpperLeftY>\
             <LowerRightX>20037508.34</LowerRightX><LowerRightY>-20037508.34</LowerRightY><TileLevel>2</TileLevel>\
             <TileCountX>1</TileCountX><TileCountY>1</TileCountY><YOrigin>top</YOrigin></DataWindow>\
             <Projection>EPSG:3857</Projection><BlockSizeX>256</BlockSizeX><BlockSizeY>256</BlockSizeY><BandsCount>1</BandsCount>\
             <DataType>Int16</DataType></GDAL_WMS>",
            self.port
        );
        let escaped = wms.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        vec![
            ("curl.vrt", Self::vrt(&format!("/vsicurl/{url}"), "")),
            ("named.tif", Self::vrt(&format!("/vsicurl/{url}"), "")),
            ("stream.tif", Self::vrt(&format!("/vsicurl_streaming/{url}"), "")),
            ("entity.tif", Self::vrt(&format!("&#x2F;vsicurl_streaming/{url}"), "")),
            ("plain.vrt", Self::vrt(&url, "")),
            ("inline.vrt", Self::vrt(&escaped, "")),
            ("above.vrt", Self::vrt("plain.vrt", "")),
            ("zip.vrt", Self::vrt(&format!("/vsizip//vsicurl/http://127.0.0.1:{}/x.zip/a.tif", self.port), "")),
            (
                "overview.vrt",
                Self::vrt(
                    "a.tif",
                    &format!(
                        "<Overview><SourceFilename>/vsicurl_streaming/{url}</SourceFilename><SourceBand>1</SourceBand></Overview>"
                    ),
                ),
            ),
            ("wms.tif", wms),
            (
                "wmts.tif",
                format!(
                    "<GDAL_WMTS><GetCapabilitiesUrl>http://127.0.0.1:{}/?REQUEST=GetCapabilities</GetCapabilitiesUrl></GDAL_WMTS>",
                    self.port
                ),
            ),
            (
                "wcs.tif",
                format!(
                    "<WCS_GDAL><ServiceURL>http://127.0.0.1:{}/?</ServiceURL><Version>1.0.0</Version><CoverageName>x</CoverageName></WCS_GDAL>",
                    self.port
                ),
            ),
            ("stacit.tif", STAC.replace("URL", &url)),
        ]
    }
}

#[test]
fn no_file_makes_a_command_send_requests_unless_that_is_allowed() {
    let listener = Listener::new();
    let (_guard, at) = scratch();
    for (name, text) in listener.files() {
        let dem = at(&format!("{name}-dem"));
        std::fs::create_dir(&dem).unwrap();
        raster(format!("{dem}/a.tif"), (90, 60), 10.0);
        std::fs::write(format!("{dem}/{name}"), &text).unwrap();
        if name == "above.vrt" {
            let inner = Listener::vrt(&format!("http://127.0.0.1:{}/x.tif", listener.port), "");
            std::fs::write(format!("{dem}/plain.vrt"), inner).unwrap();
        }
        let line = format!("filename,left,bottom,right,top,width,height\n{name},0,-600,900,0,90,60\n");
        std::fs::write(format!("{dem}/bounds.csv"), line).unwrap();
        let (store, output, file) = (format!("{dem}/s.hypso"), format!("{dem}/o.pmtiles"), format!("{dem}/{name}"));
        let calls = listener.during(|| {
            fails(1, &[name, "network", "--allow-remote"], &["build", "-o", &store, &file]);
            fails(1, &[name, "network"], &["tiles", &file, "-o", &output]);
            // Nothing is opened for a list; what is made of it is.
            if ok(&["build", "-o", &store, &format!("{dem}/bounds.csv")]).contains("1 record") {
                fails(1, &[name, "network"], &["aggregate", &store, "-o", &output, "--jobs", "1"]);
                fails(1, &[name, "network"], &["provenance", &store, "0.004,-0.004"]);
            }
        });
        assert_eq!(calls, 0, "{name}");
        if !matches!(name, "overview.vrt" | "stacit.tif") {
            let calls = listener.during(|| {
                hypso(&["build", "--overwrite", "--allow-remote", "-o", &store, &file]);
            });
            assert!(calls > 0, "{name}");
        }
    }
}

#[test]
fn workers_and_comparisons_reach_the_network_where_their_command_may() {
    let listener = Listener::new();
    let (_guard, at) = scratch();
    std::fs::create_dir(at("dem")).unwrap();
    raster(at("dem/a.tif"), (90, 60), 10.0);
    ok(&["tiles", &at("dem"), "-o", &at("o.pmtiles")]);
    // The same place by another file, which is not on this machine.
    let url = format!("/vsicurl/http://127.0.0.1:{}/x.tif", listener.port);
    std::fs::write(at("dem/b.tif"), Listener::vrt(&url, "")).unwrap();
    let line = "filename,left,bottom,right,top,width,height\nb.tif,0,-600,900,0,90,60\n";
    std::fs::write(at("dem/bounds.csv"), line).unwrap();
    ok(&["build", "-o", &at("s.hypso"), &at("dem/bounds.csv")]);
    let (store, archive, output) = (at("s.hypso"), at("o.pmtiles"), at("p.pmtiles"));
    for arguments in [
        vec!["verify", archive.as_str(), "--against", &store],
        vec!["provenance", &store, "13/4096/4096"],
        vec!["aggregate", &store, "-o", &output, "--jobs", "1"],
    ] {
        let calls = listener.during(|| fails(1, &["b.tif", "network", "--allow-remote"], &arguments));
        assert_eq!(calls, 0, "{arguments:?}");
        let mut allowed = arguments.clone();
        allowed.push("--allow-remote");
        let calls = listener.during(|| assert_ne!(hypso(&allowed).status.code(), Some(0)));
        assert!(calls > 0, "{arguments:?}");
    }
}

#[test]
fn the_end_of_a_raster_of_one_strip_is_looked_at_without_decoding_it() {
    let (_guard, at) = scratch();
    let file = at("strip.tif");
    let made = Command::new("gdal_create")
        .args(["-q", "-of", "GTiff", "-outsize", "9000", "9000", "-ot", "Float32", "-burn", "5", "-a_srs", "EPSG:3857"])
        .args(["-a_ullr", "0", "0", "90000", "-90000", "-co", "COMPRESS=DEFLATE", "-co", "BLOCKYSIZE=9000", &file])
        .status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("skipped: GDAL's programs are not installed; run scripts/install-gdal.sh --tests");
        assert!(std::env::var_os("CI").is_none());
        return;
    }
    // The cells take 324 MB.
    let (megabytes, code, said) = peak(&["build", "-o", &at("s.hypso"), &file]);
    assert!(code == Some(0) && megabytes < 200, "{megabytes} MB: {said}");
    let bytes = std::fs::read(&file).unwrap();
    let start = bytes.len() as u64 - 1000;
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(start).unwrap();
    let (megabytes, code, said) = peak(&["build", "--overwrite", "-o", &at("s.hypso"), &file]);
    assert!(code == Some(1) && said.contains("truncated") && megabytes < 200, "{megabytes} MB: {said}");
}
