//! Threads and processes that the system refuses, views without an end, and signals: the program ends by itself, says why, and leaves
//! nothing half made.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::program::{self, HYPSO, RASTERS, names, ok, scratch, tiles};
use hypso::progress::{Progress, Status};
use hypso::raster::GeoTransform;
use hypso::raster::gdal::write_geotiff;
use hypso::raster::{GeoTiffCompression, GeoTiffSpec, GeoTiffType};
use hypso::store::Store;
use hypso::worker::{JobOptions, Launcher};
use rusqlite::Connection;

/// A folder of two rasters, their store and their tiles, as PMTiles and as two MBTiles.
fn world(path: &impl Fn(&str) -> String) {
    std::fs::create_dir(path("dem")).unwrap();
    for (name, west) in [("a", 138.0), ("b", 138.3)] {
        let spec = GeoTiffSpec {
            width: 300,
            height: 200,
            transform: GeoTransform::north_up(west, 36.0, 0.001, 0.001),
            crs: "EPSG:6668".into(),
            data_type: GeoTiffType::F32,
            nodata: None,
            tiled: None,
            compress: GeoTiffCompression::Deflate,
        };
        let cells: Vec<f32> = (0..300 * 200).map(|i| (i as f32 * 0.37).sin() * 1000.0).collect();
        write_geotiff(path(&format!("dem/{name}.tif")), &spec, &cells).unwrap();
    }
    ok(&["build", &path("dem"), "-o", &path("s.hypso")]);
    ok(&["aggregate", &path("s.hypso"), "-o", &path("t.pmtiles"), "--max-zoom", "10"]);
    ok(&["convert", &path("t.pmtiles"), "-o", &path("t.mbtiles")]);
    ok(&["convert", &path("t.pmtiles"), "-o", &path("low.mbtiles"), "--max-zoom", "7"]);
    ok(&["convert", &path("t.pmtiles"), "-o", &path("high.mbtiles"), "--min-zoom", "8"]);
}

