//! Zips: `{z}/{x}/{y}.png` and `metadata.json`, stored as they are.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive};

use super::ending;
use super::reader::one_each;
use super::template::Template;
use crate::archive::files::{METADATA, metadata_rows};
use crate::archive::output::PendingFile;
use crate::archive::taken::Taken;
use crate::archive::{ArchiveMetadata, ArchiveSummary, OnDuplicate, Scheme, TileSink};
use crate::atomic::ScratchFile;
use crate::error::{Error, Result};
use crate::tile::{TileCoord, TileId};

/// A zip that is read. Its directory is held once; threads wait for each other only where they ask for a reader.
#[derive(Debug)]
pub(super) struct ZipFile {
    archive: ZipArchive<At>,
    idle: Mutex<Vec<ZipArchive<At>>>,
    path: PathBuf,
}

/// A file that many read at a place of their own.
#[derive(Debug)]
struct At {
    file: std::sync::Arc<crate::archive::read_at::ReadAt>,
    at: u64,
}

impl Clone for At {
    fn clone(&self) -> Self {
        Self { file: self.file.clone(), at: 0 }
    }
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let rest = self.file.len().saturating_sub(self.at);
        let count = (buffer.len() as u64).min(rest).min(1 << 20);
        let bytes = self
            .file
            .read(self.at, count, u64::MAX, "zip")
            .map_err(|error| std::io::Error::other(error.to_string()))?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
}

impl Seek for At {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.file.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = target.ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// An error of the crate, as one of ours.
fn failed(path: &Path, part: &str, error: ZipError) -> Error {
    match error {
        ZipError::Io(source) => Error::io("read", path)(source),
        other => {
            let remedy = "the zip is damaged or of an unusual kind: pack it again, without a password";
            Error::invalid(part, other.to_string(), remedy).with_path(path)
        }
    }
}

impl ZipFile {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let file = std::sync::Arc::new(crate::archive::read_at::ReadAt::new(file, path)?);
        let archive = ZipArchive::new(At { file, at: 0 }).map_err(|error| failed(path, "zip", error))?;
        Ok(Self { archive, idle: Mutex::default(), path: path.to_path_buf() })
    }

    /// The names of all entries; a number in this list stands for one.
    pub(super) fn names(&self) -> Vec<String> {
        let name = |n: usize| match self.archive.name_for_index(n) {
            Some(Ok(name)) => name.into_owned(),
            // A name that is no text is no tile.
            _ => String::new(),
        };
        (0..self.archive.len()).map(name).collect()
    }

    fn with<R>(&self, work: impl FnOnce(&mut ZipArchive<At>) -> Result<R>) -> Result<R> {
        let lock = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = lock().pop();
        let mut archive = idle.unwrap_or_else(|| self.archive.clone());
        let done = work(&mut archive);
        lock().push(archive);
        done
    }

    /// The content of an entry, at most `cap` bytes of it.
    pub(super) fn read(&self, number: usize, cap: u64) -> Result<Vec<u8>> {
        self.with(|archive| {
            let entry = archive.by_index(number).map_err(|error| failed(&self.path, "zip", error))?;
            let name = entry.name().map(std::borrow::Cow::into_owned).unwrap_or_default();
            let mut bytes = Vec::new();
            let read = entry.take(cap + 1).read_to_end(&mut bytes);
            read.map_err(|error| failed(&self.path, &name, ZipError::InvalidArchive(error.to_string().into())))?;
            if bytes.len() as u64 > cap {
                let problem = format!("has more than {cap} bytes");
                return Err(Error::invalid(name, problem, "check that this is a zip of tiles").with_path(&self.path));
            }
            Ok(bytes)
        })
    }

    /// The size of an entry's content, bytes.
    pub(super) fn size(&self, number: usize) -> Result<u64> {
        self.with(|archive| {
            let entry = archive.by_index_raw(number).map_err(|error| failed(&self.path, "zip", error))?;
            Ok(entry.size())
        })
    }

    /// One entry of each tile.
    pub(super) fn settle(&self, tiles: Vec<(TileId, u32)>, rule: OnDuplicate) -> Result<Vec<(TileId, u32)>> {
        let same = |a: u32, b: u32| {
            Ok(self.read(a as usize, super::reader::TILE_CAP)? == self.read(b as usize, super::reader::TILE_CAP)?)
        };
        one_each(tiles, rule, same).map_err(|error| error.with_path(&self.path))
    }
}

/// Writes a zip of tiles. The directory of the zip is held until the end: about 150 bytes a tile.
pub struct ZipWriter {
    out: zip::ZipWriter<BufWriter<File>>,
    pending: PendingFile,
    template: Template,
    scheme: Scheme,
    taken: Taken,
}

impl std::fmt::Debug for ZipWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ZipWriter").field("path", &self.pending.target()).finish_non_exhaustive()
    }
}

impl ZipWriter {
    /// Begins a zip that will stand at `path`.
    ///
    /// # Errors
    /// Where `path` exists and `overwrite` is false, or its folder is missing or not writable.
    pub fn create(path: &Path, metadata: &ArchiveMetadata, overwrite: bool, scheme: Scheme) -> Result<Self> {
        let mut pending = PendingFile::create(path, overwrite)?;
        let out = zip::ZipWriter::new(BufWriter::with_capacity(1 << 20, pending.handle()?));
        Ok(Self { out, pending, template: Template::of(scheme), scheme, taken: Taken::new(metadata) })
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        // The same bytes for the same tiles: no times. Tiles are compressed already.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::default())
            .large_file(bytes.len() as u64 > u64::from(u32::MAX));
        let begun = self.out.start_file(name, options).map_err(std::io::Error::from);
        let written = begun.and_then(|()| self.out.write_all(bytes));
        written.map_err(Error::io("write", self.pending.target()))
    }
}

impl TileSink for ZipWriter {
    fn put(&mut self, tile: TileCoord, bytes: &[u8]) -> Result<()> {
        self.taken.take(tile, bytes, self.pending.target())?;
        let name = self.template.name(tile, &ending(bytes, &self.taken.metadata));
        self.write(&name, bytes)
    }

    fn scratch(&self) -> Result<ScratchFile> {
        ScratchFile::beside(self.pending.target())
    }

    fn metadata_mut(&mut self) -> &mut ArchiveMetadata {
        &mut self.taken.metadata
    }

    fn finish(mut self: Box<Self>) -> Result<ArchiveSummary> {
        let rows = metadata_rows(self.taken.complete(), Some(self.scheme));
        self.write(METADATA, rows.as_bytes())?;
        let Self { out, pending, taken: Taken { mut summary, .. }, .. } = *self;
        let failed = |error| Error::io("write", pending.target())(error);
        let mut buffer = out.finish().map_err(std::io::Error::from).map_err(failed)?;
        buffer.flush().map_err(failed)?;
        drop(buffer);
        summary.file_size = pending.persist()?;
        Ok(summary)
    }
}
