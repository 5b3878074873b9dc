//! Rasters on the network: the archives are those of local files, whatever the network does.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use hypso::tile::TileCoord;
use tempfile::TempDir;

use crate::objects::{S3, Web};
use crate::program::{HYPSO, fails, hypso, ok, scratch, small_sample, stderr, tiles};
use crate::surface::Sheet;

/// A sample without its `hypso.toml`, which is not looked for on a network, and what its coarsest source gives locally.
struct Local {
    folder: TempDir,
    tiles: BTreeMap<TileCoord, Vec<u8>>,
    list: String,
}

impl Local {
    fn get() -> &'static Self {
        static LOCAL: OnceLock<Local> = OnceLock::new();
        LOCAL.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let base = folder.path().canonicalize().unwrap();
            small_sample(&base.join("s"));
            std::fs::remove_file(base.join("s/hypso.toml")).unwrap();
            let at = |name: &str| base.join(name).display().to_string();
            ok(&["build", "-o", &at("l.hypso"), &at("s/dem10"), "--write-bounds", &at("b.csv")]);
            ok(&["aggregate", &at("l.hypso"), "-o", &at("l.pmtiles"), "--jobs", "2"]);
            let (tiles, list) = (tiles(at("l.pmtiles")), std::fs::read_to_string(at("b.csv")).unwrap());
            Self { folder, tiles, list }
        })
    }

    fn sample(&self) -> std::path::PathBuf {
        self.folder.path().join("s")
    }

    /// The list of the source's files, with URLs for names.
    fn urls(&self, url: impl Fn(&str) -> String) -> String {
        let line = |(n, line): (usize, &str)| match (n, line.split_once(',')) {
            (0, _) | (_, None) => line.to_string(),
            (_, Some((name, rest))) => format!("{},{rest}", url(name)),
        };
        self.list.lines().enumerate().map(line).collect::<Vec<_>>().join("\n") + "\n"
    }
}

/// A copy of a folder's files.
fn copy(from: &Path, to: &str) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(entry.path(), Path::new(to).join(entry.file_name())).unwrap();
    }
}