/// Waits for a program that may not take longer than this.
fn wait(mut child: Child, at_most: Duration, what: &str) -> Output {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > at_most {
            let _ = child.kill();
            panic!("{what}: did not end within {at_most:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(HYPSO);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn where_threads_and_processes_are_refused_it_works_with_fewer_or_says_so() {
    let (folder, path) = scratch();
    world(&path);
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    // By another process: a file that this one has open for writing can't be run, nor while a test beside this one starts a program.
    assert!(Command::new("cp").args([HYPSO, RASTERS, &path("")]).status().unwrap().success());
    let program = path("hypso");
    let limited = |count: u32, arguments: &[&str]| {
        let script = format!("ulimit -u {count} && exec \"$@\"");
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--clear-groups", "bash", "-c", &script, "bash", &program]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
    };
    let can = limited(50, &["--version"]).is_ok_and(|child| child.wait_with_output().is_ok_and(|o| o.status.success()));
    if !can {
        println!("skipped: setpriv can't run programs as another user here");
        return;
    }
    let (mut worked, mut refused) = (0, 0);
    for count in [1, 2, 3, 4, 5, 6, 7, 9, 40] {
        let out = |name: &str| path(&format!("{count}-{name}"));
        for (arguments, expected) in [
            (vec!["convert", &path("t.pmtiles"), "-o", &out("c.mbtiles")], "t.mbtiles"),
            (vec!["merge", &path("low.mbtiles"), &path("high.mbtiles"), "-o", &out("m.mbtiles")], "t.mbtiles"),
            (vec!["verify", &path("t.mbtiles")], ""),
            (vec!["build", &path("dem"), "-o", &out("s.hypso")], "s.hypso"),
            (
                vec!["aggregate", &path("s.hypso"), "-o", &out("t.pmtiles"), "--max-zoom", "10", "--jobs", "3"],
                "t.pmtiles",
            ),
        ] {
            let what = format!("{count} processes: {}", arguments[0]);
            let output = wait(limited(count, &arguments).unwrap(), Duration::from_secs(60), &what);
            let said = program::stderr(&output);
            assert!(!said.contains("panicked"), "{what}: {said}");
            match output.status.code() {
                Some(0) if expected.is_empty() => {}
                Some(0) => {
                    let made = arguments.iter().skip_while(|a| **a != "-o").nth(1).unwrap();
                    let same = match expected {
                        "s.hypso" => std::fs::read(made).unwrap() == std::fs::read(path(expected)).unwrap(),
                        archive => tiles(made) == tiles(path(archive)),
                    };
                    assert!(same, "{what}");
                }
                Some(1) => {
                    assert!(said.contains("ulimit -u"), "{what}: {said}");
                    refused += 1;
                    continue;
                }
                code => panic!("{what}: {code:?}: {said}"),
            }
            worked += 1;
            assert!(count < 40 || output.status.success(), "{what}: {said}");
        }
    }
    assert!(worked >= 5 && refused >= 1, "{worked} worked, {refused} were refused");
    let left: Vec<String> = names(folder.path()).into_iter().filter(|name| name.ends_with(".tmp")).collect();
    assert_eq!(left, [""; 0]);
}

/// A listener that panics at one of the things that it is told.
struct Panics(&'static str);

impl Panics {
    fn told(&self, what: &str) {
        assert!(self.0 != what, "on purpose");
    }
}

impl Progress for Panics {
    fn begin(&self, _what: &str, _total: Option<u64>, _unit: &'static str) {}
    fn advance(&self, _steps: u64) {
        self.told("advance");
    }
    fn status(&self, _status: &Status) {
        self.told("status");
    }
    fn end(&self) {}
    fn note(&self, _message: &str) {}
    fn interrupted(&self) -> bool {
        self.told("interrupted");
        false
    }
}

#[test]
fn a_panic_in_a_thread_of_a_run_ends_the_run() {
    let (_folder, path) = scratch();
    world(&path);
    for what in ["advance", "status", "interrupted"] {
        let (out, store) = (path(&format!("{what}.pmtiles")), path("s.hypso"));
        let (done, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut options = JobOptions::new(&out);
            options.tiles.max_zoom = Some(10);
            options.budget.jobs = 3;
            let store = Store::open(store).unwrap();
            let prepared = options.prepare(&store, &hypso::render::GdalOpener).unwrap();
            let launcher = Launcher { program: HYPSO.into(), arguments: vec!["worker".into()] };
            let run = std::panic::AssertUnwindSafe(|| prepared.run(&launcher, &Panics(what)).is_ok());
            let _ = done.send(std::panic::catch_unwind(run).is_err());
        });
        let panicked =
            ended.recv_timeout(Duration::from_secs(120)).unwrap_or_else(|_| panic!("{what}: it waits for ever"));
        assert!(panicked, "{what}");
    }
}

#[test]
fn what_a_library_prints_in_a_worker_is_no_answer() {
    let (_folder, path) = scratch();
    world(&path);
    let out = path("o.pmtiles");
    let mut command = Command::new(HYPSO);
    command.args(["aggregate", &path("s.hypso"), "-o", &out, "--max-zoom", "10"]);
    // GDAL says then what it does on what is stdout.
    let child =
        command.env("CPL_DEBUG", "ON").env("CPL_LOG", "/dev/stdout").stdout(Stdio::null()).stderr(Stdio::piped());
    let output = child.output().unwrap();
    let said = program::stderr(&output);
    assert!(output.status.success() && !said.contains("trying again"), "{said}");
    assert!(tiles(&out) == tiles(path("t.pmtiles")));
}

/// An MBTiles whose tiles (or metadata) are what a view gives.
fn with_view(path: &str, tiles: &str, metadata: &str) {
    let db = Connection::open(path).unwrap();
    let columns = "n % 32 AS tile_column, n / 32 % 32 AS tile_row, x'89504e470d0a1a0a' AS tile_data";
    let c = |end: &str| format!("WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c {end})");
    let tiles = format!("CREATE VIEW tiles AS {} SELECT 5 AS zoom_level, {columns} FROM c {tiles}", c(""));
    let one = "CREATE TABLE tiles AS SELECT 0 AS zoom_level, 0 AS tile_column, 0 AS tile_row, x'89504e470d0a1a0a' AS tile_data";
    let rows = "CREATE TABLE metadata AS SELECT 'format' AS name, 'png' AS value";
    let view = format!("CREATE VIEW metadata AS {} SELECT '' AS name, '' AS value FROM c {metadata}", c(""));
    let text = if metadata.is_empty() { format!("{tiles};{rows}") } else { format!("{one};{view}") };
    db.execute_batch(&text).unwrap();
}

const COMMANDS: [&[&str]; 11] = [
    &["convert", "IN", "-o", "o.pmtiles"],
    &["convert", "IN", "-o", "o.mbtiles"],
    &["extract", "IN", "-o", "o.pmtiles", "--max-zoom", "3"],
    &["merge", "IN", "IN2", "-o", "o.mbtiles"],
    &["overviews", "IN", "-o", "o.pmtiles"],
    &["overzoom", "IN", "-o", "o.pmtiles", "--max-zoom", "9"],
    &["diff", "IN", "IN2"],
    &["inspect", "IN"],
    &["edit", "IN", "--recount"],
    &["tile", "IN", "5/0/0", "--decode"],
    &["verify", "IN"],
];

fn arguments<'a>(command: &[&'a str], input: &'a str, other: &'a str, out: &'a [String; 2]) -> Vec<&'a str> {
    let put = |&word: &&'a str| match word {
        "IN" => input,
        "IN2" => other,
        "o.pmtiles" => &out[0],
        "o.mbtiles" => &out[1],
        word => word,
    };
    command.iter().map(put).collect()
}

#[test]
fn a_view_without_an_end_is_an_error() {
    let (folder, path) = scratch();
    with_view(&path("endless.mbtiles"), "", "");
    with_view(&path("never.mbtiles"), "WHERE n < 0", "");
    with_view(&path("metadata.mbtiles"), "", "WHERE n >= 0");
    with_view(&path("silent.mbtiles"), "", "WHERE n < 0");
    let before = names(folder.path());
    let out = [path("o.pmtiles"), path("o.mbtiles")];
    for name in ["endless", "never", "metadata", "silent"] {
        let input = path(&format!("{name}.mbtiles"));
        for command in COMMANDS {
            let arguments = arguments(command, &input, &input, &out);
            if matches!(arguments[0], "merge" | "diff") {
                // An input that is given twice is refused for that.
                std::fs::copy(&input, path("other.mbtiles")).unwrap();
            }
            let other = path("other.mbtiles");
            let arguments: Vec<&str> =
                arguments.iter().enumerate().map(|(n, a)| if n == 2 && *a == input { &other } else { *a }).collect();
            let output = wait(start(&arguments), Duration::from_secs(60), &format!("{arguments:?}"));
            let said = program::stderr(&output);
            let code = if arguments[0] == "verify" { 3 } else { 1 };
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
            assert!(code == 3 || said.contains("a view that gives more rows"), "{arguments:?}: {said}");
            let _ = std::fs::remove_file(other);
        }
    }
    assert_eq!(names(folder.path()), before);
}

/// Waits until a program has its handler of SIGTERM, which comes after all its libraries: a signal before that ends it by the system's
/// own rule.
fn await_handler(child: &Child) {
    let status = format!("/proc/{}/status", child.id());
    let caught = || {
        let text = std::fs::read_to_string(&status).ok()?;
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        Some(u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << 14) != 0)
    };
    let begun = Instant::now();
    while !caught().unwrap_or(begun.elapsed() > Duration::from_millis(400)) {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never begins");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_first_signal_ends_a_statement_that_does_not_end() {
    let (folder, path) = scratch();
    for name in ["endless.mbtiles", "other.mbtiles"] {
        with_view(&path(name), "", "");
        // A large file may have many rows, so nothing but the signal ends it soon.
        std::fs::File::options().write(true).open(path(name)).unwrap().set_len(64 << 30).unwrap();
    }
    let before = names(folder.path());
    let out = [path("o.pmtiles"), path("o.mbtiles")];
    let (input, other) = (path("endless.mbtiles"), path("other.mbtiles"));
    for (n, command) in COMMANDS.iter().enumerate() {
        let arguments = arguments(command, &input, &other, &out);
        let child = start(&arguments);
        await_handler(&child);
        std::thread::sleep(Duration::from_millis(300));
        let signal = if n % 2 == 0 { "-TERM" } else { "-INT" };
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let output = wait(child, Duration::from_secs(10), &format!("{arguments:?}"));
        let said = program::stderr(&output);
        assert_eq!(output.status.code(), Some(130), "{arguments:?}: {said}");
        assert!(said.contains("interrupted; run the same command again"), "{said}");
        assert_eq!(names(folder.path()), before, "{arguments:?}");
    }
}

#[test]
fn a_run_that_a_signal_ended_goes_on_to_the_same_bytes() {
    let (folder, path) = scratch();
    world(&path);
    let out = path("o.pmtiles");
    let arguments = ["aggregate", &path("s.hypso"), "-o", &out, "--max-zoom", "10"];
    for pause in [120, 250, 400, 600] {
        let child = start(&arguments);
        std::thread::sleep(Duration::from_millis(pause));
        assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
        let output = wait(child, Duration::from_secs(10), "aggregate");
        let said = program::stderr(&output);
        let code = output.status.code();
        // Without a code: before the program had begun.
        let early = code.is_none() && said.is_empty();
        assert!(code == Some(130) || code == Some(0) || early, "{code:?}: {said}");
        let hidden: Vec<String> = names(folder.path()).into_iter().filter(|n| n.starts_with('.')).collect();
        assert_eq!(hidden, [""; 0], "{said}");
    }
    ok(&arguments);
    assert!(tiles(&out) == tiles(path("t.pmtiles")));
}

#[test]
fn the_first_signal_ends_a_call_of_gdal_that_does_not_end() {
    let (folder, path) = scratch();
    world(&path);
    std::fs::create_dir(path("slow")).unwrap();
    // GDAL waits for somebody who writes into the pipe. It is read through a file system of GDAL's own, so that nobody sees the pipe before.
    assert!(Command::new("mkfifo").arg(path("pipe.gz")).status().unwrap().success());
    let vrt = format!(
        "<VRTDataset rasterXSize=\"90\" rasterYSize=\"60\"><SRS>EPSG:3857</SRS><GeoTransform>0, 10, 0, 0, 0, -10</GeoTransform>\
         <VRTRasterBand dataType=\"Int16\" band=\"1\"><SimpleSource><SourceFilename>/vsigzip/{}</SourceFilename>\
         <SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>",
        path("pipe.gz")
    );
    std::fs::write(path("slow/v.vrt"), vrt).unwrap();
    std::fs::create_dir(path("list")).unwrap();
    std::fs::rename(path("slow/v.vrt"), path("list/v.vrt")).unwrap();
    let list = "filename,left,bottom,right,top,width,height\nv.vrt,0,-600,900,0,90,60\n";
    std::fs::write(path("list/bounds.csv"), list).unwrap();
    ok(&["build", "-o", &path("list.hypso"), &path("list/bounds.csv")]);
    std::fs::copy(path("list/v.vrt"), path("slow/v.vrt")).unwrap();
    let (store, out, made) = (path("list.hypso"), path("o.pmtiles"), path("o.hypso"));
    let before = names(folder.path());
    for (n, arguments) in [
        vec!["build", "-o", &made, &path("slow")],
        vec!["build", "-o", &made, &path("slow/v.vrt")],
        vec!["tiles", &path("slow"), "-o", &out],
        vec!["aggregate", &store, "-o", &out, "--tmpdir", &path("dem"), "--jobs", "1"],
        vec!["provenance", &store, "0.004,-0.003"],
    ]
    .into_iter()
    .enumerate()
    {
        let child = start(&arguments);
        await_handler(&child);
        std::thread::sleep(Duration::from_millis(500));
        let signal = if n % 2 == 0 { "-TERM" } else { "-INT" };
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let output = wait(child, Duration::from_secs(10), &format!("{arguments:?}"));
        let said = program::stderr(&output);
        assert_eq!(output.status.code(), Some(130), "{arguments:?}: {said}");
        assert_eq!(names(folder.path()), before, "{arguments:?}");
    }
}
