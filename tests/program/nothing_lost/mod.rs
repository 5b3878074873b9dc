//! Nothing that is not ours is replaced or removed; programs that were killed, or that work at the same time, are in nobody's
//! way; and what is read while it changes is noticed.
#![cfg(unix)]

mod changed;
mod killed;
mod replaced;

use crate::common;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::program::{HYPSO, World, fails, hypso, names, ok, scratch, stderr, surveyed, tiles};
use hypso::archive::{self, ArchiveMetadata, CreateOptions};
use hypso::raster::GeoTransform;
use hypso::raster::gdal::write_geotiff;
use hypso::raster::{GeoTiffCompression, GeoTiffSpec, GeoTiffType};
use hypso::tile::TileId;

/// Everything below a folder: paths, and what is in the files; links as links.
fn tree(folder: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let (path, kind) = entry.map(|e| (e.path(), e.file_type().unwrap())).unwrap();
        let is_dir = kind.is_dir();
        found.push((path.clone(), kind.is_file().then(|| std::fs::read(&path).unwrap())));
        if is_dir {
            found.extend(tree(&path));
        }
    }
    found.sort();
    found
}
