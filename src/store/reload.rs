//! A store that is replaced while a service answers from it.
//!
//! A new version is published by **renaming it over the file**, which is what [`write_file`](super::write_file) does. Never
//! write into the file or copy over it: processes that map it end by `SIGBUS` where a page is gone. Readers that hold the
//! old version keep it; whoever asks the handle afterwards gets the new one. Every answer comes from one version.
//!
//! ```no_run
//! use std::time::Duration;
//! use hypso::store::{ReloadEvent, StoreHandle};
//! use hypso::tile::LonLat;
//!
//! let handle = StoreHandle::open("japan.hypso")?;
//! let watcher = handle.watch(Duration::from_secs(1), |event| match event {
//!     ReloadEvent::Reloaded(store) => println!("{} records", store.len()),
//!     ReloadEvent::Failed(error) => println!("the old version stays: {error}"),
//! })?;
//! // In as many threads as there are, for each request:
//! let store = handle.load();
//! let best = store.first_overlapping(LonLat::new(138.7275, 35.3607)?);
//! # drop(watcher);
//! # Ok::<(), hypso::Error>(())
//! ```

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::Store;
use super::identity::FileIdentity;
use crate::error::{Error, Result};

/// A store file by name, with the version that was opened last. Cheap to clone; all clones share the version.
#[derive(Clone)]
pub struct StoreHandle {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    current: ArcSwap<Store>,
    /// Held while a new version is looked for; never by readers.
    reloading: Mutex<Reloading>,
}

type Prepare = Box<dyn FnMut(&Store) -> Result<()> + Send>;

struct Reloading {
    prepare: Prepare,
    /// The file that was found bad last. It stays bad, so watching does not open it again.
    refused: Option<FileIdentity>,
    /// What went wrong last.
    error: Option<String>,
}

impl StoreHandle {
    /// Opens a store file.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, |_| Ok(()))
    }

    /// Opens a store file, and calls `prepare` with each version (also the first) before readers get it: to check it
    /// with [`verify_checksums`](super::verify_checksums), or to load it with [`Advice::Preload`](super::Advice::Preload)
    /// so that no reader waits for the disk. Where `prepare` fails, the version is not used.
    ///
    /// # Errors
    /// As [`Store::open`], and what `prepare` returns.
    pub fn open_with(
        path: impl AsRef<Path>,
        mut prepare: impl FnMut(&Store) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let store = Store::open(&path)?;
        prepare(&store)?;
        let reloading = Reloading { prepare: Box::new(prepare), refused: None, error: None };
        let current = ArcSwap::from_pointee(store);
        Ok(Self { shared: Arc::new(Shared { path, current, reloading: Mutex::new(reloading) }) })
    }

    /// The current version, for one request: takes no lock and touches no shared counter, whatever else goes on. All
    /// that is asked of one guard is answered by one version. Keep it for a request, not for ever; what is to be kept
    /// is [`store`](Self::store).
    #[must_use]
    pub fn load(&self) -> StoreGuard {
        StoreGuard(self.shared.current.load())
    }

    /// The current version, to be kept as long as one likes.
    #[must_use]
    pub fn store(&self) -> Store {
        Store::clone(&self.shared.current.load())
    }

    /// The file's name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Looks whether the name leads to another file now, and takes that one. `true` where its content is another, by
    /// [`Store::fingerprint`]; a file with the same content takes the place of the old one without more ado. Costs a
    /// look at the file's attributes where it is the same file. Readers never wait for it.
    ///
    /// # Errors
    /// As [`Store::open`], and what `prepare` returned. The old version stays then.
    pub fn reload(&self) -> Result<bool> {
        self.shared.look(true).map(|new| new.is_some())
    }

    /// What went wrong at the last look; `None` where the version in use is the file that has the name.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.shared.lock().error.clone()
    }

    /// Looks every `interval` (a millisecond at least) in a thread of its own, and calls `each` when a new version is in
    /// use, and when a look failed: once for each error, not at every look. Ends when the [`Watcher`] is dropped.
    ///
    /// The file is looked at, not subscribed to: that works on every system and on network file systems, and costs one
    /// system call where nothing changed.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn watch(&self, interval: Duration, mut each: impl FnMut(ReloadEvent) + Send + 'static) -> Result<Watcher> {
        let (stop, stopped) = channel::<()>();
        let shared = Arc::clone(&self.shared);
        let interval = interval.max(Duration::from_millis(1));
        let watch = move || {
            let mut reported = None;
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                match shared.look(false) {
                    Ok(new) => {
                        reported = None;
                        new.into_iter().for_each(|store| each(ReloadEvent::Reloaded(store)));
                    }
                    Err(error) => {
                        let message = Some(error.to_string());
                        if message != reported {
                            reported = message;
                            each(ReloadEvent::Failed(error));
                        }
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("hypso-watch".into()).spawn(watch);
        let thread = thread.map_err(Error::io("start a thread that watches", self.path()))?;
        Ok(Watcher { stop: Some(stop), thread: Some(thread) })
    }
}

impl Shared {
    /// A panic in `prepare` leaves nothing half done, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, Reloading> {
        self.reloading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks once, and gives the store where its content is new. `again`: tries a file again that was found bad before.
    fn look(&self, again: bool) -> Result<Option<Store>> {
        let mut reloading = self.lock();
        let outcome = self.replace(&mut reloading, again);
        if let Err(error) = &outcome {
            reloading.error = Some(error.to_string());
        }
        outcome
    }

    fn replace(&self, reloading: &mut Reloading, again: bool) -> Result<Option<Store>> {
        let found = FileIdentity::at(&self.path)?;
        let current = self.current.load();
        if current.container().identity() == Some(found) {
            (reloading.refused, reloading.error) = (None, None);
            return Ok(None);
        }
        if reloading.refused == Some(found) && !again {
            return Ok(None);
        }
        let opened = Store::open(&self.path).and_then(|store| {
            (reloading.prepare)(&store)?;
            Ok(store)
        });
        let store = opened.inspect_err(|error| {
            // The system may change its mind, the content will not.
            reloading.refused = (!matches!(error, Error::Io { .. })).then_some(found);
        })?;
        (reloading.refused, reloading.error) = (None, None);
        let new = store.fingerprint() != current.fingerprint();
        self.current.store(Arc::new(store.clone()));
        Ok(new.then_some(store))
    }
}

/// One version of a store, held for as long as a request takes.
pub struct StoreGuard(arc_swap::Guard<Arc<Store>>);

impl std::ops::Deref for StoreGuard {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.0
    }
}

/// What a watcher found.
#[derive(Debug)]
pub enum ReloadEvent {
    /// This version is in use from now on.
    Reloaded(Store),
    /// The file could not be used; the version before stays in use.
    Failed(Error),
}

/// A thread that looks for new versions. Dropping it ends the thread, and waits for a look that is under way.
#[derive(Debug)]
pub struct Watcher {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop = None;
        // A callback may own the watcher; a thread can't wait for itself.
        if let Some(thread) = self.thread.take().filter(|t| t.thread().id() != std::thread::current().id()) {
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for StoreHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreHandle").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for StoreGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Store::fmt(self, f)
    }
}
