//! Writing a folder by a pattern of names.

use std::fs;
use std::path::{Path, PathBuf};

use super::ending;
use super::template::Template;
use crate::archive::files::{METADATA, METADATA_NAMES, metadata_rows};
use crate::archive::taken::Taken;
use crate::archive::{ArchiveMetadata, ArchiveSummary, TileFormat, TileSink};
use crate::atomic::{AtomicFolder, ScratchFile};
use crate::error::{Error, Result};
use crate::tile::TileCoord;

/// Writes a folder whose names follow a pattern. The folder has a hidden name beside its own until it is whole; one that exists is not
/// replaced, because other files could have such names.
#[derive(Debug)]
pub struct FolderWriter {
    folder: AtomicFolder,
    target: PathBuf,
    template: Template,
    taken: Taken,
}

impl FolderWriter {
    /// Begins a folder, such as `tiles/{z}/{y}/{x}.png`.
    ///
    /// # Errors
    /// Where the pattern is wrong, or the folder in front of it exists.
    pub fn create(path: &Path, metadata: &ArchiveMetadata) -> Result<Self> {
        let (target, template) = Template::split(path)?;
        if target.symlink_metadata().is_ok() {
            return Err(exists(&target));
        }
        if METADATA_NAMES.iter().any(|name| template.tile(name).is_some()) {
            return Err(Error::argument(path.display().to_string(), "a tile could have the name of the metadata"));
        }
        Ok(Self { folder: AtomicFolder::create(&target, &|_, _| true)?, target, template, taken: Taken::new(metadata) })
    }
}

fn exists(target: &Path) -> Error {
    let problem = "exists already; a folder by a pattern replaces none: choose another name, or remove it first";
    Error::argument(target.display().to_string(), problem)
}

impl TileSink for FolderWriter {
    fn put(&mut self, tile: TileCoord, bytes: &[u8]) -> Result<()> {
        self.taken.take(tile, bytes, &self.target)?;
        let said = self.template.ending().rsplit_once('.').map(|(_, end)| TileFormat::from_name(end));
        let is = TileFormat::from_name(&ending(bytes, &self.taken.metadata));
        if let Some(said) = said.filter(|said| *said != is && !matches!(said, TileFormat::Other(_))) {
            let problem = format!("is {}, but its name would end with {}", is.name(), said.name());
            let remedy = "write the ending of the pattern as the tiles are, or leave it out";
            return Err(Error::invalid(format!("tile {tile}"), problem, remedy).with_path(&self.target));
        }
        let file = self.folder.path().join(self.template.name(tile, ""));
        if let Some(above) = file.parent() {
            fs::create_dir_all(above).map_err(Error::io("make the folder", above))?;
        }
        fs::write(&file, bytes).map_err(Error::io("write", &file))?;
        Ok(())
    }

    fn scratch(&self) -> Result<ScratchFile> {
        ScratchFile::beside(&self.target)
    }

    fn metadata_mut(&mut self) -> &mut ArchiveMetadata {
        &mut self.taken.metadata
    }

    fn finish(mut self: Box<Self>) -> Result<ArchiveSummary> {
        let file = self.folder.path().join(METADATA);
        fs::write(&file, metadata_rows(self.taken.complete(), None)).map_err(Error::io("write", &file))?;
        let Self { folder, taken: Taken { mut summary, .. }, .. } = *self;
        folder.commit(|old| Err(exists(old)), &|_, _| true)?;
        summary.file_size = summary.bytes;
        Ok(summary)
    }
}
