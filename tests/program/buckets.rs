//! Packs in a bucket: made by tasks that share nothing else, and put together by ranges.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use hypso::render::{Layer, Made, UnitReport};
use hypso::tile::TileCoord;
use hypso::worker::{Pack, PackWriter};
use serde_json::Value;

use crate::common::Random;
use crate::common::ranges::{Faults, Ranges};
use crate::objects::{S3, Web, client};
use crate::program::{HYPSO, ok, printed};
use crate::shards::{Run, TILES, code, numbers};

/// Where tasks put packs.
const PACKS: &str = "s3://bucket/packs/x";

/// The program, in a folder, with a server at this address.
fn command(server: SocketAddr, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(HYPSO);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.env("NO_COLOR", "1").env("NO_PROXY", "127.0.0.1").envs(client(server));
    command
}

/// A plan, and a bucket for its packs.
struct Shared {
    run: Run,
    s3: S3,
}

impl Shared {
    fn new(shards: &str) -> Option<Self> {
        S3::new().map(|s3| Self::on(s3, shards))
    }

    fn on(s3: S3, shards: &str) -> Self {
        s3.put("bucket", b"");
        let run = Run::new();
        run.plan(shards);
        Self { run, s3 }
    }

    fn folder(&self) -> PathBuf {
        self.run.at("").into()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.command_in(&self.folder(), arguments)
    }

    fn command_in(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = command(self.s3.address, folder, arguments);
        command.envs(self.s3.client());
        command
    }

    fn hypso(&self, arguments: &[&str]) -> (Option<i32>, String) {
        code(&self.command(arguments).output().unwrap())
    }

    fn shard(&self, number: &str) -> (Option<i32>, String) {
        self.hypso(&["work", "--plan", "plan", "--packs", PACKS, "--shard", number])
    }

    fn status(&self) -> Value {
        let arguments = ["work", "--plan", "plan", "--packs", PACKS, "--status", "--print", "json"];
        let output: Output = self.command(&arguments).output().unwrap();
        assert!(output.status.success(), "{}", code(&output).1);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The packs in the bucket.
    fn packs(&self) -> Vec<String> {
        self.s3.names("bucket", "packs/x/packs/")
    }
}

#[test]
fn packs_in_a_bucket_give_the_archive_of_one_run() {
    S3::each().for_each(|s3| packs_give_the_archive(&Shared::on(s3, "3")));
}

fn packs_give_the_archive(shared: &Shared) {
    assert_eq!(numbers(&shared.status()["missing"]), [0, 1, 2, 3]);
    let (exit, said) = shared.shard("3");
    assert!(exit == Some(75) && said.contains("0-2"), "{exit:?} {said}");
    // Killed with its workers: nothing half made has a name, and what is made is not made again.
    let arguments = ["work", "--plan", "plan", "--packs", PACKS, "--shard", "0", "--jobs", "1"];
    let mut child = shared.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while shared.packs().len() < 2 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!shared.packs().is_empty());
    let (exit, said) = shared.shard("0");
    assert!(exit == Some(0) && said.contains("were there"), "{exit:?} {said}");
    let (exit, said) = shared.shard("0");
    assert!(exit == Some(0) && said.contains("0 units made"), "{said}");
    // Two machines that do not know of each other make the same shard at once.
    let copied = Command::new("cp").args(["-r", "plan", "plan2"]).current_dir(shared.folder()).status();
    assert!(copied.unwrap().success());
    let twice = ["plan", "plan2"].map(|plan| {
        let arguments = ["work", "--plan", plan, "--packs", PACKS, "--shard", "1"];
        shared.command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    });
    for child in twice {
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output).0, Some(0), "{}", code(&output).1);
    }
    assert_eq!(numbers(&shared.status()["made"]), [0, 1]);
    let assemble = ["assemble", "--plan", "plan", "--packs", PACKS];
    let (exit, said) = shared.hypso(&assemble);
    assert!(exit == Some(75) && said.contains("shards 2-3 of 4 are not made"), "{said}");
    for number in ["2", "3"] {
        assert_eq!(shared.shard(number).0, Some(0), "{number}");
    }
    assert!(!Path::new(&shared.run.at("x.pmtiles.work")).exists(), "nothing of them is on this machine");
    let (exit, said) = shared.hypso(&assemble);
    assert_eq!(exit, Some(0), "{said}");
    assert_eq!(std::fs::read(shared.run.at("x.pmtiles")).unwrap(), shared.run.whole());
    assert_eq!(shared.s3.names("bucket", ""), [""; 0], "packs and note are gone");
    assert!(!Path::new(&shared.run.at("x.pmtiles.work")).exists());
    let (exit, said) = shared.shard("1");
    assert!(exit == Some(0) && said.contains("is there already"), "{said}");
}

