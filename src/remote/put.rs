//! Files that become objects: whole or not at all.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::TryStreamExt;
use futures_util::stream::FuturesUnordered;
use object_store::{ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload};

use super::place::Place;
use super::{fault, wait};
use crate::error::{Error, Result};

/// What is sent by one request, bytes: the store itself refuses to replace an object then.
const AT_ONCE: u64 = 16 << 20;
/// The least size of a part, bytes.
const PART: u64 = 8 << 20;
/// The most parts; stores take 10,000.
const PARTS: u64 = 9000;
/// Parts that are under way at once.
const UNDER_WAY: usize = 4;

const WRITE: &str = "write";

impl Place {
    /// Refuses a place where nothing can be put, or where an object is that may not be replaced. Asks the server once.
    ///
    /// # Errors
    /// Where it is a web server, an object is there and `overwrite` is false, or the server refuses the question.
    pub(crate) fn check_output(&self, overwrite: bool) -> Result<()> {
        if self.key.as_ref().is_empty() {
            let problem =
                "is no place for an output: expected s3://, gs:// or az://, a bucket and a name; or a local file";
            return Err(Error::argument(self.name(), problem));
        }
        let place = self.clone();
        let there = wait::wait(async move { size_of(&place).await })?;
        if there.is_some() && !overwrite {
            return Err(Error::Exists { path: self.name().into() });
        }
        Ok(())
    }

    /// Makes a file an object, and looks whether it is all there. Large files go in parts, which become an object at once when all are
    /// there; where it fails they are given up. Memory: four parts of 8 MB, or of a 9000th of the file.
    ///
    /// Up to 16 MB the store refuses to replace an object that another process made meanwhile. Beyond that this is looked up before the
    /// last request.
    ///
    /// # Errors
    /// Where the file can't be read, the server fails, or an object is there and `overwrite` is false.
    pub(crate) fn put(&self, file: &Path, overwrite: bool) -> Result<()> {
        let size = std::fs::metadata(file).map_err(Error::io("read the size of", file))?.len();
        let (place, file) = (self.clone(), Arc::new(file.to_path_buf()));
        wait::wait(async move {
            if size <= AT_ONCE {
                at_once(&place, file, size, overwrite).await?;
            } else {
                in_parts(&place, file, size, overwrite).await?;
            }
            match size_of(&place).await? {
                Some(found) if found == size => Ok(()),
                found => {
                    let found = found.map_or("is not there".to_owned(), |found| format!("has {found} bytes"));
                    let problem = format!("{size} bytes were sent, but the object {found}");
                    let remedy = "look at who else writes there, and run the same command again";
                    Err(Error::Remote { url: place.name, action: WRITE, problem, remedy })
                }
            }
        })
    }
}

/// The size of the object; `None` where there is none.
async fn size_of(place: &Place) -> Result<Option<u64>> {
    match place.store.head(&place.key).await {
        Ok(meta) => Ok(Some(meta.size)),
        Err(object_store::Error::NotFound { source, .. }) if !source.to_string().contains("NoSuchBucket") => Ok(None),
        Err(answer) => Err(fault::of(&answer, &place.name, "look for")),
    }
}

async fn at_once(place: &Place, file: Arc<PathBuf>, size: u64, overwrite: bool) -> Result<()> {
    let bytes = part(file, 0, size).await?;
    let mode = if overwrite { PutMode::Overwrite } else { PutMode::Create };
    let options = PutOptions { mode, ..PutOptions::default() };
    let put = place.store.put_opts(&place.key, bytes, options).await;
    put.map(drop).map_err(|answer| match answer {
        object_store::Error::Precondition { .. } => Error::Exists { path: place.name.clone().into() },
        answer => fault::of(&answer, &place.name, WRITE),
    })
}

async fn in_parts(place: &Place, file: Arc<PathBuf>, size: u64, overwrite: bool) -> Result<()> {
    let failed = |answer: object_store::Error| fault::of(&answer, &place.name, WRITE);
    let length = PART.max(size.div_ceil(PARTS));
    let options = PutMultipartOptions::default();
    let mut upload = place.store.put_multipart_opts(&place.key, options).await.map_err(failed)?;
    let sent = async {
        let mut under_way = FuturesUnordered::new();
        for start in (0..size).step_by(length as usize) {
            if under_way.len() >= UNDER_WAY {
                under_way.try_next().await.map_err(failed)?;
            }
            let bytes = part(file.clone(), start, length.min(size - start)).await?;
            under_way.push(upload.put_part(bytes));
        }
        while under_way.try_next().await.map_err(failed)?.is_some() {}
        if !overwrite && size_of(place).await?.is_some() {
            return Err(Error::Exists { path: place.name.clone().into() });
        }
        upload.complete().await.map(drop).map_err(failed)
    };
    let sent = sent.await;
    if sent.is_err() {
        // What it says adds nothing to the first failure.
        let _ = upload.abort().await;
    }
    sent
}

/// A part of a file.
async fn part(file: Arc<PathBuf>, start: u64, length: u64) -> Result<PutPayload> {
    let name = file.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut file = File::open(&*file)?;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = vec![0; length as usize];
        file.read_exact(&mut bytes).map(|()| bytes)
    });
    let bytes = read.await.map_err(|_| Error::internal("a thread that reads ended"))?;
    bytes.map(PutPayload::from).map_err(Error::io("read", &*name))
}
