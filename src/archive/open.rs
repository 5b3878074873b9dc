//! Opening an archive by its content, and making one by its name.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::files::{FilesReader, FilesWriter};
use super::heights::{HeightsReader, HeightsWriter};
use super::mbtiles::{MbtilesReader, MbtilesWriter};
use super::mended::Mended;
use super::named::{FolderWriter, NamedReader, Template, ZipWriter};
use super::pmtiles::{Header, PmtilesReader, PmtilesWriter};
use super::{ArchiveMetadata, Scheme, TileSink, TileSource};
use crate::error::{Error, Result};
use crate::{heights, local};

/// How much of a file is read to see what it is, bytes.
const HEAD: u64 = 128;

/// The format of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArchiveKind {
    /// MBTiles 1.3, an SQLite database.
    Mbtiles,
    /// PMTiles 3.
    Pmtiles,
    /// A folder of files `{z}/{x}/{y}`, or of another pattern ([`Template`]).
    Files,
    /// A file of heights ([`crate::heights`]).
    Heights,
    /// A zip of tiles.
    Zip,
}

impl ArchiveKind {
    /// Its name: `MBTiles`, `PMTiles`, `folder`, `heights` or `zip`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mbtiles => "MBTiles",
            Self::Pmtiles => "PMTiles",
            Self::Files => "folder",
            Self::Heights => "heights",
            Self::Zip => "zip",
        }
    }

    /// The format of an existing file, by its first bytes.
    ///
    /// # Errors
    /// Where the path is missing, a folder, empty, or neither an SQLite database nor PMTiles.
    pub fn detect(path: &Path) -> Result<Self> {
        if Template::is_one(path) && !path.exists() {
            return Ok(Self::Files);
        }
        let metadata = local::input(path)?;
        if metadata.is_dir() {
            return Ok(Self::Files);
        }
        if metadata.len() == 0 {
            let remedy = "the program that made it failed: make it again";
            return Err(Error::invalid("archive", "is empty (0 bytes)", remedy).with_path(path));
        }
        let mut head = Vec::new();
        File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head)).map_err(Error::io("read", path))?;
        if head.starts_with(b"SQLite format 3\0") {
            return Ok(Self::Mbtiles);
        }
        if head.starts_with(b"PMTiles") {
            return Ok(Self::Pmtiles);
        }
        // A file, or the end of an archive that holds none.
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            return Ok(Self::Zip);
        }
        if heights::is_heights(&head) {
            return Ok(Self::Heights);
        }
        head.truncate(16);
        if head.starts_with(b"PM\x01\x00") || head.starts_with(b"PM\x02\x00") {
            let remedy = "convert it with `pmtiles convert old.pmtiles new.pmtiles`";
            let problem = format!("is PMTiles version {}, expected 3", head[2]);
            return Err(Error::other_kind(problem, remedy).with_path(path));
        }
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("pmtiles")) {
            // The reader's own words for a bad magic.
            return Header::from_bytes(&head).map_err(|error| error.with_path(path)).map(|_| Self::Pmtiles);
        }
        let problem =
            format!("begins with {:?}, expected an SQLite database or PMTiles", String::from_utf8_lossy(&head));
        Err(Error::other_kind(problem, "give an MBTiles or PMTiles file").with_path(path))
    }

    /// The format that a name asks for: `.mbtiles`, `.pmtiles`, `.heights`, `.zip`, or a folder where it has no extension.
    ///
    /// # Errors
    /// For every other extension, and for what is no name of a local file.
    pub fn of_name(path: &Path) -> Result<Self> {
        local::output(path)?;
        if Template::is_one(path) {
            return Ok(Self::Files);
        }
        match path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).as_deref() {
            Some("mbtiles") => Ok(Self::Mbtiles),
            Some("pmtiles") => Ok(Self::Pmtiles),
            Some("heights") => Ok(Self::Heights),
            Some("zip") => Ok(Self::Zip),
            None if path.file_name().is_some() => Ok(Self::Files),
            _ => Err(other_name(
                path,
                "expected a name that ends in .mbtiles, .pmtiles, .heights or .zip, or a folder without an extension; the name chooses the format",
            )),
        }
    }
}

/// What to do with a tile that one archive holds twice, with different contents: rows of an MBTiles without a unique index, files of
/// two extensions in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnDuplicate {
    /// Stop with a message that names the tile.
    #[default]
    Error,
    /// Take the first: the row that was written first, the file whose name comes first.
    First,
    /// Take the last.
    Last,
}

/// How an archive is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenOptions {
    /// How addresses are written in a folder, or how rows count in MBTiles; `None` where the archive has to tell.
    pub scheme: Option<Scheme>,
    /// Which of several contents of one tile is taken.
    pub on_duplicate: OnDuplicate,
    /// Whether the path may be the URL of PMTiles (`https`, `s3`, `gs`, `az`), which is then asked for its parts. Needs the feature
    /// `remote`. Say so only for what the user named: what stands in a file must not make requests.
    pub remote: bool,
}

/// Opens an archive for reading; its content says what it is, not its name.
///
/// Some tiles are looked at: metadata then say what these are, and all tiles are given out in one form ([`TileSource::form`]).
///
/// # Errors
/// Where the file is missing, a folder, empty, truncated, of a newer version, or not an archive.
pub fn open(path: &Path) -> Result<Box<dyn TileSource>> {
    open_with(path, OpenOptions::default())
}

