//! Files that become objects: whole or not at all.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, stream};
use object_store::{ObjectStoreExt, PutMode, PutOptions, PutPayload};

use super::object::Object;
use super::parts::{self, Note};
use super::place::Place;
use super::{fault, wait};
use crate::error::{Error, Result};

/// What is sent by one request, bytes: the store itself refuses to replace an object then.
const AT_ONCE: u64 = 16 << 20;

pub(super) const WRITE: &str = "write";

/// A file that is sent. It may have no name.
#[derive(Debug)]
pub(super) struct Source {
    file: Mutex<File>,
    /// What messages call it.
    name: PathBuf,
    pub(super) size: u64,
}

impl Source {
    fn new(file: File, name: &Path) -> Result<Arc<Self>> {
        let size = file.metadata().map_err(Error::io("read the size of", name))?.len();
        Ok(Arc::new(Self { file: Mutex::new(file), name: name.to_path_buf(), size }))
    }

    /// A part of the file.
    pub(super) async fn part(self: &Arc<Self>, start: u64, length: u64) -> Result<Vec<u8>> {
        let source = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let mut file = source.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(start))?;
            let mut bytes = vec![0; length as usize];
            file.read_exact(&mut bytes).map(|()| bytes)
        });
        let bytes = read.await.map_err(|_| Error::internal("a thread that reads ended"))?;
        bytes.map_err(Error::io("read", &self.name))
    }
}

impl Place {
    /// Refuses a place where nothing can be put, or where an object is that may not be replaced. Asks the server once, and once more where
    /// there is none.
    ///
    /// # Errors
    /// Where it is a web server, there is no such bucket, an object is there and `overwrite` is false, or the server refuses the question.
    pub(crate) fn check_output(&self, overwrite: bool) -> Result<()> {
        self.check_bucket()?;
        let place = self.clone();
        let there = wait::wait(async move {
            match size_of(&place).await? {
                Some(size) => Ok(Some(size)),
                // The answer to this one says whether there is such a bucket.
                None => match place.store.get_range(&place.key, 0..1).await {
                    Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(None),
                    Err(answer) => Err(fault::of(&answer, &place.name, "look for")),
                },
            }
        })?;
        if there.is_some() && !overwrite {
            return Err(Error::Exists { path: self.name().into() });
        }
        Ok(())
    }

    /// Refuses a web server. Asks nobody.
    pub(crate) fn check_bucket(&self) -> Result<()> {
        if !self.key.as_ref().is_empty() {
            return Ok(());
        }
        let problem = "is no place for an output: expected s3://, gs:// or az://, a bucket and a name; or a local file";
        Err(Error::argument(self.name(), problem))
    }

    /// Makes a file an object, and looks whether it is all there. Large files go in parts, which become an object at once when all are
    /// there. Memory: four parts of 8 MB, or of a 9000th of the file.
    ///
    /// What was sent is noted in a file beside it, so that the next call sends the rest; that file goes with the last request. Up to 16 MB
    /// the store refuses to replace an object that another process made meanwhile. Beyond that this is looked up before the last request.
    ///
    /// # Errors
    /// Where the file can't be read, the server fails, or an object is there and `overwrite` is false.
    pub(crate) fn put(&self, file: &Path, overwrite: bool) -> Result<()> {
        let source = Source::new(File::open(file).map_err(Error::io("open", file))?, file)?;
        let note = Note::of(self, file)?;
        self.send(source, overwrite, Some(note))
    }

    /// As [`put`](Self::put) for a file without a name; `name` is what messages call it. What was sent is given up where it fails.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub(crate) fn put_unnamed(&self, file: File, name: &Path, overwrite: bool) -> Result<()> {
        self.send(Source::new(file, name)?, overwrite, None)
    }

    fn send(&self, source: Arc<Source>, overwrite: bool, mut note: Option<Note>) -> Result<()> {
        let (place, size) = (self.clone(), source.size);
        wait::wait(async move {
            if size <= AT_ONCE {
                let bytes = source.part(0, size).await?;
                at_once(&place, bytes, overwrite).await?;
            } else {
                parts::send(&place, &source, overwrite, note.as_mut()).await?;
            }
            match size_of(&place).await? {
                Some(found) if found == size => note.map_or(Ok(()), Note::remove),
                found => {
                    let found = found.map_or("is not there".to_owned(), |found| format!("has {found} bytes"));
                    let problem = format!("{size} bytes were sent, but the object {found}");
                    let remedy = "look at who else writes there, and run the same command again";
                    Err(Error::Remote { url: place.name, action: WRITE, problem, remedy, passes: false })
                }
            }
        })
    }

    /// Makes some bytes an object.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub(crate) fn put_bytes(&self, bytes: Vec<u8>, overwrite: bool) -> Result<()> {
        let place = self.clone();
        wait::wait(async move { at_once(&place, bytes, overwrite).await })
    }

    /// All of an object of at most `largest` bytes; `None` where there is none.
    ///
    /// # Errors
    /// Where the server fails, or it is larger.
    pub(crate) fn read_all(&self, largest: u64) -> Result<Option<Vec<u8>>> {
        let object = match Object::open(self.clone()) {
            Ok(object) => object,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        if object.len() > largest {
            let problem = format!("has {} bytes, more than the {largest} that such a file may have", object.len());
            return Err(
                Error::invalid("object", problem, "check that this is the place that was meant").with_path(self.name())
            );
        }
        object.read(0..object.len()).map(|bytes| Some(bytes.into()))
    }

    /// Removes objects of one bucket; what is not there is no failure. Up to a thousand go with one request.
    ///
    /// # Errors
    /// Where the server refuses it.
    pub(crate) fn remove(places: Vec<Self>) -> Result<()> {
        let Some(first) = places.first().cloned() else { return Ok(()) };
        first.check_bucket()?;
        wait::wait(async move {
            let keys = stream::iter(places.into_iter().map(|place| Ok(place.key))).boxed();
            let mut done = first.store.delete_stream(keys);
            while let Some(removed) = done.next().await {
                match removed {
                    Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(answer) => return Err(fault::of(&answer, &first.name, "remove")),
                }
            }
            Ok(())
        })
    }
}

/// The size of the object; `None` where there is none.
pub(super) async fn size_of(place: &Place) -> Result<Option<u64>> {
    match place.store.head(&place.key).await {
        Ok(meta) => Ok(Some(meta.size)),
        Err(object_store::Error::NotFound { source, .. }) if !source.to_string().contains("NoSuchBucket") => Ok(None),
        Err(answer) => Err(fault::of(&answer, &place.name, "look for")),
    }
}

async fn at_once(place: &Place, bytes: Vec<u8>, overwrite: bool) -> Result<()> {
    let bytes = PutPayload::from(bytes);
    let put = |mode| {
        let options = PutOptions { mode, ..PutOptions::default() };
        place.store.put_opts(&place.key, bytes.clone(), options)
    };
    let exists = || Error::Exists { path: place.name.clone().into() };
    let mode = if overwrite { PutMode::Overwrite } else { PutMode::Create };
    let answer = match put(mode).await {
        // A store without conditions, or that was said to have none (AWS_CONDITIONAL_PUT=disabled).
        Err(object_store::Error::NotImplemented { .. }) => {
            if size_of(place).await?.is_some() {
                return Err(exists());
            }
            put(PutMode::Overwrite).await
        }
        answer => answer,
    };
    answer.map(drop).map_err(|answer| match answer {
        object_store::Error::Precondition { .. } => exists(),
        answer => fault::of(&answer, &place.name, WRITE),
    })
}
