//! Names of files that are being made: random, created exclusively, locked while their process lives, removed when it is dead.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
#[cfg(feature = "cli")]
use std::sync::atomic::AtomicBool;
#[cfg(any(unix, feature = "engine"))]
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::place::folder_of;
#[cfg(feature = "engine")]
use super::place::sync_folder;
use crate::error::{Error, Result};
#[cfg(any(unix, feature = "engine"))]
use crate::threads::share;

const MARK: &str = ".hypso-";
const END: &str = ".tmp";
const DIGITS: usize = 16;
/// Of a longer name, only so many bytes are taken: the system allows 255 for a name.
const LONGEST: usize = 200;
/// How often another name is tried.
const TRIES: u32 = 100;

/// A number that can't be guessed, and that differs in every process.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// What the temporary names of a target begin with.
pub(super) fn start_of(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let cut = (0..=name.len().min(LONGEST)).rev().find(|&at| name.is_char_boundary(at)).unwrap_or(0);
    format!(".{}{MARK}", &name[..cut])
}

fn beside(target: &Path) -> PathBuf {
    folder_of(target).join(format!("{}{:0DIGITS$x}{END}", start_of(target), random()))
}

/// True for names that this module gives.
#[cfg(feature = "engine")]
pub(crate) fn is_temporary(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        name.starts_with('.') && name.rfind(MARK).is_some_and(|at| is_end(&name[at + MARK.len()..]))
    })
}

fn is_end(end: &str) -> bool {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    end.strip_suffix(END).is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(digit))
}

/// What this process is making, under temporary names.
static LIVE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A temporary name of this process, until it is dropped: then it has got its final name, or is gone.
#[derive(Debug)]
pub(crate) struct Live(PathBuf);

impl Live {
    fn new(path: &Path) -> Self {
        lock().insert(path.to_path_buf());
        Self(path.to_path_buf())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        lock().remove(&self.0);
    }
}

fn lock() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes all that this process is making under temporary names. For a process that ends in the next moment: what is still
/// written there goes nowhere, and nothing more is given a name.
#[cfg(feature = "cli")]
pub(crate) fn abandon() {
    static ONCE: AtomicBool = AtomicBool::new(false);
    if ONCE.swap(true, Ordering::SeqCst) {
        return;
    }
    let live = lock();
    for path in live.iter() {
        // Other threads may still make files in a folder: a few times.
        for _ in 0..5 {
            let gone = match path.symlink_metadata() {
                Ok(facts) if facts.is_dir() => fs::remove_dir_all(path),
                Ok(_) => fs::remove_file(path),
                Err(_) => break,
            };
            if gone.is_ok() {
                break;
            }
        }
    }
    // Never given free: who would make or name something now waits until the process has ended.
    std::mem::forget(live);
}

/// Makes an empty file beside a target, open for reading and writing, and locked.
pub(crate) fn create_file(target: &Path) -> Result<(File, PathBuf, Live)> {
    let open = |path: &Path| OpenOptions::new().read(true).write(true).create_new(true).open(path);
    create(target, open)
}

/// Makes an empty folder beside a target; what is given with it is its lock.
#[cfg(feature = "engine")]
pub(super) fn create_folder(target: &Path) -> Result<(Option<File>, PathBuf, Live)> {
    // Only Unix opens folders.
    if cfg!(unix) {
        let (lock, path, live) = create(target, |path| fs::create_dir(path).and_then(|()| File::open(path)))?;
        return Ok((Some(lock), path, live));
    }
    let path = beside(target);
    let live = Live::new(&path);
    fs::create_dir(&path).map_err(Error::io("make a folder for", target))?;
    Ok((None, path, live))
}

fn create(target: &Path, make: impl Fn(&Path) -> std::io::Result<File>) -> Result<(File, PathBuf, Live)> {
    let mut last = None;
    for _ in 0..TRIES {
        let path = beside(target);
        // Before it is there, so that nothing is there that would stay.
        let live = Live::new(&path);
        match make(&path) {
            Ok(file) if hold(&file, &path) => return Ok((file, path, live)),
            // Taken for dead in the moment before it was locked: another one.
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => last = Some(error),
            Err(error) => return Err(Error::io("write", target)(error)),
        }
    }
    Err(Error::io("write", target)(last.unwrap_or_else(|| std::io::Error::other("no temporary name is free"))))
}