#[test]
fn the_archive_of_packs_in_a_bucket_goes_into_a_bucket() {
    S3::each().for_each(|s3| the_archive_goes_into_a_bucket(&Shared::on(s3, "2")));
}

fn the_archive_goes_into_a_bucket(shared: &Shared) {
    let out = "s3://bucket/out/x.pmtiles";
    for number in ["0", "1", "2"] {
        assert_eq!(shared.shard(number).0, Some(0), "{number}");
    }
    let empty = tempfile::tempdir().unwrap();
    let plan = shared.run.at("plan");
    let assemble = ["assemble", "--plan", &plan, "--packs", PACKS, "-o", out];
    let here = |arguments: &[&str]| code(&shared.command_in(empty.path(), arguments).output().unwrap());
    // Something else has its name: neither is touched.
    shared.s3.put("bucket/out/x.pmtiles", b"mine");
    let (exit, said) = here(&assemble);
    assert!(exit == Some(1) && said.contains(out) && said.contains("exists already"), "{exit:?} {said}");
    shared.s3.delete("bucket/out/x.pmtiles");
    let (exit, said) = here(&assemble);
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains(out), "{said}");
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0, "nothing stays on this machine");
    let names = ["out/x.pmtiles", "out/x.pmtiles.inputs", "out/x.report.json"];
    assert_eq!(shared.s3.names("bucket", ""), names);
    let (exit, said) = here(&["convert", out, "-o", "back.pmtiles"]);
    assert_eq!(exit, Some(0), "{said}");
    let back = std::fs::read(empty.path().join("back.pmtiles")).unwrap();
    assert_eq!(back, shared.run.whole());
    // Late tasks and a second assembly find it.
    for arguments in [&assemble[..], &["work", "--plan", &plan, "--packs", PACKS, "--output", out, "--shard", "0"]] {
        let (exit, said) = here(arguments);
        assert!(exit == Some(0) && said.contains("is there already"), "{exit:?} {said}");
    }
    assert_eq!(shared.s3.names("bucket", ""), names);
}

#[test]
fn what_is_wrong_with_a_bucket_is_named_and_says_whether_to_try_again() {
    let Some(shared) = Shared::new("1") else { return };
    let at = |packs: &str| {
        let all = [&["work", "--shard", "0"][..], &["work", "--status"], &["assemble"]];
        all.map(|what| shared.hypso(&[what, &["--plan", "plan", "--packs", packs]].concat()))
    };
    for (exit, said) in at("s3://none/packs") {
        assert!(
            exit == Some(1) && said.contains("s3://none/packs") && said.contains("no such bucket"),
            "{exit:?} {said}"
        );
    }
    let (exit, said) = &at("http://127.0.0.1:9/packs")[0];
    assert!(*exit == Some(2) && said.contains("is no place"), "{exit:?} {said}");
    let server = Ranges::new();
    for (status, text, code_expected, words) in [
        (403, "<Error><Code>AccessDenied</Code></Error>", 1, "check the credentials"),
        (400, "<Error><Code>ExpiredToken</Code></Error>", 1, "get new ones, and run the same command again"),
        (503, "<Error><Code>SlowDown</Code></Error>", 75, "run the same command again"),
    ] {
        server.fail(Faults { status: Some((status, text.into())), ..Faults::default() });
        let arguments = ["work", "--plan", "plan", "--packs", PACKS, "--shard", "0"];
        let (exit, said) = code(&command(server.address, &shared.folder(), &arguments).output().unwrap());
        assert_eq!(exit, Some(code_expected), "{said}");
        assert!(said.contains(PACKS) && said.contains(words), "{status}: {said}");
    }
    // The packs of another run.
    assert_eq!(shared.shard("0").0, Some(0));
    let before = shared.s3.names("bucket", "");
    let (store, output) = (shared.run.at("x.hypso"), shared.run.at("x.pmtiles"));
    let again = ["plan", &store, "-o", &output, "--shards", "1", "--export", &shared.run.at("plan"), "--format", "png"];
    printed(&[&again[..], &TILES].concat());
    for (exit, said) in [shared.shard("0"), shared.hypso(&["assemble", "--plan", "plan", "--packs", PACKS])] {
        assert!(exit == Some(1) && said.contains("unfinished run") && said.contains(PACKS), "{exit:?} {said}");
    }
    assert_eq!(shared.s3.names("bucket", ""), before);
}

