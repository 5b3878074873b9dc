//! Objects that are sent in parts, and what is known of one that was interrupted.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use futures_util::TryStreamExt;
use futures_util::stream::FuturesUnordered;
use object_store::multipart::{MultipartStore, PartId};
use object_store::{Error as Answer, PutPayload};
use serde::{Deserialize, Serialize};

use super::fault;
use super::place::Place;
use super::put::{Source, WRITE, size_of};
use crate::atomic::write_whole;
use crate::error::{Error, Result};
use crate::format::checksum::checksum;
use crate::local;

/// The least size of a part, bytes.
const PART: u64 = 8 << 20;
/// The most parts; stores take 10,000.
const PARTS: u64 = 9000;
/// Parts that are under way at once.
const UNDER_WAY: usize = 4;

/// The value of the first member of a note.
const FORMAT: &str = "hypso upload 1";
/// A longer file is no note, bytes.
const LARGEST: u64 = 16 << 20;

/// An upload that was begun, as the file beside what is sent says: `<name>.upload`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Begun {
    format: String,
    url: String,
    /// Bytes of the local file, and when it was written, nanoseconds since 1970.
    size: u64,
    modified_ns: u64,
    /// What the store calls the upload; empty before it was asked.
    upload: String,
    /// Bytes of each part but the last.
    part: u64,
    /// Parts that are there, by number.
    parts: BTreeMap<u64, Sent>,
}

/// A part that is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sent {
    /// XXH3 of its bytes, 16 hexadecimal digits.
    sum: String,
    /// What the store calls it.
    id: String,
}

/// What is known of an upload, and where that stands.
#[derive(Debug)]
pub(crate) struct Note {
    path: PathBuf,
    begun: Begun,
}

impl Note {
    fn path(file: &Path) -> PathBuf {
        crate::local::with_ending(file, ".upload")
    }

    /// The note beside a file.
    ///
    /// # Errors
    /// Where something else has its name.
    fn read(file: &Path) -> Result<Option<Begun>> {
        let path = Self::path(file);
        let text = match local::read(&path, LARGEST) {
            Ok(text) => text,
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let begun: Option<Begun> = serde_json::from_slice(&text).ok();
        begun.filter(|begun| begun.format == FORMAT).map(Some).ok_or_else(|| {
            let remedy = "it was left as it is: move it away, or work in another folder";
            Error::invalid("upload", "holds something that hypso did not write", remedy).with_path(&path)
        })
    }

    /// True where a file is what an interrupted upload to this place left: whole, and as it was then.
    ///
    /// # Errors
    /// Where something else has the name of the note.
    pub(crate) fn left(place: &Place, file: &Path) -> Result<bool> {
        let found = Self::read(file)?;
        Ok(found.is_some_and(|begun| begun.url == place.name && Some((begun.size, begun.modified_ns)) == facts(file)))
    }

    /// The note of an upload that begins or goes on, written.
    pub(super) fn of(place: &Place, file: &Path) -> Result<Self> {
        let (size, modified_ns) = facts(file).unwrap_or_default();
        let known = Self::read(file)?.filter(|begun| begun.url == place.name && begun.size == size);
        let begun =
            Begun { format: FORMAT.into(), url: place.name.clone(), size, modified_ns, ..known.unwrap_or_default() };
        let note = Self { path: Self::path(file), begun };
        note.write()?;
        Ok(note)
    }

    fn write(&self) -> Result<()> {
        let text = serde_json::to_vec(&self.begun).map_err(|e| Error::internal(format!("upload: {e}")))?;
        write_whole(&self.path, &text, true)
    }

    /// The upload is over.
    pub(super) fn remove(self) -> Result<()> {
        std::fs::remove_file(&self.path).map_err(Error::io("remove", &self.path))
    }
}

/// Size and time of a file.
fn facts(file: &Path) -> Option<(u64, u64)> {
    let facts = std::fs::metadata(file).ok()?;
    let since = facts.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((facts.len(), since.as_nanos() as u64))
}

/// Sends a file in parts. With a note, parts that are there are not sent again, and all stay where it fails; without one they are given up.
pub(super) async fn send(place: &Place, source: &Arc<Source>, overwrite: bool, note: Option<&mut Note>) -> Result<()> {
    let Some(store) = place.parts.as_deref() else { return Err(Error::internal("the web takes no parts")) };
    let mut unnamed = Note { path: PathBuf::new(), begun: Begun::default() };
    let keeps = note.is_some();
    let note = note.unwrap_or(&mut unnamed);
    let mut upload = Upload { place, store, source, note, keeps };
    let resumed = !upload.note.begun.parts.is_empty();
    let sent = upload.all(overwrite).await;
    match sent {
        // The store has given up what was there: a rule of the bucket, or another process.
        Err(Failure::Gone(_)) if resumed => {
            upload.forget().await;
            upload.all(overwrite).await.map_err(Failure::error)
        }
        Err(failure) => {
            if !keeps {
                upload.forget().await;
            }
            Err(failure.error())
        }
        Ok(()) => Ok(()),
    }
}

struct Upload<'a> {
    place: &'a Place,
    store: &'a dyn MultipartStore,
    source: &'a Arc<Source>,
    note: &'a mut Note,
    /// The note is a file.
    keeps: bool,
}

