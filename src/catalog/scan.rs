//! Headers of rasters, read by many threads.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use super::fingerprint::{fingerprint, reason_of};
use super::spec::extension;
use super::{KnownSource, Reason, part_path};
use crate::error::{Error, Result};
use crate::local;
use crate::progress::Progress;
use crate::raster::parts::Folders;
use crate::raster::{Adjustment, Projector, RasterReader, Unusable, footprint_by};
use crate::store::RecordInput;
use crate::threads::spawn;
use crate::tile::Bounds;
use crate::url;

/// The files of a source.
#[derive(Debug, Clone, Copy)]
pub struct ToScan<'a> {
    /// What opens them.
    pub reader: &'a dyn RasterReader,
    /// The position of the source in the list of sources.
    pub source: usize,
    /// The source's root.
    pub root: &'a Path,
    /// Paths below the root, with `/` between folders.
    pub paths: &'a [String],
    /// The CRS to assume where a file has none.
    pub assume_crs: Option<&'a str>,
    /// What is known of the values.
    pub by: &'a Adjustment,
    /// What an earlier build knew of the source.
    pub known: Option<KnownSource<'a>>,
}

/// Threads that read headers over a network, where nothing else is said.
const REMOTE_THREADS: usize = 16;

/// A file that can be used.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Taken {
    /// A record, or two where it lies across the 180th meridian.
    pub records: Vec<RecordInput>,
    /// The unit that its heights are converted from; empty for metres, and for a file that was known before.
    pub unit: String,
}

/// What became of one file.
pub type Outcome = Result<Taken, (Reason, String)>;

/// A result of a thread: which file, its outcome, and whether it was known before.
type Message = (usize, Result<(Outcome, bool)>);

/// Reads the headers of files with `threads` threads (0: one a core), and their last blocks, so that a file that was cut
/// short is found now and not in the middle of a run. Calls `keep` with path, outcome and whether the file was known
/// before, in the order of the files.
///
/// Costs some tenths of a millisecond a file, and what the disk takes for two reads; a known file costs a look at its
/// size and time.
///
/// # Errors
/// [`Error::Interrupted`] where the user asked to stop; where an assumed CRS is not known; and where `keep` fails.
pub fn scan(
    files: &ToScan<'_>,
    threads: usize,
    progress: &dyn Progress,
    keep: &mut dyn FnMut(&str, Outcome, bool) -> Result<()>,
) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Threads that ask a network mostly wait.
    let remote = files.paths.first().is_some_and(|path| url::is_one(&url::join(files.root, path)));
    let threads = match threads {
        0 if remote => cores.max(REMOTE_THREADS),
        0 => cores,
        given => given,
    };
    let threads = threads.clamp(1, files.paths.len().max(1));
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    // Bounded, so that results don't pile up behind a slow file.
    let (sender, receiver) = mpsc::sync_channel::<Message>(4096);
    progress.begin("reading footprints", Some(files.paths.len() as u64), "files");
    let mut kept = Kept { files, waiting: BTreeMap::new(), expected: 0, progress, keep };
    let result = std::thread::scope(|scope| {
        let started = (0..threads)
            .map_while(|_| {
                let (sender, next, stop) = (sender.clone(), &next, &stop);
                let work = move || {
                    let mut reader = HeaderReader::new(files, next);
                    while let Some(message) = reader.next().filter(|_| !stop.load(Ordering::Relaxed)) {
                        if progress.interrupted() || sender.send(message).is_err() {
                            break;
                        }
                    }
                };
                spawn(scope, work).ok()
            })
            .count();
        drop(sender);
        if started == 0 {
            // The system refuses threads, so this one reads all files.
            return HeaderReader::new(files, &next)
                .take_while(|_| !progress.interrupted())
                .try_for_each(|message| kept.take(message));
        }
        let taken = receiver.into_iter().try_for_each(|message| kept.take(message));
        stop.store(taken.is_err(), Ordering::Relaxed);
        taken
    });
    let whole = kept.expected == files.paths.len();
    progress.end();
    result.and(if whole { Ok(()) } else { Err(Error::Interrupted) })
}

/// Hands outcomes on in the order of files, whichever thread was faster; that holds for the first error as well.
struct Kept<'a> {
    files: &'a ToScan<'a>,
    waiting: BTreeMap<usize, Result<(Outcome, bool)>>,
    /// The file whose turn it is.
    expected: usize,
    progress: &'a dyn Progress,
    keep: &'a mut dyn FnMut(&str, Outcome, bool) -> Result<()>,
}

impl Kept<'_> {
    fn take(&mut self, (at, outcome): Message) -> Result<()> {
        self.waiting.insert(at, outcome);
        self.progress.advance(1);
        while let Some(outcome) = self.waiting.remove(&self.expected) {
            let (outcome, reused) = outcome?;
            (self.keep)(&self.files.paths[self.expected], outcome, reused)?;
            self.expected += 1;
        }
        Ok(())
    }
}

