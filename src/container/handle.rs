//! A file that is replaced while a service answers from it.
//!
//! A new version is published by **renaming it over the file**, which is what [`write_container`](super::write_container)
//! and [`store::write_file`](crate::store::write_file) do. Never write into the file or copy over it: processes that map it end by `SIGBUS` where a page is gone. Readers that hold the
//! old version keep it. Later calls of the handle give the new one. Every answer comes from one version.
//!
//! ```no_run
//! use std::time::Duration;
//! use hypso::Store;
//! use hypso::container::{Handle, ReloadEvent};
//! use hypso::tile::LonLat;
//!
//! let handle: Handle<Store> = Handle::open("japan.hypso")?;
//! let watcher = handle.watch(Duration::from_secs(1), |event| match event {
//!     ReloadEvent::Reloaded(store) => println!("{} records", store.len()),
//!     ReloadEvent::Failed(error) => println!("the old version stays: {error:#}"),
//!     _ => {}
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

use super::identity::FileIdentity;
use super::{Container, Schema};
use crate::error::{Error, Result};

/// A file by name, with the version that was opened last: a [`Store`](crate::Store), a [`Container`], or another type that
/// implements [`Schema`]. Cheap to clone; all clones share the version.
pub struct Handle<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    path: PathBuf,
    current: ArcSwap<T>,
    /// Held while a new version is looked for; never by readers.
    reloading: Mutex<Reloading<T>>,
}

type Prepare<T> = Box<dyn FnMut(&T) -> Result<()> + Send>;

struct Reloading<T> {
    prepare: Prepare<T>,
    /// The file that was found bad last. It stays bad, so watching does not open it again.
    refused: Option<FileIdentity>,
    /// What went wrong last.
    error: Option<String>,
}

fn open<T: Schema>(path: &Path) -> Result<T> {
    T::from_container(Container::open(path)?).map_err(|e| e.with_path(path))
}

impl<T: Schema> Handle<T> {
    /// Opens a file by mapping it.
    ///
    /// # Errors
    /// As [`Container::open`] and [`Schema::from_container`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, |_| Ok(()))
    }

    /// Opens a file, and calls `prepare` with each version (also the first) before readers get it: to check it
    /// with [`Container::verify_checksums`], or to load it with [`Advice::Preload`](super::Advice::Preload) so that no reader waits for the disk. Where `prepare` fails, the version is not used.
    ///
    /// # Errors
    /// As [`open`](Self::open), and what `prepare` returns.
    pub fn open_with(
        path: impl AsRef<Path>,
        mut prepare: impl FnMut(&T) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let opened = open(&path)?;
        prepare(&opened)?;
        let reloading = Reloading { prepare: Box::new(prepare), refused: None, error: None };
        let current = ArcSwap::from_pointee(opened);
        Ok(Self { shared: Arc::new(Shared { path, current, reloading: Mutex::new(reloading) }) })
    }

    /// The current version, for one request. Takes no lock and touches no shared counter. All answers of one guard come from one
    /// version. Drop it after the request; use [`current`](Self::current) to keep a version for longer.
    #[must_use]
    pub fn load(&self) -> Guard<T> {
        Guard(self.shared.current.load())
    }

    /// The current version, to keep for any time.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        self.shared.current.load_full()
    }

    /// The file's name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Opens the file again if the name now leads to another one. `true` where its content differs, by
    /// [`Container::fingerprint`]. A file with the same content replaces the old one silently. Costs a look at the file's attributes
    /// where it is the same file. Readers never wait for it.
    ///
    /// # Errors
    /// As [`open`](Self::open), and what `prepare` returned. The old version stays then.
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
    /// It polls: that works on every system and on network file systems, and costs one system call where nothing changed.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn watch(&self, interval: Duration, mut each: impl FnMut(ReloadEvent<T>) + Send + 'static) -> Result<Watcher> {
        let (stop, stopped) = channel::<()>();
        let shared = Arc::clone(&self.shared);
        let interval = interval.max(Duration::from_millis(1));
        let watch = move || {
            let mut reported = None;
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                match shared.look(false) {
                    Ok(new) => {
                        reported = None;
                        new.into_iter().for_each(|new| each(ReloadEvent::Reloaded(new)));
                    }
                    Err(error) => {
                        let message = Some(format!("{error:#}"));
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

impl<T: Schema> Shared<T> {
    /// A panic in `prepare` leaves nothing half done, so a poisoned lock can be used.
    fn lock(&self) -> MutexGuard<'_, Reloading<T>> {
        self.reloading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks once, and gives the version where its content is new. `again`: tries a file again that was found bad before.
    fn look(&self, again: bool) -> Result<Option<Arc<T>>> {
        let mut reloading = self.lock();
        let outcome = self.replace(&mut reloading, again);
        if let Err(error) = &outcome {
            reloading.error = Some(format!("{error:#}"));
        }
        outcome
    }

    fn replace(&self, reloading: &mut Reloading<T>, again: bool) -> Result<Option<Arc<T>>> {
        let found = FileIdentity::at(&self.path)?;
        let current = self.current.load();
        if current.container().identity() == Some(found) {
            (reloading.refused, reloading.error) = (None, None);
            return Ok(None);
        }
        if reloading.refused == Some(found) && !again {
            return Ok(None);
        }
        let opened = open::<T>(&self.path).and_then(|opened| {
            (reloading.prepare)(&opened)?;
            Ok(Arc::new(opened))
        });
        let opened = opened.inspect_err(|error| {
            // A refusal of the system may pass; damaged content stays damaged.
            reloading.refused = (!matches!(error, Error::Io { .. })).then_some(found);
        })?;
        (reloading.refused, reloading.error) = (None, None);
        let new = opened.container().fingerprint() != current.container().fingerprint();
        self.current.store(Arc::clone(&opened));
        Ok(new.then_some(opened))
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// One version of a file, held for as long as a request takes.
pub struct Guard<T>(arc_swap::Guard<Arc<T>>);

impl<T> std::ops::Deref for Guard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// What a watcher found.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReloadEvent<T> {
    /// This version is in use from now on.
    Reloaded(Arc<T>),
    /// The file could not be used; the version before stays in use.
    Failed(Error),
}

/// A thread that looks for new versions. Dropping it ends the thread, and waits for a look that is under way.
#[derive(Debug)]
#[must_use = "the watching ends when this is dropped"]
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

impl<T> std::fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Guard<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        T::fmt(self, f)
    }
}
