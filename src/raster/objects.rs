//! Objects on the network: what is asked of them besides their cells.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{FileStamp, reader};
use crate::threads::share;
use crate::url;

/// Requests for facts that are under way at once: each takes some tens of milliseconds, and next to no work.
const AT_ONCE: usize = 16;

/// An object that was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name below what was listed, with `/` between its parts.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

/// What a process took from the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Network {
    /// Requests that were sent.
    pub requests: u64,
    /// Bytes of their answers.
    pub bytes: u64,
    /// Seconds in calls that asked the network, of all threads together. Decoding is part of it.
    pub waiting: f64,
}

impl Network {
    /// Adds what another process took, or this one in another time.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.waiting += other.waiting;
    }

    /// What came since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(before.requests),
            bytes: self.bytes.saturating_sub(before.bytes),
            waiting: (self.waiting - before.waiting).max(0.0),
        }
    }
}

/// Facts, names and bytes of objects, by their URLs. Errors say what the server said: `NotFound` where there is no such object,
/// `PermissionDenied` where it may not be read, `Unsupported` where requests are not allowed or a server can't list; else the network or the
/// server failed, several times.
pub trait Objects: Sync {
    /// Size, time and tag of an object. Costs a request, but is kept for a minute.
    ///
    /// # Errors
    /// See [`Objects`].
    fn facts(&self, url: &Path) -> io::Result<FileStamp>;

    /// Forgets the facts that are kept, so that the next question asks the server.
    fn forget(&self);

    /// The objects below a URL, in the order of their names; with `deep`, those in folders too. Their facts are kept. Costs a request for each
    /// thousand objects, and the same again where there are so many, because nothing says that a page is missing.
    ///
    /// # Errors
    /// See [`Objects`].
    fn list(&self, url: &Path, deep: bool) -> io::Result<Vec<Listed>>;

    /// The names in a folder, as the last list had them; else a list is made. None where the server can't list.
    ///
    /// # Errors
    /// See [`Objects`].
    fn names(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// All of an object, of `most` bytes at most.
    ///
    /// # Errors
    /// See [`Objects`], and where it is longer.
    fn read(&self, url: &Path, most: u64) -> io::Result<Vec<u8>>;

    /// Says that a raster has further files beside it. All others are opened without a look for such files.
    fn expect_sidecars(&self, url: &Path);

    /// What this process took from the network up to now.
    fn network(&self) -> Network;
}

/// What this build asks of objects.
///
/// # Errors
/// Where it was built without a reader.
pub(crate) fn objects() -> io::Result<&'static dyn Objects> {
    reader().map(super::RasterReader::objects).map_err(|e| io::Error::new(io::ErrorKind::Unsupported, e.to_string()))
}

/// What this process took from the network up to now.
pub(crate) fn network() -> Network {
    objects().map(Objects::network).unwrap_or_default()
}

/// Asks for the facts of those paths that are URLs, many at once, so that they are kept when one asks for them one by one.
pub(crate) fn look_ahead(paths: &[PathBuf]) {
    let urls: Vec<&Path> = paths.iter().map(PathBuf::as_path).filter(|path| url::is_one(path)).collect();
    let Ok(objects) = objects() else { return };
    let next = AtomicUsize::new(0);
    share(AT_ONCE.min(urls.len()), || {
        while let Some(url) = urls.get(next.fetch_add(1, Ordering::Relaxed)) {
            // Who asks for this one alone learns why it fails.
            let _ = objects.facts(url);
        }
    });
}
