//! The real program, and GDAL's, as tests run them.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use hypso::archive;
use hypso::progress::Silent;
use hypso::sample::{self, Size};
use hypso::tile::TileCoord;
use tempfile::TempDir;

pub const HYPSO: &str = env!("CARGO_BIN_EXE_hypso");
/// The program that it starts where rasters are read.
pub const RASTERS: &str = env!("CARGO_BIN_EXE_hypso-rasters");

pub fn hypso(arguments: &[&str]) -> Output {
    Command::new(HYPSO).args(arguments).env("NO_COLOR", "1").stdin(Stdio::null()).output().unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs what must work; gives stdout.
pub fn printed(arguments: &[&str]) -> String {
    let output = hypso(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs what must work; gives stderr.
pub fn ok(arguments: &[&str]) -> String {
    let output = hypso(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

/// Runs what must fail: with this exit code, and all of these words in the message.
pub fn fails(code: i32, words: &[&str], arguments: &[&str]) {
    let output = hypso(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?}: no {word:?} in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

/// Runs the program, and gives the largest memory that it or one of its processes took (MB), its exit code, and what it said.
pub fn peak(arguments: &[&str]) -> (u64, Option<i32>, String) {
    const MEASURE: &str = "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode; \
                           print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, code)";
    let mut python = Command::new("/usr/bin/python3");
    let output = python.args(["-c", MEASURE, HYPSO]).args(arguments).env("NO_COLOR", "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (kilobytes, code) = text.trim().split_once(' ').unwrap();
    (kilobytes.parse::<u64>().unwrap() / 1024, code.parse().ok(), stderr(&output))
}

/// All tiles of an archive.
pub fn tiles(path: impl AsRef<Path>) -> BTreeMap<TileCoord, Vec<u8>> {
    let archive = archive::open(path.as_ref()).unwrap();
    let ids: Vec<_> = archive.ids().unwrap().map(|id| id.unwrap().coord().unwrap()).collect();
    ids.into_iter().map(|tile| (tile, archive.tile(tile).unwrap().unwrap())).collect()
}

/// What lies in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Makes the small sample in a folder.
pub fn small_sample(folder: &Path) {
    crate::common::read_rasters();
    sample::write(folder, Size::Small, 1, false, &Silent).unwrap();
}

/// A sample, its store, and a finished run with lineage; made once for all tests of a program.
pub struct World {
    pub folder: TempDir,
}

impl World {
    pub fn get() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            small_sample(&folder.path().join("s"));
            let world = Self { folder };
            let config = world.path("s/hypso.toml");
            ok(&["build", "-o", &world.path("s.hypso"), "--config", &config]);
            ok(&["aggregate", &world.path("s.hypso"), "-o", &world.path("s.pmtiles"), "--lineage", "--jobs", "2"]);
            world
        })
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

/// True where GDAL's programs are there; where not, under CI, a failure.
pub fn gdal() -> bool {
    let found = ["ogrinfo", "ogr2ogr", "gdaltindex"]
        .iter()
        .all(|program| Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success()));
    assert!(found || std::env::var_os("CI").is_none(), "GDAL's programs are not installed");
    if !found {
        eprintln!("skipped: GDAL's programs are not installed; run scripts/install-gdal.sh --tests");
    }
    found
}

/// What a program of GDAL's prints.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    assert!(!said.contains("Warning") && !said.contains("ERROR"), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

pub fn scratch() -> (TempDir, impl Fn(&str) -> String) {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    (folder, move |name: &str| base.join(name).display().to_string())
}

/// A copy of a small sample (`s`, three sources) with times of its own, and its store `s.hypso`.
pub fn surveyed(folder: &Path) -> Vec<u8> {
    static SAMPLE: OnceLock<TempDir> = OnceLock::new();
    let sample = SAMPLE.get_or_init(|| {
        let sample = tempfile::tempdir().unwrap();
        small_sample(&sample.path().join("s"));
        sample
    });
    run("cp", &["-r", &sample.path().join("s").display().to_string(), &folder.display().to_string()]);
    let store = folder.join("s.hypso").display().to_string();
    ok(&["build", "-o", &store, "--config", &folder.join("s/hypso.toml").display().to_string()]);
    std::fs::read(store).unwrap()
}