fn report(path: &str) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_list_of_urls_gives_the_archive_of_local_files_and_opens_none_of_them() {
    let local = Local::get();
    let web = Web::new(&local.sample());
    let (_guard, at) = scratch();
    std::fs::write(at("dem10.csv"), local.urls(|name| web.url(&format!("dem10/{name}")))).unwrap();
    let (store, list) = (at("r.hypso"), at("dem10.csv"));
    let calls = web.during(|| {
        fails(1, &["dem10/", "network", "--allow-remote"], &["build", "-o", &store, &list]);
        fails(1, &["network", "--allow-remote"], &["build", "-o", &store, &web.url("dem10/a.tif")]);
    });
    assert_eq!(calls, 0);
    let files = local.list.lines().count() as u64 - 1;
    let calls = web.during(|| drop(ok(&["build", "--allow-remote", "-o", &store, &list])));
    assert_eq!(calls, files, "one question for each file: {:?}", web.behaviour.seen.lock().unwrap());
    let calls = web.during(|| {
        fails(1, &["network", "--allow-remote"], &["aggregate", &store, "-o", &at("r.pmtiles"), "--jobs", "1"]);
    });
    assert_eq!(calls, 0);
    let said = ok(&["aggregate", "--allow-remote", &store, "-o", &at("r.pmtiles"), "--jobs", "2"]);
    assert!(said.contains("network") && said.contains("requests"), "{said}");
    assert_eq!(tiles(at("r.pmtiles")), local.tiles);
    let network = &report(&at("r.report.json"))["network"];
    assert!(network["requests"].as_u64().unwrap() > files && network["bytes"].as_u64().unwrap() > 1000, "{network}");
    assert!(network["waiting_seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_busy_server_changes_no_byte_and_ends_no_run() {
    let local = Local::get();
    let web = Web::new(&local.sample());
    let (_guard, at) = scratch();
    std::fs::write(at("dem10.csv"), local.urls(|name| web.url(&format!("dem10/{name}")))).unwrap();
    web.busy(50);
    ok(&["build", "--allow-remote", "-o", &at("r.hypso"), &at("dem10.csv")]);
    ok(&["aggregate", "--allow-remote", &at("r.hypso"), "-o", &at("r.pmtiles"), "--jobs", "2"]);
    assert_eq!(tiles(at("r.pmtiles")), local.tiles);
    assert!(web.behaviour.refused.load(Ordering::SeqCst) > 0);
}

#[test]
fn connections_that_break_change_no_byte_and_end_no_run() {
    let local = Local::get();
    let web = Web::new(&local.sample());
    let (_guard, at) = scratch();
    std::fs::write(at("dem10.csv"), local.urls(|name| web.url(&format!("dem10/{name}")))).unwrap();
    // One in six is reset, and as many end in the middle: there are few requests.
    web.behaviour.broken.store(160, Ordering::SeqCst);
    ok(&["build", "--allow-remote", "-o", &at("r.hypso"), &at("dem10.csv")]);
    ok(&["aggregate", "--allow-remote", &at("r.hypso"), "-o", &at("r.pmtiles"), "--jobs", "2"]);
    assert_eq!(tiles(at("r.pmtiles")), local.tiles);
    assert!(web.behaviour.refused.load(Ordering::SeqCst) > 1);
}

/// A VRT on a web server whose source is replaced by another one of its size and time.
#[test]
fn a_source_of_a_remote_vrt_that_is_replaced_is_seen() {
    let (_guard, at) = scratch();
    std::fs::create_dir_all(at("web")).unwrap();
    let sheet = Sheet::north_up("EPSG:3857", 0.0, 0.0, 10.0, 90, 60);
    sheet.write(Path::new(&at("web/a.tif")), &|x, y| x + y);
    let vrt = "<VRTDataset rasterXSize=\"90\" rasterYSize=\"60\"><SRS>EPSG:3857</SRS><GeoTransform>0, 10, 0, 0, 0, -10</GeoTransform>\
               <VRTRasterBand dataType=\"Float32\" band=\"1\"><SimpleSource><SourceFilename relativeToVRT=\"1\">a.tif</SourceFilename>\
               <SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>";
    std::fs::write(at("web/a.vrt"), vrt).unwrap();
    let web = Web::new(Path::new(&at("web")));
    let (store, output) = (at("r.hypso"), at("r.pmtiles"));
    let build = ["build", "--allow-remote", "--update", "-o", &store, &web.url("a.vrt")];
    let run = ["aggregate", "--allow-remote", &store, "-o", &output, "--jobs", "1", "--update"];
    ok(&build);
    ok(&run[..run.len() - 1]);
    let before = tiles(&output);
    let said = ok(&build);
    assert!(said.contains("1 unchanged"), "{said}");
    let size = std::fs::metadata(at("web/a.tif")).unwrap().len();
    sheet.write(Path::new(&at("web/a.tif")), &|x, y| x + y + 100.0);
    let mut bytes = std::fs::read(at("web/a.tif")).unwrap();
    bytes.resize(bytes.len().max(size as usize), 0);
    std::fs::write(at("web/a.tif"), bytes).unwrap();
    fails(
        1,
        &["a.vrt", "was changed"],
        &["aggregate", "--allow-remote", &store, "-o", &at("s.pmtiles"), "--jobs", "1"],
    );
    let said = ok(&build);
    assert!(said.contains("1 read"), "{said}");
    let said = ok(&run);
    assert!(said.contains("1 changed"), "{said}");
    assert_ne!(tiles(&output), before);
    std::fs::remove_file(at("web/a.tif")).unwrap();
    fails(1, &["a.vrt"], &["aggregate", "--allow-remote", &store, "-o", &at("t.pmtiles"), "--jobs", "1"]);
}

#[test]
fn an_object_that_is_replaced_is_seen_by_its_tag_alone() {
    let local = Local::get();
    let (_guard, at) = scratch();
    copy(&local.sample().join("dem10"), &at("web/dem10"));
    let web = Web::new(Path::new(&at("web")));
    std::fs::write(at("dem10.csv"), local.urls(|name| web.url(&format!("dem10/{name}")))).unwrap();
    let (store, output) = (at("r.hypso"), at("r.pmtiles"));
    let (build, run) = (
        ["build", "--allow-remote", "--update", "-o", &store, &at("dem10.csv")],
        ["aggregate", "--allow-remote", &store, "-o", &output, "--jobs", "1", "--update"],
    );
    ok(&build);
    ok(&run[..run.len() - 1]);
    let said = ok(&run);
    assert!(said.contains("nothing to do"), "{said}");
    // Bytes behind the end change no height.
    let name = local.list.lines().nth(1).unwrap().split(',').next().unwrap().to_string();
    let file = at(&format!("web/dem10/{name}"));
    let other = local.list.lines().nth(2).unwrap().split(',').next().unwrap().to_string();
    let mut bytes = std::fs::read(&file).unwrap();
    let end = bytes.len();
    bytes.extend_from_slice(b"\0\0\0\0");
    std::fs::write(&file, &bytes).unwrap();
    ok(&build);
    let said = ok(&run);
    assert!(said.contains("1 changed"), "{said}");
    bytes[end] = 2;
    std::fs::write(&file, &bytes).unwrap();
    // Only the tag tells now.
    fails(1, &[&name], &["aggregate", "--allow-remote", &store, "-o", &at("s.pmtiles"), "--jobs", "1"]);
    ok(&build);
    let said = ok(&run);
    assert!(said.contains("1 changed"), "{said}");
    assert_eq!(tiles(&output), local.tiles);
    std::fs::remove_file(at(&format!("web/dem10/{other}"))).unwrap();
    let gone = ["aggregate", "--allow-remote", &store, "-o", &at("t.pmtiles"), "--jobs", "1"];
    fails(1, &[&other, "404", "put it back"], &gone);
    fails(1, &[&other, "404"], &build);
}

#[test]
fn what_may_not_be_read_is_named_with_what_to_do() {
    let local = Local::get();
    let web = Web::new(&local.sample());
    let (_guard, at) = scratch();
    let store = at("r.hypso");
    fails(1, &["a.tif", "403", "credentials"], &["build", "--allow-remote", "-o", &store, &web.url("denied/a.tif")]);
    fails(1, &["none.tif", "404", "check its name"], &["build", "--allow-remote", "-o", &store, &web.url("none.tif")]);
    fails(1, &["do not list", "bounds.csv"], &["build", "--allow-remote", "-o", &store, &web.url("dem10/")]);
    fails(1, &["do not list", "bounds.csv"], &["build", "--allow-remote", "-o", &store, &web.url("dem10/*.tif")]);
    fails(
        1,
        &["denied/bounds.csv", "403", "credentials"],
        &["build", "--allow-remote", "-o", &store, &web.url("denied/bounds.csv")],
    );
}

#[test]
fn a_server_that_stays_busy_is_named_with_the_first_cause() {
    let local = Local::get();
    let web = Web::new(&local.sample());
    let (_guard, at) = scratch();
    std::fs::write(at("dem10.csv"), local.urls(|name| web.url(&format!("dem10/{name}")))).unwrap();
    ok(&["build", "--allow-remote", "-o", &at("r.hypso"), &at("dem10.csv")]);
    web.busy(1000);
    let run = ["aggregate", "--allow-remote", &at("r.hypso"), "-o", &at("r.pmtiles"), "--jobs", "1"];
    let output = Command::new(HYPSO).args(run).env("GDAL_HTTP_MAX_RETRY", "0").stdin(Stdio::null()).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("503") && said.contains("mesh_") && said.contains("try again later"), "{said}");
    assert!(!Path::new(&at("r.pmtiles")).exists());
    // What could not be had is made when the server answers again.
    web.busy(0);
    ok(&run);
    assert_eq!(tiles(at("r.pmtiles")), local.tiles);
}

#[test]
fn secrets_in_urls_are_shown_nowhere() {
    let local = Local::get();
    let web = Web::new(&local.sample());
    let (_guard, at) = scratch();
    let secret = |name: &str| format!("{}?sig=SECRET&st=1", web.url(&format!("dem10/{name}")));
    std::fs::write(at("dem10.csv"), local.urls(secret)).unwrap();
    let mut said = ok(&["build", "--allow-remote", "-o", &at("r.hypso"), &at("dem10.csv")]);
    said += &ok(&["aggregate", "--allow-remote", &at("r.hypso"), "-o", &at("r.pmtiles"), "--jobs", "2"]);
    assert_eq!(tiles(at("r.pmtiles")), local.tiles);
    for arguments in [
        vec!["info", &at("r.hypso"), "--format", "json"],
        vec!["query", &at("r.hypso"), "139.0,35.0"],
        vec!["build", "--allow-remote", "-o", &at("x.hypso"), &secret("none.tif")],
        vec!["build", "-o", &at("x.hypso"), &secret("none.tif")],
    ] {
        let output = hypso(&arguments);
        said += &stderr(&output);
        said += &String::from_utf8_lossy(&output.stdout);
    }
    web.busy(1000);
    said += &std::fs::read_to_string(at("r.report.json")).unwrap();
    assert!(said.contains("?***") && !said.contains("SECRET"), "{said}");
}

#[test]
fn indices_and_stac_items_name_rasters_by_urls() {
    let local = Local::get();
    let web = Web::new(&local.sample());
    let (_guard, at) = scratch();
    std::fs::write(at("dem10.csv"), local.urls(|name| web.url(&format!("dem10/{name}")))).unwrap();
    ok(&["build", "--allow-remote", "-o", &at("r.hypso"), &at("dem10.csv")]);
    // An index of these records is read without a raster being opened.
    ok(&["export", &at("r.hypso"), "-o", &at("i.gpkg")]);
    let files = local.list.lines().count() as u64 - 1;
    let calls = web.during(|| drop(ok(&["build", "--allow-remote", "-o", &at("i.hypso"), &at("i.gpkg")])));
    assert_eq!(calls, files);
    let item = |name: &str| {
        format!(
            r#"{{"type": "Feature", "id": "{name}", "assets": {{"d": {{"href": "{}", "roles": ["data"]}}}}}}"#,
            web.url(&format!("dem10/{name}"))
        )
    };
    let names = local.list.lines().skip(1).map(|line| item(line.split(',').next().unwrap()));
    let items = names.collect::<Vec<_>>().join(",");
    std::fs::write(at("items.json"), format!(r#"{{"type": "FeatureCollection", "features": [{items}]}}"#)).unwrap();
    ok(&["build", "--allow-remote", "-o", &at("c.hypso"), &format!("dem10={}", at("items.json"))]);
    for store in ["i.hypso", "c.hypso"] {
        let output = at(&format!("{store}.pmtiles"));
        ok(&["aggregate", "--allow-remote", &at(store), "-o", &output, "--jobs", "1"]);
        assert_eq!(tiles(&output), local.tiles, "{store}");
    }
}

/// Runs the program with the environment of an S3 server.
fn with(s3: &S3, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(HYPSO);
    command.args(arguments).arg("--allow-remote").env("NO_COLOR", "1").envs(s3.environment()).stdin(Stdio::null());
    let output = command.output().unwrap();
    (output.status.code(), stderr(&output))
}

fn works(s3: &S3, arguments: &[&str]) -> String {
    let (code, said) = with(s3, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {said}");
    said
}

fn refuses(s3: &S3, words: &[&str], arguments: &[&str]) {
    let (code, said) = with(s3, arguments);
    assert_eq!(code, Some(1), "{arguments:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?}: no {word:?} in: {said}");
    }
}

#[test]
fn folders_and_patterns_in_buckets_are_sources() {
    let Some(s3) = S3::new() else { return };
    let local = Local::get();
    let (_guard, at) = scratch();
    s3.put("dem", b"");
    s3.put_folder("dem/s/dem10", &local.sample().join("dem10"));
    s3.put("dem/s/dem10/readme.txt", b"x");
    let (store, output) = (at("r.hypso"), at("r.pmtiles"));
    for place in ["s3://dem/s/dem10", "/vsis3/dem/s/dem10/", "s3://dem/s/dem10/*.tif", "s3://dem/s/dem10/**/*.tif"] {
        let said = works(&s3, &["build", "-o", &store, place, "--overwrite"]);
        assert!(said.contains("dem10"), "{said}");
        works(&s3, &["aggregate", &store, "-o", &output, "--jobs", "2", "--overwrite"]);
        assert_eq!(tiles(&output), local.tiles, "{place}");
    }
    let build = ["build", "-o", &store, "s3://dem/s/dem10", "--update"];
    let files = local.list.lines().count() - 1;
    let said = works(&s3, &build);
    assert!(said.contains(&format!("{files} unchanged, 0 read")), "{said}");
    // Replaced by the same bytes and others behind them, within the second that its time has.
    let name = local.list.lines().nth(1).unwrap().split(',').next().unwrap();
    let mut bytes = std::fs::read(local.sample().join("dem10").join(name)).unwrap();
    bytes.push(0);
    s3.put(&format!("dem/s/dem10/{name}"), &bytes);
    refuses(&s3, &[name, "was changed"], &["aggregate", &store, "-o", &at("x.pmtiles"), "--jobs", "1"]);
    let said = works(&s3, &build);
    assert!(said.contains("1 read"), "{said}");
    let said = works(&s3, &["aggregate", &store, "-o", &output, "--jobs", "1", "--update"]);
    assert!(said.contains("1 changed"), "{said}");
    assert_eq!(tiles(&output), local.tiles);
    s3.delete(&format!("dem/s/dem10/{name}"));
    refuses(&s3, &[name, "put it back"], &["aggregate", &store, "-o", &at("y.pmtiles"), "--jobs", "1"]);
    refuses(&s3, &["nobucket", "bucket does not exist"], &["build", "-o", &at("z.hypso"), "s3://nobucket/dem"]);
    refuses(&s3, &["s3://dem/none"], &["build", "-o", &at("z.hypso"), "s3://dem/none"]);
}

#[test]
fn files_beside_a_raster_in_a_bucket_belong_to_it() {
    let Some(s3) = S3::new() else { return };
    let local = Local::get();
    let (_guard, at) = scratch();
    let name = local.list.lines().nth(1).unwrap().split(',').next().unwrap();
    copy(&local.sample().join("dem10"), &at("dem10"));
    let file = at(&format!("dem10/{name}"));
    let mask = "<PAMDataset><PAMRasterBand band=\"1\"><Description>x</Description><UnitType>ft</UnitType></PAMRasterBand></PAMDataset>";
    std::fs::write(format!("{file}.aux.xml"), mask).unwrap();
    ok(&["tiles", &at("dem10"), "-o", &at("l.pmtiles")]);
    let expected = tiles(at("l.pmtiles"));
    assert_ne!(expected, local.tiles);
    s3.put("dem", b"");
    s3.put_folder("dem/dem10", Path::new(&at("dem10")));
    works(&s3, &["build", "-o", &at("r.hypso"), "s3://dem/dem10"]);
    works(&s3, &["aggregate", &at("r.hypso"), "-o", &at("r.pmtiles"), "--jobs", "2"]);
    assert_eq!(tiles(at("r.pmtiles")), expected);
    s3.delete(&format!("dem/dem10/{name}.aux.xml"));
    let said = works(&s3, &["build", "-o", &at("r.hypso"), "s3://dem/dem10", "--update"]);
    assert!(said.contains("1 read"), "{said}");
}

#[test]
fn shards_of_rasters_on_a_network_are_put_together_without_it() {
    let local = Local::get();
    let web = Web::new(&local.sample());
    let (_guard, at) = scratch();
    std::fs::write(at("dem10.csv"), local.urls(|name| web.url(&format!("dem10/{name}")))).unwrap();
    let (store, output, plan) = (at("r.hypso"), at("r.pmtiles"), at("plan"));
    ok(&["build", "--allow-remote", "-o", &store, &at("dem10.csv")]);
    ok(&["plan", "--allow-remote", &store, "-o", &output, "--shards", "2", "--export", &plan]);
    let shards = std::fs::read_to_string(at("plan/shards.jsonl")).unwrap().lines().count();
    fails(1, &["--allow-remote"], &["work", "--plan", &plan, "--shard", "0"]);
    for number in 0..shards {
        ok(&["work", "--allow-remote", "--plan", &plan, "--shard", &number.to_string()]);
    }
    // Whoever may ask looks at the objects once more; whoever may not takes what was made.
    let calls = web.during(|| drop(ok(&["work", "--plan", &plan, "--status"])));
    assert_eq!(calls, 0);
    let calls = web.during(|| drop(ok(&["assemble", "--plan", &plan])));
    assert_eq!(calls, 0);
    assert_eq!(tiles(output), local.tiles);
}