/// Locks a new file and looks whether its name still leads to it. A file system without locks is no error: there nothing
/// is taken for dead.
#[cfg(unix)]
fn hold(file: &File, path: &Path) -> bool {
    !matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)) && is_at(file, path)
}

/// Elsewhere a lock would keep this process from opening the file once more.
#[cfg(not(unix))]
fn hold(_: &File, _: &Path) -> bool {
    true
}

/// True where a name, taken as it is, leads to an open file.
#[cfg(unix)]
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let both = file.metadata().and_then(|open| Ok((open, fs::symlink_metadata(path)?)));
    both.is_ok_and(|(open, found)| (open.dev(), open.ino()) == (found.dev(), found.ino()))
}

/// Elsewhere files have no numbers to compare.
#[cfg(all(not(unix), feature = "engine"))]
pub(crate) fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// What killed programs had left and was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Swept {
    /// The output that it was for.
    pub(crate) target: PathBuf,
    /// Files and folders.
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

static LISTENER: OnceLock<fn(&Swept)> = OnceLock::new();

/// Sets who is told what [`sweep`] removed; the first call counts.
#[cfg(feature = "cli")]
pub(crate) fn on_sweep(listener: fn(&Swept)) {
    let _ = LISTENER.set(listener);
}

/// Removes what killed programs left of earlier tries to make `target`, and tells the listener.
///
/// Of a folder only those files are removed that `owns` knows by their path in it, and those folders, which it is asked for
/// with `true`; a folder that holds more stays.
pub(super) fn sweep(target: &Path, owns: Owns<'_>) {
    let start = start_of(target);
    let mut swept = Swept { target: target.to_path_buf(), count: 0, bytes: 0 };
    let Ok(entries) = fs::read_dir(folder_of(target)) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|n| n.strip_prefix(&start).is_some_and(is_end));
        if let Some(bytes) = ours.then(|| remove_dead(&entry.path(), owns)).flatten() {
            swept.count += 1;
            swept.bytes += bytes;
        }
    }
    tell(&swept);
}

/// Removes what killed programs left of a file: files, or folders with files in them.
pub(crate) fn sweep_files(target: &Path) {
    sweep(target, &|path, is_folder| !is_folder && path.components().count() == 1);
}

/// Removes the folders with temporary names in `folder` whose makers are dead, whatever they were made for, and tells the listener.
#[cfg(feature = "engine")]
pub(crate) fn sweep_folders(folder: &Path, owns: Owns<'_>) {
    let mut swept = Swept { target: folder.to_path_buf(), count: 0, bytes: 0 };
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let ours = is_temporary(&entry.file_name()) && entry.file_type().is_ok_and(|kind| kind.is_dir());
        if let Some(bytes) = ours.then(|| remove_dead(&entry.path(), owns)).flatten() {
            swept.count += 1;
            swept.bytes += bytes;
        }
    }
    tell(&swept);
}

/// Lets a link lead to `to`, in one step; there may be none before. Whoever calls this holds the folder of the link: links with temporary
/// names, which killed processes left, are removed.
///
/// # Errors
/// Where the system refuses; the link leads to where it did.
#[cfg(feature = "engine")]
pub(crate) fn replace_link(to: &Path, link: &Path) -> Result<()> {
    let start = start_of(link);
    for entry in fs::read_dir(folder_of(link)).map_err(Error::io("list", folder_of(link)))?.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|n| n.strip_prefix(&start).is_some_and(is_end));
        if ours && entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            let _ = fs::remove_file(entry.path());
        }
    }
    let temporary = beside(link);
    let _live = Live::new(&temporary);
    #[cfg(unix)]
    std::os::unix::fs::symlink(to, &temporary).map_err(Error::io("make the link", link))?;
    #[cfg(not(unix))]
    return Err(Error::limit(format!("{}: links are made on Unix only", link.display())));
    #[cfg(unix)]
    fs::rename(&temporary, link).map_err(Error::io("replace the link", link))?;
    sync_folder(link)
}

