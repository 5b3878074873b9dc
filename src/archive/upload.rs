//! An archive that goes into a bucket.
//!
//! Archives are put together at many places of a file, so it is made here first, under the object's name in the current folder, and
//! then uploaded. It goes when the object is there and has its size; where the upload fails it stays, whole, with a note of what was
//! sent. The next run makes the archive anew, and sends only those parts of it that are not there.

use std::path::{Path, PathBuf};

use super::heights::HeightsWriter;
use super::mbtiles::MbtilesWriter;
use super::{ArchiveMetadata, ArchiveSummary, CreateOptions, Scheme, TileSink};
use crate::atomic::ScratchFile;
use crate::error::{Error, Result};
use crate::remote::{Note, Place};
use crate::tile::TileCoord;

/// Makes a local file that is whole an object, and removes the file.
///
/// # Errors
/// Where the server fails, or an object is there and may not be replaced. The file stays then.
pub(crate) fn send(local: &Path, place: &Place, overwrite: bool) -> Result<()> {
    place.put(local, overwrite).map_err(|error| error.after_whole(local))?;
    std::fs::remove_file(local).map_err(Error::io("remove", local))
}

/// See the module.
pub(super) struct Upload {
    inner: Box<dyn TileSink>,
    local: PathBuf,
    place: Place,
    overwrite: bool,
}

impl Upload {
    /// Looks whether the object may be made, and begins the file.
    ///
    /// # Errors
    /// Where an object is there and may not be replaced, the server refuses to tell, or the file exists or can't be made.
    pub(super) fn create(
        path: &Path,
        place: Place,
        metadata: &ArchiveMetadata,
        options: CreateOptions,
        scheme: Scheme,
    ) -> Result<Self> {
        let local = PathBuf::from(path.file_name().unwrap_or_default());
        if local.extension().is_none() {
            let problem =
                "expected a name that ends in .pmtiles, .mbtiles or .heights; a bucket takes no folder of tiles";
            return Err(Error::argument(place.name(), problem));
        }
        place.check_output(options.overwrite)?;
        // Whatever is here under this name is not ours, but for what an upload left.
        let left = Note::left(&place, &local)?;
        let here = CreateOptions { overwrite: left, remote: false, ..options };
        let inner = super::create_as(&local, metadata, here, scheme)?;
        Ok(Self { inner, local, place, overwrite: options.overwrite })
    }
}

impl TileSink for Upload {
    fn put(&mut self, tile: TileCoord, bytes: &[u8]) -> Result<()> {
        self.inner.put(tile, bytes)
    }

    fn as_mbtiles(&mut self) -> Option<&mut MbtilesWriter> {
        self.inner.as_mbtiles()
    }

    fn as_heights(&mut self) -> Option<&mut HeightsWriter> {
        self.inner.as_heights()
    }

    fn scratch(&self) -> Result<ScratchFile> {
        self.inner.scratch()
    }

    fn metadata_mut(&mut self) -> &mut ArchiveMetadata {
        self.inner.metadata_mut()
    }

    fn finish(self: Box<Self>) -> Result<ArchiveSummary> {
        let Self { inner, local, place, overwrite } = *self;
        let summary = inner.finish()?;
        send(&local, &place, overwrite)?;
        Ok(summary)
    }
}
