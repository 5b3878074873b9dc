//! Building a store from sources and records.

mod builder;
mod entry;
mod rows;
mod sort;

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3Default;

use super::{RecordInput, SourceInput};
use crate::error::{Error, Result};
use crate::format::json;

pub use builder::Builder;

/// What a build may choose.
#[derive(Debug, Clone)]
pub struct Parameters {
    /// Pixels along a tile's side: 256, 512 or 1024. Native zooms and the tile index depend on it.
    pub tile_size: u32,
    /// Members that are added to the metadata document: a name and a JSON document, which [`Builder::new`] checks. Names are
    /// not used twice, nor those that a store has itself: `format`, `tile_size`, `crs`, `scheme`. Nothing in a store depends
    /// on them.
    pub metadata: Vec<(String, String)>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { tile_size: 512, metadata: Vec::new() }
    }
}

/// Members that the metadata document of every store has.
const OWN_METADATA: [&str; 4] = ["format", "tile_size", "crs", "scheme"];

impl Parameters {
    fn check(&self) -> Result<()> {
        if ![256, 512, 1024].contains(&self.tile_size) {
            return Err(Error::argument("tile size", format!("is {}; choose 256, 512 or 1024", self.tile_size)));
        }
        for (i, (name, value)) in self.metadata.iter().enumerate() {
            let bad = |problem: String| Err(Error::argument(format!("metadata {name:?}"), problem));
            if OWN_METADATA.contains(&name.as_str()) || self.metadata[..i].iter().any(|(other, _)| other == name) {
                return bad("is a name that is taken; give each member one of its own".into());
            }
            if let Err(problem) = json::check(value) {
                return bad(format!("is no JSON: {problem}"));
            }
        }
        Ok(())
    }
}

/// The id of a record: XXH3 (64 bits, seed 0) of the source's name, a zero byte, and the path below its root.
#[must_use]
pub fn record_id(source: &str, path: &str) -> u64 {
    let mut hash = Xxh3Default::new();
    [source.as_bytes(), b"\0", path.as_bytes()].into_iter().for_each(|part| hash.update(part));
    hash.digest()
}

/// Writes a store to any `Write + Seek`, such as a `Cursor<Vec<u8>>`.
///
/// Sources are given in priority order, the first wins. The result depends on nothing but the arguments: not on the
/// order of the records, the time or the machine. [`Builder`] does the same without having all records in memory.
///
/// # Errors
/// Where a record can't be stored (its path is named), two records of a source have the same path, a name is used
/// twice, or the output can't be written.
pub fn write<W: Write + Seek>(
    out: W,
    sources: &[SourceInput],
    records: &[RecordInput],
    parameters: &Parameters,
) -> Result<W> {
    let mut builder = Builder::new(sources, parameters)?;
    records.iter().try_for_each(|record| builder.add(record))?;
    builder.finish(out)
}

/// Writes a store file: beside the target, synced, then renamed over it. A store that other processes have open
/// stays as it is for them.
///
/// # Errors
/// As [`write`](fn@write), and where the file can't be made, synced or renamed. Nothing is left behind then.
pub fn write_file(
    path: impl AsRef<Path>,
    sources: &[SourceInput],
    records: &[RecordInput],
    parameters: &Parameters,
) -> Result<()> {
    let path = path.as_ref();
    let mut builder = Builder::new(sources, parameters)?.scratch_beside(path);
    records.iter().try_for_each(|record| builder.add(record))?;
    builder.finish_file(path)
}

impl Builder<'_> {
    /// Writes the store as a file: beside the target, synced, then renamed over it. With a signed URL in it, or one with a password, it
    /// is for its user alone to read.
    ///
    /// # Errors
    /// As [`finish`](Self::finish), and where the file can't be made, synced or renamed. Nothing is left behind then.
    pub fn finish_file(self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut file = crate::atomic::AtomicFile::create(path)?;
        if self.secret {
            file.make_private()?;
        }
        let handle: &mut File = file.file();
        let out = self.finish(BufWriter::with_capacity(1 << 20, handle)).map_err(|e| match e {
            Error::Io { action, source, .. } => Error::Io { path: path.to_path_buf(), action, source },
            other => other,
        })?;
        drop(out);
        file.commit()
    }
}