/// Reads the files that no other thread has begun, one after another.
struct HeaderReader<'a> {
    files: &'a ToScan<'a>,
    next: &'a AtomicUsize,
    projectors: Projectors,
    folders: Folders,
}

impl<'a> HeaderReader<'a> {
    fn new(files: &'a ToScan<'a>, next: &'a AtomicUsize) -> Self {
        Self { files, next, projectors: HashMap::new(), folders: Folders::default() }
    }
}

impl Iterator for HeaderReader<'_> {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.files.paths.get(at)?;
        Some((at, scan_one(self.files, path, &mut self.projectors, &mut self.folders)))
    }
}

/// One projector a CRS and thread; `None` for a CRS without a way to Web Mercator.
type Projectors = HashMap<String, Result<Box<dyn Projector>, String>>;

fn scan_one(
    files: &ToScan<'_>,
    name: &str,
    projectors: &mut Projectors,
    folders: &mut Folders,
) -> Result<(Outcome, bool)> {
    let path = url::join(files.root, name);
    let fingerprint = match fingerprint(&path) {
        Ok(found) => found,
        Err(why) => return Ok((Err(why), false)),
    };
    let parts = match folders.digest(&path) {
        Ok(parts) => parts,
        Err(why) => {
            return Ok((Err((Reason::of(&why), why.to_string())), false));
        }
    };
    if let Some(records) = files.known.and_then(|known| known.records(files.source, name, fingerprint, parts)) {
        return Ok((Ok(Taken { records, unit: String::new() }), true));
    }
    open_one(files, name, &path, (fingerprint, parts), projectors).map(|outcome| (outcome, false))
}

fn open_one(
    files: &ToScan<'_>,
    name: &str,
    path: &Path,
    ((file_size, modified_ns), parts): ((u64, i64), u64),
    projectors: &mut Projectors,
) -> Result<Outcome> {
    if !url::is_one(path)
        && let Err(error) = std::fs::File::open(local::file_of(path))
    {
        return Ok(Err((reason_of(&error), error.to_string())));
    }
    let mut raster = match files.reader.open_or_why(path, files.assume_crs, files.by)? {
        Ok(raster) => raster,
        Err(why) => return Ok(Err(reason(path, why))),
    };
    if let Err(error) = raster.probe_end() {
        return Ok(Err((Reason::Truncated, words(error))));
    }
    let info = raster.info();
    let projector = projectors
        .entry(info.crs.clone())
        .or_insert_with(|| files.reader.projector(&info.crs).map_err(|e| e.to_string()));
    let placed = match projector {
        Ok(projector) => footprint_by(info, projector.as_ref()).map_err(words),
        Err(problem) => Err(problem.clone()),
    };
    let footprint = match placed {
        Ok(placed) => placed,
        Err(problem) => return Ok(Err((Reason::OutsideWebMercator, problem))),
    };
    let (block, cells) = (raster.block(), info.data_type);
    let record = |(part, &bounds): (usize, &Bounds)| RecordInput {
        source: files.source,
        path: part_path(name, part),
        bounds,
        pixel_size: footprint.pixel_size,
        width: info.width,
        height: info.height,
        crs: info.crs.clone(),
        nodata: info.nodata,
        data_type: cells,
        file_size,
        modified_ns,
        parts,
        band: files.by.band,
        unit: files.by.unit,
        scale: files.by.scale,
        block_width: block.width,
        block_height: block.height,
        block_cell: if u64::from(block.cell) == cells.bytes() { 0 } else { block.cell },
    };
    let records = footprint.parts.iter().enumerate().map(record).collect();
    Ok(Ok(Taken { records, unit: raster.unit().to_string() }))
}

/// The reason for a file that GDAL does not take; a TIFF that it does not take is a damaged one.
fn reason(path: &Path, why: Unusable) -> (Reason, String) {
    match why {
        Unusable::NoBand(words) => (Reason::NoBand, words),
        Unusable::NoGeoreference(words) => (Reason::NoGeoreference, words),
        Unusable::NoCrs(words) => (Reason::NoCrs, words),
        Unusable::NoHeights(words) => (Reason::NoElevation, words),
        Unusable::Unit(words) => (Reason::Unit, words),
        Unusable::SignedBytes(words) => (Reason::SignedBytes, words),
        Unusable::Damaged(words) => (Reason::Damaged, words),
        Unusable::Remote(words) => (Reason::Remote, words),
        Unusable::NotARaster(words) if extension(path) == "zip" => (Reason::Archive, words),
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

/// The message of an error without the path, which is shown beside it.
fn words(error: Error) -> String {
    match error {
        Error::Raster { problem, .. } => problem,
        other => other.to_string(),
    }
}