/// Gives a folder a temporary name, under which it counts as left by a killed program; gives that name.
#[cfg(feature = "engine")]
pub(super) fn set_aside(folder: &Path) -> Result<PathBuf> {
    let temporary = beside(folder);
    fs::rename(folder, &temporary).map_err(Error::io("rename", folder))?;
    sync_folder(folder)?;
    Ok(temporary)
}

/// Tells the listener, where something was removed.
pub(crate) fn tell(swept: &Swept) {
    if let Some(listener) = LISTENER.get().filter(|_| swept.count > 0) {
        listener(swept);
    }
}

/// Which files of a folder, and with `true` which folders in it, may go with it: by their path in it.
pub(crate) type Owns<'a> = &'a dyn Fn(&Path, bool) -> bool;

/// Removes a temporary file or folder whose maker is dead; gives its bytes. Where it can't be told, nothing is removed.
#[cfg(unix)]
pub(crate) fn remove_dead(path: &Path, owns: Owns<'_>) -> Option<u64> {
    let facts = fs::symlink_metadata(path).ok()?;
    // Some file systems lock only what is open for writing; folders can't be.
    let file = match (facts.is_file(), facts.is_dir()) {
        (true, _) => OpenOptions::new().read(true).write(true).open(path).ok()?,
        (_, true) => File::open(path).ok()?,
        _ => return None,
    };
    file.try_lock().ok()?;
    if !is_at(&file, path) {
        return None;
    }
    if facts.is_dir() {
        let (bytes, kept) = remove_entries(path, owns);
        return kept.is_none().then_some(bytes);
    }
    fs::remove_file(path).ok().map(|()| facts.len())
}

/// Without locks nothing is known to be dead.
#[cfg(not(unix))]
pub(crate) fn remove_dead(_: &Path, _: Owns<'_>) -> Option<u64> {
    None
}

/// Files that a thread removes, at least: what a file has in memory is given back meanwhile, at some gigabytes a second.
#[cfg(any(unix, feature = "engine"))]
const REMOVED_BY_ONE: usize = 64;

/// Removes from a folder what `owns` knows, and the folder where nothing else was in it. Gives the bytes removed, and the first
/// thing that stayed. Links are not followed.
#[cfg(any(unix, feature = "engine"))]
pub(crate) fn remove_entries(folder: &Path, owns: Owns<'_>) -> (u64, Option<PathBuf>) {
    let mut ours = Ours::default();
    ours.find(folder, Path::new(""), owns);
    let Ours { files, mut folders, foreign } = ours;
    folders.push(folder.to_path_buf());
    // Another process may remove the same.
    let stays = |gone: std::io::Result<()>| gone.is_err_and(|error| error.kind() != ErrorKind::NotFound);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len() / REMOVED_BY_ONE + 1);
    let (next, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
    let kept = share(threads, || {
        let mut kept = None;
        while let Some((path, length)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            bytes.fetch_add(*length, Ordering::Relaxed);
            if stays(fs::remove_file(path)) {
                kept = kept.or(Some(path));
            }
        }
        kept
    });
    let kept = foreign.or_else(|| kept.into_iter().flatten().next().cloned());
    // Those below come first.
    let full = folders.into_iter().filter(|folder| stays(fs::remove_dir(folder))).collect::<Vec<_>>();
    (bytes.into_inner(), kept.or_else(|| full.into_iter().next()))
}

/// What is ours below a folder.
#[cfg(any(unix, feature = "engine"))]
#[derive(Default)]
struct Ours {
    files: Vec<(PathBuf, u64)>,
    folders: Vec<PathBuf>,
    /// The first thing that is not.
    foreign: Option<PathBuf>,
}

#[cfg(any(unix, feature = "engine"))]
impl Ours {
    fn find(&mut self, root: &Path, at: &Path, owns: Owns<'_>) {
        let Ok(entries) = fs::read_dir(root.join(at)) else { return };
        for entry in entries.flatten() {
            let (name, Ok(facts)) = (at.join(entry.file_name()), entry.metadata()) else { continue };
            let path = root.join(&name);
            if facts.is_dir() && owns(&name, true) {
                self.find(root, &name, owns);
                self.folders.push(path);
            } else if facts.is_file() && owns(&name, false) {
                self.files.push((path, facts.len()));
            } else if self.foreign.is_none() {
                self.foreign = Some(path);
            }
        }
    }
}