/// Whoever may read packs of a web server alone puts them together, too.
#[test]
fn packs_on_a_web_server_are_read() {
    let run = Run::new();
    run.plan("2");
    for number in ["0", "1", "2"] {
        ok(&["work", "--plan", &run.at("plan"), "--packs", &run.at("web/made"), "--shard", number]);
    }
    let web = Web::new(Path::new(&run.at("web")));
    let packs = web.url("made");
    let status = printed(&["work", "--plan", &run.at("plan"), "--packs", &packs, "--status", "--print", "json"]);
    assert_eq!(numbers(&serde_json::from_str::<Value>(&status).unwrap()["made"]), [0, 1, 2]);
    // A look and the tiles of each zoom: opened, and read where they did not come with that.
    let units: u64 = run.lines().iter().map(|line| line["units"].as_u64().unwrap()).sum();
    let calls = web.during(|| drop(ok(&["assemble", "--plan", &run.at("plan"), "--packs", &packs])));
    assert!(calls <= 2 + units + 2 * 6 * units, "{calls} requests for {units} units");
    assert_eq!(std::fs::read(run.at("x.pmtiles")).unwrap(), run.whole());
    assert!(Path::new(&run.at("web/made/run.json")).exists(), "what a web server has stays");
}

/// Peak of resident memory, bytes.
fn peak(mut command: Command) -> (u64, String) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("");
        peak = peak.max(line.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) << 10);
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap();
    let (exit, said) = code(&output);
    assert_eq!(exit, Some(0), "{said}");
    (peak, said)
}

/// Packs of noise, far more than may be in memory: eight packs at a time, each with twice the tiles of one zoom.
#[cfg(target_os = "linux")]
#[test]
fn an_archive_is_put_together_from_a_bucket_in_bounded_memory() {
    let Some(shared) = Shared::new("1") else { return };
    let run = &shared.run;
    let (store, output, plan) = (run.at("x.hypso"), run.at("x.pmtiles"), run.at("plan"));
    let wide = ["plan", &store, "-o", &output, "--shards", "4", "--export", &plan];
    printed(&[&wide[..], &["--coverage", "full", "--max-zoom", "10", "--split", "0-5,6-10"]].concat());
    let common: Value = serde_json::from_str(&std::fs::read_to_string(run.at("plan/plan.json")).unwrap()).unwrap();
    let of_run = common["job"]["run"].as_u64().unwrap();
    let steps: Vec<_> =
        common["groups"].as_array().unwrap().iter().flat_map(|g| g["steps"].as_array().unwrap()).collect();
    let mut random = Random(3);
    let mut noise =
        |length: usize| -> Vec<u8> { (0..length.div_ceil(8)).flat_map(|_| random.next().to_le_bytes()).collect() };
    let local = PathBuf::from(run.at("made"));
    std::fs::create_dir_all(local.join("packs")).unwrap();
    let (mut all, mut count) = (0, 0);
    const TILE: usize = 40_000;
    for line in run.lines() {
        for (step, units) in steps.iter().zip(line["steps"].as_array().unwrap()) {
            let [min, max, _] = [0, 1, 2].map(|n| step[n].as_u64().unwrap() as u8);
            for unit in units.as_array().unwrap() {
                let block: TileCoord = unit[0].as_str().unwrap().parse().unwrap();
                let zooms = hypso::plan::ZoomRange::new(min, max).unwrap();
                let mut pack = PackWriter::create(&Pack::path(&local, zooms, block), of_run).unwrap();
                let mut tiles = vec![block];
                while tiles[0].z() < min {
                    tiles = tiles.iter().flat_map(|tile| tile.children().into_iter().flatten()).collect();
                }
                for z in min..=max {
                    for &tile in &tiles {
                        let made = Made { tile, layer: Layer::Elevation, wanted: true, bytes: noise(TILE) };
                        pack.put(&made).unwrap();
                        all += TILE as u64;
                    }
                    if z < max {
                        tiles = tiles.iter().flat_map(|tile| tile.children().into_iter().flatten()).collect();
                    }
                }
                pack.finish(&mut UnitReport::default(), Duration::ZERO).unwrap();
                count += 1;
            }
        }
    }
    shared.s3.put_folder("bucket/packs/x", &local);
    std::fs::remove_dir_all(&local).unwrap();
    let most = 8 * 2 * 64 * TILE as u64;
    // A little of it, for what the program takes by itself.
    let (base, _) = peak(shared.command(&["work", "--plan", "plan", "--packs", PACKS, "--status"]));
    let (found, said) = peak(shared.command(&["assemble", "--plan", "plan", "--packs", PACKS]));
    println!("{count} packs of {all} bytes: {found} bytes at most, {base} without tiles");
    assert!(all > 4 * most, "{all} {most}");
    assert!(found < base + most + (16 << 20), "{found}, {base} for nothing: {said}");
    let size = std::fs::metadata(&output).unwrap().len();
    assert!(size > all, "{size} {all}");
    ok(&["inspect", &output]);
}
