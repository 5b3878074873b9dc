//! Headers of rasters, read by many threads.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::fingerprint::{fingerprint, reason_of};
use super::{Reason, Rejected};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::raster::gdal::{GdalProjector, GdalRaster, footprint_by};
use crate::raster::{Raster, RasterInfo, Unusable};
use crate::store::{DataType, RecordInput};

/// One file to scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToScan {
    /// The position of its source in the list of sources.
    pub source: usize,
    /// The source's root.
    pub root: PathBuf,
    /// The path below the root, with `/` between folders.
    pub path: String,
    /// The CRS to assume where the file has none.
    pub assume_crs: Option<String>,
}

/// What became of one file.
type Outcome = Result<RecordInput, (Reason, String)>;

/// Reads the headers of files with `threads` threads (0: one a core), and their last blocks, so that a file that was cut
/// short is found now and not in the middle of a run. Records and rejected files come in the order of `files`.
///
/// Costs some tenths of a millisecond a file, and what the disk takes for two reads.
///
/// # Errors
/// [`Error::Interrupted`] where the user asked to stop; and where an assumed CRS is not known.
pub fn scan(files: &[ToScan], threads: usize, progress: &dyn Progress) -> Result<(Vec<RecordInput>, Vec<Rejected>)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if threads == 0 { cores } else { threads }.clamp(1, files.len().max(1));
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel::<(usize, Result<Outcome>)>();
    progress.begin("reading footprints", Some(files.len() as u64), "files");
    let mut outcomes: Vec<Option<Outcome>> = files.iter().map(|_| None).collect();
    let mut failure = None;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                let mut projectors = HashMap::new();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(at) else { break };
                    if progress.interrupted() {
                        break;
                    }
                    if sender.send((at, scan_one(file, &mut projectors))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (at, outcome) in receiver {
            match outcome {
                Ok(outcome) => outcomes[at] = Some(outcome),
                // The first in the order of files, whichever thread was faster.
                Err(error) if failure.as_ref().is_none_or(|(first, _)| at < *first) => failure = Some((at, error)),
                Err(_) => {}
            }
            progress.advance(1);
        }
    });
    progress.end();
    if let Some((_, error)) = failure {
        return Err(error);
    }
    let (mut records, mut rejected) = (Vec::new(), Vec::new());
    for (file, outcome) in files.iter().zip(outcomes) {
        match outcome {
            Some(Ok(record)) => records.push(record),
            Some(Err((reason, detail))) => {
                rejected.push(Rejected { source: file.source, path: file.path.clone(), reason, detail });
            }
            None => return Err(Error::Interrupted),
        }
    }
    Ok((records, rejected))
}

/// One projector a CRS and thread; `None` for a CRS without a way to Web Mercator.
type Projectors = HashMap<String, Result<GdalProjector, String>>;

fn scan_one(file: &ToScan, projectors: &mut Projectors) -> Result<Outcome> {
    let path = file.root.join(&file.path);
    let before = match fingerprint(&path) {
        Ok(found) => found,
        Err(why) => return Ok(Err(why)),
    };
    if let Err(error) = std::fs::File::open(&path) {
        return Ok(Err((reason_of(&error), error.to_string())));
    }
    let mut raster = match GdalRaster::open_or_why(&path, file.assume_crs.as_deref())? {
        Ok(raster) => raster,
        Err(why) => return Ok(Err(reason(&path, why))),
    };
    if let Err(error) = raster.probe_end() {
        return Ok(Err((Reason::Truncated, words(error))));
    }
    let info = raster.info();
    let projector =
        projectors.entry(info.crs.clone()).or_insert_with(|| GdalProjector::new(&info.crs).map_err(|e| e.to_string()));
    let placed = match projector {
        Ok(projector) => footprint_by(info, projector).map_err(words),
        Err(problem) => Err(problem.clone()),
    };
    let (bounds, pixel_size) = match placed {
        Ok(placed) => placed,
        Err(problem) => return Ok(Err((Reason::OutsideWebMercator, problem))),
    };
    let (file_size, modified_ns) = before;
    Ok(Ok(RecordInput {
        source: file.source,
        path: file.path.clone(),
        bounds,
        pixel_size,
        width: info.width,
        height: info.height,
        crs: info.crs.clone(),
        nodata: info.nodata,
        data_type: data_type(info),
        file_size,
        modified_ns,
    }))
}

/// The reason for a file that GDAL does not take; a TIFF that it does not take is a damaged one.
fn reason(path: &Path, why: Unusable) -> (Reason, String) {
    match why {
        Unusable::NoBand => (Reason::NoBand, String::new()),
        Unusable::NoGeoreference => (Reason::NoGeoreference, String::new()),
        Unusable::NoCrs => (Reason::NoCrs, String::new()),
        Unusable::NotARaster(words) => {
            let damaged = is_tiff(path) && !words.contains("codec");
            (if damaged { Reason::Truncated } else { Reason::NotARaster }, words)
        }
    }
}

/// True where the file begins as TIFF or BigTIFF files do.
fn is_tiff(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut f| f.read_exact(&mut magic));
    read.is_ok() && matches!(&magic, b"II*\0" | b"MM\0*" | b"II+\0" | b"MM\0+")
}

/// The message of an error without the path, which stands beside it anyway.
fn words(error: Error) -> String {
    match error {
        Error::Raster { problem, .. } => problem,
        other => other.to_string(),
    }
}

/// The store's number for a type of cells.
fn data_type(info: &RasterInfo) -> DataType {
    DataType::ALL.into_iter().find(|t| t.name() == info.data_type).unwrap_or(DataType::Unknown)
}
