//! Makes the files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::land::Land;
use super::layout::{NODATA_VALUE, Sheet, Size, Survey, sheets, value};
use super::manifest;
use crate::atomic::AtomicFolder;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::raster;
use crate::threads;

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleSummary {
    /// Rasters.
    pub files: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// The folders of the sources, the highest priority first.
    pub sources: Vec<PathBuf>,
}

/// Makes a sample in a folder, beside it first and renamed at the end. The same size and seed give the same bytes.
///
/// # Errors
/// Where the folder exists and is not empty (unless `overwrite`, and it holds nothing but an unchanged sample), or can't be written.
pub fn write(folder: &Path, size: Size, seed: u64, overwrite: bool, progress: &dyn Progress) -> Result<SampleSummary> {
    let occupied = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if occupied || folder.is_file() {
        if !overwrite {
            return Err(Error::Exists { path: folder.to_path_buf() });
        }
        manifest::check(folder)?;
    }
    let new = AtomicFolder::create(folder, &manifest::owns)?;
    let (files, bytes) = fill(new.path(), size, seed, progress)?;
    let replaces = |old: &Path| if occupied { manifest::check(old) } else { empty(old) };
    new.commit(replaces, &manifest::owns)?;
    Ok(SampleSummary { files, bytes, sources: Survey::ALL.iter().map(|s| folder.join(s.name())).collect() })
}

/// Refuses a folder that was filled meanwhile.
fn empty(folder: &Path) -> Result<()> {
    let mut entries = std::fs::read_dir(folder).map_err(Error::io("list", folder))?;
    if entries.next().is_none() { Ok(()) } else { Err(Error::Exists { path: folder.to_path_buf() }) }
}

fn fill(folder: &Path, size: Size, seed: u64, progress: &dyn Progress) -> Result<(usize, u64)> {
    for survey in Survey::ALL {
        let path = folder.join(survey.name());
        std::fs::create_dir_all(&path).map_err(Error::io("make", &path))?;
    }
    let land = Land { seed, radius: size.radius() };
    let sheets = sheets(size);
    let rows: u64 = sheets.iter().map(|s| u64::from(s.spec.height)).sum();
    progress.begin("making terrain", Some(rows), "rows");
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    threads::share(cores, || {
        while let Some(sheet) = sheets.get(next.fetch_add(1, Ordering::SeqCst)) {
            if let Err(error) = make(folder, &land, sheet, progress) {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return;
            }
        }
    });
    progress.end();
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut written = BTreeMap::new();
    for sheet in &sheets {
        let name = format!("{}/{}", sheet.survey.name(), sheet.file);
        let path = folder.join(&name);
        written.insert(name, std::fs::metadata(&path).map_err(Error::io("look at", &path))?.len());
    }
    let bytes = written.values().sum();
    for (name, text) in TEXTS {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(Error::io("write", &path))?;
    }
    manifest::write(folder, written)?;
    Ok((sheets.len(), bytes))
}

fn make(folder: &Path, land: &Land, sheet: &Sheet, progress: &dyn Progress) -> Result<()> {
    let mut cells = Vec::with_capacity(sheet.spec.width as usize * sheet.spec.height as usize);
    for row in 0..sheet.spec.height {
        if progress.interrupted() {
            return Err(Error::Interrupted);
        }
        cells.extend((0..sheet.spec.width).map(|col| value(land, sheet, col, row).unwrap_or(NODATA_VALUE)));
        progress.advance(1);
    }
    raster::reader()?.write_geotiff(&folder.join(sheet.survey.name()).join(&sheet.file), &sheet.spec, &cells)
}

/// The texts of a sample, by their names.
pub(super) const TEXTS: [(&str, &str); 2] = [("hypso.toml", CONFIG), ("README.txt", README)];

const CONFIG: &str = r#"# The sources in order of priority: the first one wins wherever it has data.

[[source]]
name = "lidar2"
path = "lidar2"
attribution = "hypso sample survey (2 m)"
licence = "CC0-1.0"
vertical_datum = "EPSG:6695"

[[source]]
name = "dem10"
path = "dem10"
attribution = "hypso sample survey (10 m)"
licence = "CC0-1.0"
vertical_datum = "EPSG:6695"

[[source]]
name = "aw30"
path = "aw30"
attribution = "hypso sample survey (30 m)"
licence = "CC0-1.0"
vertical_datum = "EPSG:5773"
"#;

const README: &str = "\
An island that does not exist, surveyed three times; made by `hypso sample`.

  lidar2  2 m, EPSG:32654, float32: one valley, with a ragged edge and holes
  dem10   0.4 arc seconds, EPSG:6668, float32: the middle of the island, the sea and a lake without data, one mesh missing
  aw30    1 arc second, EPSG:4326, int16: everything, the sea at 0 m

sample.json lists the files; `hypso sample --overwrite` replaces a folder only where it holds nothing else.

Next:

  hypso tiles lidar2 dem10 aw30 -o sample.pmtiles
";