enum Failure {
    /// The store knows of no such upload, or not of its parts.
    Gone(Error),
    Other(Error),
}

impl Failure {
    fn error(self) -> Error {
        match self {
            Self::Gone(error) | Self::Other(error) => error,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Upload<'_> {
    fn failed(&self, answer: &Answer) -> Failure {
        let text = answer.to_string();
        let gone = ["NoSuchUpload", "InvalidPart", "InvalidBlockList"].iter().any(|word| text.contains(word));
        let error = fault::of(answer, &self.place.name, WRITE);
        if gone { Failure::Gone(error) } else { Failure::Other(error) }
    }

    fn written(&self) -> Result<()> {
        if self.keeps { self.note.write() } else { Ok(()) }
    }

    /// Gives up what is there.
    async fn forget(&mut self) {
        let begun = &mut self.note.begun;
        let (upload, _) = (std::mem::take(&mut begun.upload), std::mem::take(&mut begun.parts));
        if !upload.is_empty() {
            // What it says adds nothing to the first failure.
            let _ = self.store.abort_multipart(&self.place.key, &upload).await;
        }
    }

    async fn all(&mut self, overwrite: bool) -> Result<(), Failure> {
        let size = self.source.size;
        let length = PART.max(size.div_ceil(PARTS));
        if self.note.begun.upload.is_empty() || self.note.begun.part != length {
            self.forget().await;
            let begun = self.store.create_multipart(&self.place.key).await.map_err(|answer| self.failed(&answer))?;
            (self.note.begun.upload, self.note.begun.part) = (begun, length);
            self.written()?;
        }
        self.parts(size, length).await?;
        if !overwrite && size_of(self.place).await?.is_some() {
            return Err(Error::Exists { path: self.place.name.clone().into() }.into());
        }
        let begun = &self.note.begun;
        let parts = begun.parts.values().map(|sent| PartId { content_id: sent.id.clone() }).collect();
        let done = self.store.complete_multipart(&self.place.key, &begun.upload, parts).await;
        done.map(drop).map_err(|answer| self.failed(&answer))
    }

    /// Sends all parts that are not there.
    async fn parts(&mut self, size: u64, length: u64) -> Result<(), Failure> {
        let (place, store, upload) = (self.place, self.store, self.note.begun.upload.clone());
        let mut under_way = FuturesUnordered::new();
        let mut there = 0;
        for (number, start) in (0..size).step_by(length as usize).enumerate() {
            while under_way.len() >= UNDER_WAY {
                self.take(under_way.try_next().await)?;
            }
            let bytes = self.source.part(start, length.min(size - start)).await?;
            let sum = format!("{:016x}", checksum(&bytes));
            if self.note.begun.parts.get(&(number as u64)).is_some_and(|sent| sent.sum == sum) {
                there += 1;
                continue;
            }
            let upload = &upload;
            under_way.push(async move {
                let sent = store.put_part(&place.key, upload, number, PutPayload::from(bytes)).await?;
                Ok::<_, Answer>((number as u64, Sent { sum, id: sent.content_id }))
            });
        }
        while !under_way.is_empty() {
            self.take(under_way.try_next().await)?;
        }
        if there > 0 {
            tracing::info!("{}: {there} parts of {} were there already", place.name, size.div_ceil(length));
        }
        Ok(())
    }

    /// Notes a part that was sent.
    fn take(&mut self, sent: Result<Option<(u64, Sent)>, Answer>) -> Result<(), Failure> {
        if let Some((number, sent)) = sent.map_err(|answer| self.failed(&answer))? {
            self.note.begun.parts.insert(number, sent);
            self.written()?;
        }
        Ok(())
    }
}
