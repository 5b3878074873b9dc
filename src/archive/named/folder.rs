//! Writing a folder by a pattern of names.

use std::fs;
use std::path::{Path, PathBuf};

use super::ending;
use super::template::Template;
use crate::archive::coverage::Coverage;
use crate::archive::files::{METADATA, METADATA_NAMES, metadata_rows};
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
    metadata: ArchiveMetadata,
    coverage: Coverage,
    summary: ArchiveSummary,
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
        Ok(Self {
            folder: AtomicFolder::create(&target, &|_, _| true)?,
            target,
            template,
            metadata: metadata.clone(),
            coverage: Coverage::new(),
            summary: ArchiveSummary::default(),
        })
    }
}

fn exists(target: &Path) -> Error {
    let problem = "exists already; a folder by a pattern replaces none: choose another name, or remove it first";
    Error::argument(target.display().to_string(), problem)
}

impl TileSink for FolderWriter {
    fn put(&mut self, tile: TileCoord, bytes: &[u8]) -> Result<()> {
        let refuse = |problem: &str, remedy| {
            Err(Error::invalid(format!("tile {tile}"), problem, remedy).with_path(&self.target))
        };
        if bytes.is_empty() {
            return refuse("has no bytes", "leave empty tiles out");
        }
        if self.summary.tiles == 0 && self.metadata.format == TileFormat::Unknown {
            self.metadata.format = TileFormat::sniff(bytes).unwrap_or_default();
        }
        if !self.coverage.push(tile.into(), 1) {
            return refuse(
                "comes after a tile that stands behind it",
                "tiles are written in the order of tile ids: sort them",
            );
        }
        let said = self.template.ending().rsplit_once('.').map(|(_, end)| TileFormat::from_name(end));
        let is = TileFormat::from_name(&ending(bytes, &self.metadata));
        if let Some(said) = said.filter(|said| *said != is && !matches!(said, TileFormat::Other(_))) {
            let problem = format!("is {}, but its name would end with {}", is.name(), said.name());
            return refuse(&problem, "write the ending of the pattern as the tiles are, or leave it out");
        }
        let file = self.folder.path().join(self.template.name(tile, ""));
        if let Some(above) = file.parent() {
            fs::create_dir_all(above).map_err(Error::io("make the folder", above))?;
        }
        fs::write(&file, bytes).map_err(Error::io("write", &file))?;
        self.summary.tiles += 1;
        self.summary.contents += 1;
        self.summary.bytes += bytes.len() as u64;
        Ok(())
    }

    fn scratch(&self) -> Result<ScratchFile> {
        ScratchFile::beside(&self.target)
    }

    fn metadata_mut(&mut self) -> &mut ArchiveMetadata {
        &mut self.metadata
    }

    fn finish(mut self: Box<Self>) -> Result<ArchiveSummary> {
        self.coverage.finish();
        self.metadata.complete(&self.coverage);
        let file = self.folder.path().join(METADATA);
        fs::write(&file, metadata_rows(&self.metadata, None)).map_err(Error::io("write", &file))?;
        let Self { folder, mut summary, .. } = *self;
        folder.commit(|old| Err(exists(old)), &|_, _| true)?;
        summary.file_size = summary.bytes;
        Ok(summary)
    }
}