/// As [`open`], with all options.
///
/// # Errors
/// As [`open`].
pub fn open_with(path: &Path, options: OpenOptions) -> Result<Box<dyn TileSource>> {
    if options.remote
        && let Some(remote) = remote(path)
    {
        return Ok(Box::new(Mended::new(Box::new(remote?))));
    }
    Ok(Box::new(Mended::new(match ArchiveKind::detect(path)? {
        ArchiveKind::Mbtiles => Box::new(MbtilesReader::open_with(path, options)?),
        ArchiveKind::Pmtiles => Box::new(PmtilesReader::open(path)?),
        ArchiveKind::Files if Template::is_one(path) && !path.exists() => Box::new(NamedReader::open_folder(path)?),
        ArchiveKind::Files => Box::new(FilesReader::open_with(path, options)?),
        ArchiveKind::Zip => Box::new(NamedReader::open_zip(path, options)?),
        ArchiveKind::Heights => Box::new(HeightsReader::open(path)?),
    })))
}

/// PMTiles at a URL; `None` for a path.
///
/// # Errors
/// As [`PmtilesReader::open_remote`].
#[cfg(feature = "remote")]
pub(super) fn remote(path: &Path) -> Option<Result<PmtilesReader>> {
    crate::remote::Place::of(path).map(|place| PmtilesReader::open_remote(place?))
}

#[cfg(not(feature = "remote"))]
pub(super) fn remote(_: &Path) -> Option<Result<PmtilesReader>> {
    None
}

/// Which version of an object stands behind a URL now, a number for it, and its length; `None` for a path. One request.
///
/// # Errors
/// Where there is none, or the server fails.
#[cfg(feature = "serve")]
pub(crate) fn remote_version(path: &Path) -> Option<Result<(u64, u64)>> {
    #[cfg(feature = "remote")]
    return crate::remote::Place::of(path).map(|place| place?.version());
    #[cfg(not(feature = "remote"))]
    crate::url::is_one(path).then(|| {
        let problem = "lies on a network, and this hypso was built without (the feature remote)";
        Err(Error::argument(path.display().to_string(), problem))
    })
}

/// How an archive is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CreateOptions {
    /// Replace a file of this name.
    pub overwrite: bool,
    /// In MBTiles, store equal tiles once, below a view; PMTiles always do.
    pub dedup: bool,
    /// Whether the path may be the URL of an object in a bucket (`s3`, `gs`, `az`). The archive is then made in the current folder under
    /// the object's name, uploaded, and removed there. Needs the feature `remote`.
    pub remote: bool,
}

/// Begins an MBTiles or PMTiles archive; the extension of `path` says which. The file appears under its name when the sink is finished.
///
/// # Errors
/// Where the extension is neither `.mbtiles` nor `.pmtiles`, the file exists and `overwrite` is false, or its folder is
/// missing or not writable.
pub fn create(path: &Path, metadata: &ArchiveMetadata, overwrite: bool) -> Result<Box<dyn TileSink>> {
    if ArchiveKind::of_name(path)? == ArchiveKind::Files {
        return Err(other_name(
            path,
            "expected a name that ends in .mbtiles, .pmtiles, .heights or .zip; the extension chooses the format",
        ));
    }
    create_with(path, metadata, CreateOptions { overwrite, ..CreateOptions::default() })
}

fn other_name(path: &Path, expected: &str) -> Error {
    Error::argument(path.display().to_string(), expected)
}

/// As [`create`], with all options; a name without an extension is a folder of files.
///
/// # Errors
/// As [`create`].
pub fn create_with(path: &Path, metadata: &ArchiveMetadata, options: CreateOptions) -> Result<Box<dyn TileSink>> {
    create_as(path, metadata, options, Scheme::Xyz)
}

/// As [`create_with`]; `scheme` says how addresses are written where that is a folder.
///
/// # Errors
/// As [`create`].
pub fn create_as(
    path: &Path,
    metadata: &ArchiveMetadata,
    options: CreateOptions,
    scheme: Scheme,
) -> Result<Box<dyn TileSink>> {
    #[cfg(feature = "remote")]
    if options.remote
        && let Some(place) = crate::remote::Place::of(path)
    {
        return Ok(Box::new(super::upload::Upload::create(path, place?, metadata, options, scheme)?));
    }
    let CreateOptions { overwrite, dedup, .. } = options;
    Ok(match ArchiveKind::of_name(path)? {
        ArchiveKind::Mbtiles if dedup => Box::new(MbtilesWriter::create_shared(path, metadata, overwrite)?),
        ArchiveKind::Mbtiles => Box::new(MbtilesWriter::create(path, metadata, overwrite)?),
        ArchiveKind::Pmtiles => Box::new(PmtilesWriter::create(path, metadata, overwrite)?),
        ArchiveKind::Files if Template::is_one(path) => Box::new(FolderWriter::create(path, metadata)?),
        ArchiveKind::Files => Box::new(FilesWriter::create_with(path, metadata, overwrite, scheme)?),
        ArchiveKind::Zip => Box::new(ZipWriter::create(path, metadata, overwrite, scheme)?),
        ArchiveKind::Heights => Box::new(HeightsWriter::create(path, metadata, overwrite)?),
    })
}
