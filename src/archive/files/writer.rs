//! Writing a folder of tiles.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{METADATA, owned};
use crate::archive::mbtiles::rows;
use crate::archive::named::ending;
use crate::archive::taken::Taken;
use crate::archive::{ArchiveMetadata, ArchiveSummary, Scheme, TileSink};
use crate::atomic::AtomicFolder;
use crate::atomic::ScratchFile;
use crate::error::{Error, Result};
use crate::tile::TileCoord;

/// Writes a folder of tiles.
///
/// The folder has a hidden name beside its own until it is whole and on the disk. A folder that it replaces must hold nothing but
/// tiles and metadata, and stays under its name until the new one takes it.
#[derive(Debug)]
pub struct FilesWriter {
    folder: AtomicFolder,
    target: PathBuf,
    overwrite: bool,
    scheme: Scheme,
    taken: Taken,
    /// The folder that was made last.
    column: Option<(u8, u32)>,
}

impl FilesWriter {
    /// Begins a folder that will stand at `path`.
    ///
    /// # Errors
    /// Where `path` exists and `overwrite` is false or it is no folder of tiles, or the folder above is missing or not writable.
    pub fn create(path: &Path, metadata: &ArchiveMetadata, overwrite: bool) -> Result<Self> {
        Self::create_with(path, metadata, overwrite, Scheme::Xyz)
    }

    /// As [`create`](Self::create), with addresses that are written in another way; the metadata say so.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_with(path: &Path, metadata: &ArchiveMetadata, overwrite: bool, scheme: Scheme) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            replaceable(path, overwrite)?;
        }
        Ok(Self {
            folder: AtomicFolder::create(path, &owned::owns)?,
            target: path.to_path_buf(),
            overwrite,
            scheme,
            taken: Taken::new(metadata),
            column: None,
        })
    }

    /// The ending of a tile's name: pictures by what they are, others by the format that is declared.
    fn extension(&self, bytes: &[u8]) -> String {
        ending(bytes, &self.taken.metadata)
    }

    fn write_metadata(&mut self) -> Result<()> {
        let file = self.folder.path().join(METADATA);
        // Always with the scheme, so that no bounds can make a reader take the addresses for others.
        fs::write(&file, metadata_rows(self.taken.complete(), Some(self.scheme))).map_err(Error::io("write", &file))
    }
}

impl TileSink for FilesWriter {
    fn put(&mut self, tile: TileCoord, bytes: &[u8]) -> Result<()> {
        self.taken.take(tile, bytes, &self.target)?;
        let (first, second) = self.scheme.address(tile);
        let folder = self.folder.path().join(format!("{}/{first}", tile.z()));
        if self.column != Some((tile.z(), first)) {
            fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
            self.column = Some((tile.z(), first));
        }
        let file = folder.join(format!("{second}.{}", self.extension(bytes)));
        fs::write(&file, bytes).map_err(Error::io("write", &file))
    }

    fn scratch(&self) -> Result<ScratchFile> {
        ScratchFile::beside(&self.target)
    }

    fn metadata_mut(&mut self) -> &mut ArchiveMetadata {
        &mut self.taken.metadata
    }

    fn finish(mut self: Box<Self>) -> Result<ArchiveSummary> {
        self.write_metadata()?;
        let Self { folder, overwrite, taken: Taken { mut summary, .. }, .. } = *self;
        folder.commit(|old| replaceable(old, overwrite), &owned::owns)?;
        summary.file_size = summary.bytes;
        Ok(summary)
    }
}

/// The rows of MBTiles as one object, and how addresses are written.
pub(in crate::archive) fn metadata_rows(metadata: &ArchiveMetadata, scheme: Option<Scheme>) -> String {
    let rows = rows::to_rows(metadata).into_iter().map(|(key, value)| (key, Value::from(value)));
    let mut rows: Map<String, Value> = rows.collect();
    rows.extend(scheme.map(|scheme| ("scheme".to_owned(), scheme.name().into())));
    Value::Object(rows).to_string()
}

/// Refuses a target that exists and may not be replaced.
fn replaceable(path: &Path, overwrite: bool) -> Result<()> {
    if !overwrite {
        return Err(Error::Exists { path: path.to_path_buf() });
    }
    if path.exists() && !path.is_dir() {
        let problem = "is a file, but a name without an extension asks for a folder of tiles";
        return Err(Error::argument(path.display().to_string(), problem));
    }
    // A link that leads nowhere is reported later.
    if path.exists() { owned::check(path) } else { Ok(()) }
}
