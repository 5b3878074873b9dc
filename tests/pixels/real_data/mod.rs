//! The program on real elevation data, against what GDAL's own tools say about the same files.
//!
//! A tile's pixel at its native zoom lies between the cells around its centre, as `gdallocationinfo` reads them, give or
//! take half a vertical step: that is what interpolation means, so no tolerance had to be chosen. Where more is asked
//! (no step at the edges of files), the reference is `gdalwarp` of a mosaic that `gdalbuildvrt` made.
#![cfg(all(feature = "cli", feature = "gdal"))]

mod asked;
mod formats;
mod fuji;
mod made;
mod parts;
mod reference;
mod seams;

use crate::common;
use made::{Made, centre};
use reference::{Reference, Source, inside, warped, warped_box};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, LazyLock, Mutex};

use hypso::archive::{self, TileSource};
use hypso::terrain::{ElevationTile, Encoding, ImageFormat, NO_SOURCE, TileCodec, VerticalResolution, decode_lineage};
use hypso::tile::{Bounds, TileCoord, web_mercator};

const CODEC: TileCodec =
    TileCodec { vertical: VerticalResolution::ByZoom, ..TileCodec::new(Encoding::Terrarium, ImageFormat::Webp) };

const SIDE: usize = 512;

/// Where archives go; one folder for the whole file, which stays as long as the test process.
static SCRATCH: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fn scratch(name: &str) -> PathBuf {
    SCRATCH.path().join(name)
}

/// Runs the program inside `folder`.
fn hypso(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hypso")).current_dir(folder).args(args).output().unwrap()
}

/// Runs the program and expects success.
fn hypso_ok(folder: &Path, args: &[&str]) {
    let run = hypso(folder, args);
    assert!(run.status.success(), "hypso {args:?}: {}", String::from_utf8_lossy(&run.stderr));
}

/// Runs one of GDAL's tools with `input` on stdin; what it wrote to stdout.
fn gdal(tool: &str, args: &[&str], input: &str) -> String {
    let mut child = Command::new(tool)
        .args(args)
        // Statistics are not to be written beside the data.
        .env("GDAL_PAM_ENABLED", "NO")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{tool}: {e}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_string();
    let feed = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let out = child.wait_with_output().unwrap();
    let _ = feed.join();
    assert!(out.status.success(), "{tool} {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn rasters(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> = entries.filter(|p| p.to_str().unwrap().ends_with(ending)).collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no {ending}", folder.display());
    files
}

/// `n` x `n` points of a box, off any lattice of the data.
fn grid(west: f64, south: f64, east: f64, north: f64, n: usize) -> Vec<(f64, f64)> {
    let at = |i: usize| (i as f64 + 0.437) / n as f64;
    (0..n * n).map(|i| (west + (east - west) * at(i % n), south + (north - south) * at(i / n))).collect()
}

/// Makes tiles of a set once.
fn made(set: &str, output: &str, args: &[&str]) -> Option<Made> {
    let folder = common::shared("dem")?.join(set);
    let path = scratch(output);
    let mut all = vec!["tiles", "-o", path.to_str().unwrap()];
    all.extend(args);
    hypso_ok(&folder, &all);
    Some(Made::open(&path))
}
