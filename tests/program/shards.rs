//! A run that is cut into shards: made one by one, killed, made elsewhere, and put together.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{HYPSO, fails, hypso, ok, printed};
use crate::surface::Sheet;

/// A raster of 2,000 km, coarse, made into tiles of zoom 9: ten blocks and more.
pub(crate) struct Run {
    folder: tempfile::TempDir,
}

pub(crate) const TILES: [&str; 6] = ["--coverage", "full", "--max-zoom", "9", "--split", "0-5,6-9"];

impl Run {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("dem")).unwrap();
        let sheet = Sheet::north_up("EPSG:3857", 14_600_000.0, 5_000_000.0, 8000.0, 250, 250);
        sheet.write(&folder.path().join("dem/a.tif"), &|x, y| {
            (x / 90_000.0).sin() * 900.0 + (y / 70_000.0).cos() * 700.0
        });
        let run = Self { folder };
        ok(&["build", "-o", &run.at("x.hypso"), "--tile-size", "256", &run.at("dem")]);
        run
    }

    pub(crate) fn at(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn plan(&self, count: &str) {
        let (store, output, folder) = (self.at("x.hypso"), self.at("x.pmtiles"), self.at("plan"));
        let own = ["plan", &store, "-o", &output, "--shards", count, "--export", &folder];
        printed(&[&own[..], &TILES].concat());
    }

    fn shard(&self, number: &str) -> Output {
        hypso(&["work", "--plan", &self.at("plan"), "--shard", number])
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("plan/shards.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn status(&self) -> Value {
        serde_json::from_str(&printed(&["work", "--plan", &self.at("plan"), "--status", "--print", "json"])).unwrap()
    }

    /// The archive as one run makes it.
    pub(crate) fn whole(&self) -> Vec<u8> {
        std::fs::create_dir(self.folder.path().join("one")).unwrap();
        ok(&[&["aggregate", &self.at("x.hypso"), "-o", &self.at("one/x.pmtiles")][..], &TILES].concat());
        std::fs::read(self.at("one/x.pmtiles")).unwrap()
    }
}

pub(crate) fn code(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

pub(crate) fn numbers(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
}

#[test]
fn shards_are_alike_and_know_what_they_need() {
    let run = Run::new();
    run.plan("4");
    let lines = run.lines();
    let (top, shards) = lines.split_last().unwrap();
    assert_eq!(shards.len(), 4);
    assert_eq!(numbers(&top["needs"]), [0, 1, 2, 3]);
    let tiles = |line: &Value| line["tiles"].as_u64().unwrap();
    // Alike by what the tiles that were tried took, whatever else the machine did meanwhile.
    let seconds: Vec<f64> = shards.iter().map(|line| line["cpu_seconds"].as_f64().unwrap()).collect();
    let (least, most) = (seconds.iter().copied().fold(f64::MAX, f64::min), seconds.iter().copied().fold(0.0, f64::max));
    assert!(most <= least * 1.25, "{seconds:?}");
    assert!(shards.iter().all(|line| tiles(top) * 4 < tiles(line)), "the top is small: {}", tiles(top));
    let plan = printed(&[&["plan", &run.at("x.hypso"), "--print", "json"][..], &TILES].concat());
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(lines.iter().map(tiles).sum::<u64>(), plan["tiles"].as_u64().unwrap());
    for line in shards {
        assert!(numbers(&line["needs"]).is_empty());
        let rasters = line["rasters"].as_array().unwrap();
        let path = rasters[0]["path"].as_str().unwrap();
        assert!(rasters.len() == 1 && Path::new(path).ends_with("dem/a.tif"), "{rasters:?}");
        assert_eq!(rasters[0]["content"].as_str().unwrap().len(), 16, "{rasters:?}");
        assert!(line["memory_bytes"].as_u64().unwrap() > 50_000_000 && line["cpu_seconds"].as_f64().unwrap() > 0.0);
    }
    // More than there are blocks: as many as there can be.
    run.plan("5000");
    assert!(run.lines().len() > 10 && run.lines().len() < 100, "{}", run.lines().len());
}

#[test]
fn shards_made_anywhere_in_any_order_and_killed_give_the_archive_of_one_run() {
    let run = Run::new();
    run.plan("3");
    let status = run.status();
    assert_eq!((numbers(&status["missing"]), numbers(&status["made"])), (vec![0, 1, 2, 3], vec![]));
    // The top is made of the others.
    let (exit, said) = code(&run.shard("3"));
    assert!(exit == Some(75) && said.contains("0-2"), "{exit:?} {said}");
    // Killed with its workers, and made again.
    let mut child = Command::new(HYPSO)
        .args(["work", "--jobs", "1", "--plan", &run.at("plan"), "--shard", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let packs = PathBuf::from(run.at("x.pmtiles.work/packs"));
    let begun = Instant::now();
    while !packs.exists() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(code(&run.shard("0")).0, Some(0));
    let (exit, said) = code(&run.shard("0"));
    assert!(exit == Some(0) && said.contains("0 units made"), "{said}");
    // Another process makes shard 1.
    let lock = std::fs::File::create(run.at("plan/shard-1.lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(numbers(&run.status()["running"]), [1]);
    let (exit, said) = code(&run.shard("1"));
    assert!(exit == Some(75) && said.contains("another process"), "{said}");
    drop(lock);
    // On a machine with paths of its own, by an engine's variable.
    std::fs::copy(run.at("x.hypso"), run.at("copy.hypso")).unwrap();
    let mut engine = Command::new(HYPSO);
    engine.args(["work", "--plan", &run.at("plan"), "--shard", "--offset", "1", "--store", &run.at("copy.hypso")]);
    assert_eq!(code(&engine.env("SLURM_ARRAY_TASK_ID", "0").output().unwrap()).0, Some(0));
    // Packs that were made apart are brought along.
    let apart = run.at("apart");
    ok(&["work", "--plan", &run.at("plan"), "--shard", "2", "--packs", &apart]);
    let (exit, said) = code(&hypso(&["assemble", "--plan", &run.at("plan")]));
    assert!(exit == Some(75) && said.contains("shards 2-3 of 4 are not made"), "{said}");
    let copied = Command::new("cp").args(["-r", &format!("{apart}/packs"), &run.at("x.pmtiles.work")]).status();
    assert!(copied.unwrap().success());
    assert_eq!(numbers(&run.status()["missing"]), [3]);
    assert_eq!(code(&run.shard("3")).0, Some(0));
    ok(&["assemble", "--plan", &run.at("plan")]);
    assert_eq!(std::fs::read(run.at("x.pmtiles")).unwrap(), run.whole());
    assert!(!Path::new(&run.at("x.pmtiles.work")).exists(), "nothing is left but what was asked for");
    // A late copy of a task finds the archive, and makes nothing.
    let (exit, said) = code(&run.shard("1"));
    assert!(exit == Some(0) && said.contains("is there already"), "{said}");
    assert!(!Path::new(&run.at("x.pmtiles.work")).exists());
    assert_eq!(run.status()["assembled"], true);
}

#[test]
fn what_does_not_belong_to_the_plan_is_named() {
    let run = Run::new();
    run.plan("2");
    let plan = run.at("plan");
    fails(2, &["--shard", "they are 0 to 2"], &["work", "--plan", &plan, "--shard", "9"]);
    fails(2, &["SLURM_ARRAY_TASK_ID"], &["work", "--plan", &plan, "--shard"]);
    fails(2, &["--unit"], &["work", "--plan", &plan, "--unit", "0"]);
    fails(2, &["--shards"], &["work", "--plan", &run.at("x.hypso"), "--shard", "0"]);
    // Another store.
    let other = run.at("other.hypso");
    ok(&["build", "-o", &other, "--tile-size", "512", &run.at("dem")]);
    fails(1, &["other.hypso", "plan was made for"], &["work", "--plan", &plan, "--shard", "0", "--store", &other]);
    // The packs of another run.
    let packs = run.at("packs");
    ok(&["work", "--plan", &plan, "--shard", "0", "--packs", &packs]);
    let (store, output) = (run.at("x.hypso"), run.at("x.pmtiles"));
    let again = ["plan", &store, "-o", &output, "--shards", "2", "--export", &plan, "--format", "png"];
    printed(&[&again[..], &TILES].concat());
    fails(1, &["packs", "unfinished run"], &["work", "--plan", &plan, "--shard", "0", "--packs", &packs]);
    // Altered.
    for name in ["plan.json", "shards.jsonl"] {
        let path = Path::new(&plan).join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("6/", "7/", 1).replacen("x.pmtiles", "y.pmtiles", 1)).unwrap();
        fails(1, &[name], &["work", "--plan", &plan, "--shard", "0"]);
        std::fs::write(&path, text).unwrap();
    }
    // A folder of somebody's is not written over.
    let mine = run.at("mine");
    std::fs::create_dir(&mine).unwrap();
    std::fs::write(Path::new(&mine).join("plan.json"), "mine").unwrap();
    let into = ["plan", &store, "-o", &output, "--shards", "2", "--export", &mine];
    fails(1, &["plan.json", "exists"], &[&into[..], &TILES].concat());
    assert_eq!(std::fs::read(Path::new(&mine).join("plan.json")).unwrap(), b"mine");
    // A plan of another version is named as such, and left: its tasks may be at work.
    let path = Path::new(&plan).join("plan.json");
    let older = std::fs::read_to_string(&path).unwrap().replacen("hypso shards 2", "hypso shards 1", 1);
    std::fs::write(&path, &older).unwrap();
    let words = ["plan.json", "another version", "hypso shards 1", "another folder", "`hypso plan --shards`"];
    fails(1, &words, &[&["plan", &store, "-o", &output, "--shards", "2", "--export", &plan][..], &TILES].concat());
    fails(1, &["plan.json", "hypso shards 1", "`hypso plan --shards`"], &["work", "--plan", &plan, "--shard", "0"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), older);
}

/// A machine that has copies of the rasters, with times of their own, below a folder of its own.
#[test]
fn copies_of_rasters_are_known_by_their_contents() {
    let run = Run::new();
    // A sidecar travels with its raster.
    std::fs::write(run.at("dem/a.tfw"), "8000\n0\n0\n-8000\n14604000\n4996000\n").unwrap();
    ok(&["build", "--overwrite", "-o", &run.at("x.hypso"), "--tile-size", "256", &run.at("dem")]);
    run.plan("2");
    let staged = run.at("scratch/dem");
    std::fs::create_dir_all(&staged).unwrap();
    let line = &run.lines()[0];
    let raster = &line["rasters"][0];
    assert!(!raster["further"].as_array().unwrap().is_empty(), "{raster}");
    let bring = || {
        for file in raster["further"].as_array().unwrap().iter().chain([raster]) {
            let path = Path::new(file["path"].as_str().unwrap());
            std::fs::write(Path::new(&staged).join(path.file_name().unwrap()), std::fs::read(path).unwrap()).unwrap();
        }
    };
    let plan = run.at("plan");
    let root = format!("dem={staged}");
    let at = |number: &str| hypso(&["work", "--plan", &plan, "--shard", number, "--source-root", &root]);
    fails(1, &["a.tif", "No such file"], &["work", "--plan", &plan, "--shard", "0", "--source-root", &root]);
    bring();
    fails(
        2,
        &["--source-root", "no source \"dom\"", "it has dem"],
        &["work", "--plan", &plan, "--shard", "0", "--source-root", "dom=/x"],
    );
    assert_eq!(code(&at("0")).0, Some(0));
    // Made here with the originals: the other one.
    assert_eq!(code(&run.shard("1")).0, Some(0));
    // Of the same size, with another end: not silently.
    let copy = Path::new(&staged).join("a.tif");
    let whole = std::fs::read(&copy).unwrap();
    let mut other = whole.clone();
    *other.last_mut().unwrap() ^= 1;
    std::fs::write(&copy, &other).unwrap();
    let (exit, said) = code(&at("0"));
    assert!(exit == Some(1) && said.contains("is no copy of") && said.contains("other bytes"), "{exit:?} {said}");
    std::fs::write(&copy, &whole[..1000]).unwrap();
    let (exit, said) = code(&at("0"));
    assert!(exit == Some(1) && said.contains("has 1000 bytes instead of"), "{exit:?} {said}");
    bring();
    // The top is made where the copies are; the archive is put together where no raster is, under another name.
    assert_eq!(numbers(&run.status()["made"]), [0, 1]);
    assert_eq!(code(&at("2")).0, Some(0));
    let whole = run.whole();
    std::fs::rename(run.at("dem"), run.at("away")).unwrap();
    let (packs, other) = (run.at("x.pmtiles.work"), run.at("other.pmtiles"));
    ok(&["assemble", "--plan", &plan, "--packs", &packs, "--output", &other]);
    assert_eq!(std::fs::read(&other).unwrap(), whole);
}

#[test]
fn a_raster_that_was_changed_is_read_again_whoever_made_the_shard() {
    let run = Run::new();
    run.plan("2");
    for number in ["0", "1", "2"] {
        assert_eq!(code(&run.shard(number)).0, Some(0));
    }
    let raster = run.at("dem/a.tif");
    let later = std::fs::metadata(&raster).unwrap().modified().unwrap() + Duration::from_secs(3);
    std::fs::File::options().write(true).open(&raster).unwrap().set_modified(later).unwrap();
    assert_eq!(numbers(&run.status()["missing"]), [0, 1, 2]);
    let (exit, said) = code(&run.shard("0"));
    assert!(exit == Some(1) && said.contains("a.tif"), "{exit:?} {said}");
    fails(75, &["0-2"], &["assemble", "--plan", &run.at("plan")]);
}
