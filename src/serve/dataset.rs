//! A name, and the files that it stands for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use axum::http::HeaderValue;

use super::options::Options;
use super::rasters::{Rasters, Records};
use super::tileset::Tileset;
use crate::Store;
use crate::archive::ArchiveKind;
use crate::container::FileIdentity;
use crate::error::{Error, Result};
use crate::heights::{HeightQueries, Heights};
use crate::url;

/// A version of a file that is in use.
pub(super) struct Part<T> {
    pub path: PathBuf,
    pub content: T,
    /// Tells this version from others: device, number, length and time of the file.
    pub version: u64,
    pub modified: Option<SystemTime>,
    /// The version as a strong entity tag.
    pub etag: HeaderValue,
}

/// A file by what it holds.
#[derive(Clone)]
pub(super) enum Opened {
    Tiles(Arc<Part<Tileset>>),
    Lineage(Arc<Part<Tileset>>),
    Heights(Arc<Part<Heights>>),
    Store(Arc<Part<Records>>),
}

impl Opened {
    /// Opens a file by its content, or PMTiles at a URL, and says which version of the file that is.
    pub fn open(path: &Path, encoding: Option<&str>, options: &Options) -> Result<(Self, FileIdentity)> {
        // A file that is replaced meanwhile is opened again: its identity has to be that of what was opened.
        let mut identity = identity_of(path)?;
        for _ in 0..100 {
            let opened = Self::open_once(path, encoding, options, identity);
            let now = identity_of(path)?;
            if now == identity {
                return opened.map(|opened| (opened, identity));
            }
            identity = now;
        }
        Err(Error::busy(path, "is replaced faster than it can be opened"))
    }

    fn open_once(path: &Path, encoding: Option<&str>, options: &Options, identity: FileIdentity) -> Result<Self> {
        let kind = if url::is_one(path) { Ok(ArchiveKind::Pmtiles) } else { ArchiveKind::detect(path) };
        match kind {
            Ok(ArchiveKind::Pmtiles | ArchiveKind::Mbtiles) => {
                let tiles = Tileset::open(path, encoding, options)?;
                let lineage = tiles.is_lineage();
                let part = Arc::new(Part::new(path, tiles, identity));
                Ok(if lineage { Self::Lineage(part) } else { Self::Tiles(part) })
            }
            Ok(ArchiveKind::Heights) => Ok(Self::Heights(Arc::new(Part::new(path, Heights::open(path)?, identity)))),
            Ok(kind @ (ArchiveKind::Files | ArchiveKind::Zip)) => {
                let remedy = "make PMTiles of it, or give a folder of archives";
                let problem = format!("is a {} of tiles, expected an archive", kind.name());
                Err(Error::other_kind(problem, remedy).with_path(path))
            }
            Err(other) => match Store::open(path) {
                Ok(store) => {
                    let records = Records::new(store, options.decoded_bytes);
                    Ok(Self::Store(Arc::new(Part::new(path, records, identity))))
                }
                Err(Error::OtherKind { .. }) => Err(other),
                Err(error) => Err(error),
            },
        }
    }

    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tiles(_) => "tiles",
            Self::Lineage(_) => "lineage",
            Self::Heights(_) => "heights",
            Self::Store(_) => "store",
        }
    }

    pub fn version(&self) -> u64 {
        match self {
            Self::Tiles(part) | Self::Lineage(part) => part.version,
            Self::Heights(part) => part.version,
            Self::Store(part) => part.version,
        }
    }

    pub fn path(&self) -> &Path {
        match self {
            Self::Tiles(part) | Self::Lineage(part) => &part.path,
            Self::Heights(part) => &part.path,
            Self::Store(part) => &part.path,
        }
    }
}

/// Which version of a file has this name now, or of the object behind a URL.
pub(super) fn identity_of(path: &Path) -> Result<FileIdentity> {
    match crate::archive::remote_version(path) {
        Some(version) => version.map(|(version, length)| FileIdentity::of_object(version, length)),
        None => FileIdentity::at(path),
    }
}

impl<T> Part<T> {
    fn new(path: &Path, content: T, identity: FileIdentity) -> Self {
        let version = identity.number();
        let etag = HeaderValue::from_str(&format!("\"{version:016x}\"")).expect("hexadecimal digits");
        Self { path: path.to_path_buf(), content, version, modified: identity.modified(), etag }
    }
}

/// A name, and up to one file of each kind.
pub struct Dataset {
    pub(super) id: String,
    pub(super) tiles: Option<Arc<Part<Tileset>>>,
    pub(super) lineage: Option<Arc<Part<Tileset>>>,
    pub(super) heights: Option<Arc<Part<Heights>>>,
    pub(super) store: Option<Arc<Part<Records>>>,
    /// How long clients may keep its tiles.
    pub(super) cache_control: HeaderValue,
}

/// Where the heights of a dataset come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ElevationFrom {
    /// A file of heights: well under a microsecond a point.
    Heights,
    /// Tiles that are decoded, some of which are kept: some milliseconds a tile.
    Tiles,
    /// The rasters of a store, some of which stay open: some microseconds a point, and milliseconds where a raster is opened. Points and
    /// lines alone.
    Rasters,
}

impl ElevationFrom {
    /// Its name in the catalogue.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heights => "heights",
            Self::Tiles => "tiles",
            Self::Rasters => "rasters",
        }
    }
}

/// Heights that can be asked for, of one version of one file.
#[derive(Clone)]
pub struct Elevation {
    queries: Queries,
}

#[derive(Clone)]
enum Queries {
    Heights(Arc<Part<Heights>>),
    Tiles(Arc<crate::archive::heights::CachedHeights>),
    Rasters(Arc<Rasters>),
}

impl Elevation {
    /// What can be asked.
    #[must_use]
    pub fn queries(&self) -> &dyn HeightQueries {
        match &self.queries {
            Queries::Heights(part) => &part.content,
            Queries::Tiles(cached) => &**cached,
            Queries::Rasters(rasters) => &**rasters,
        }
    }

    /// Where heights come from. [`ElevationFrom::Heights`] answers single points at once; all else is long work.
    #[must_use]
    pub const fn from(&self) -> ElevationFrom {
        match self.queries {
            Queries::Heights(_) => ElevationFrom::Heights,
            Queries::Tiles(_) => ElevationFrom::Tiles,
            Queries::Rasters(_) => ElevationFrom::Rasters,
        }
    }
}

impl Dataset {
    /// The name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The kinds of files that it has.
    #[must_use]
    pub fn parts(&self) -> Vec<&'static str> {
        let has = [
            ("tiles", self.tiles.is_some()),
            ("lineage", self.lineage.is_some()),
            ("heights", self.heights.is_some()),
            ("store", self.store.is_some()),
        ];
        has.into_iter().filter_map(|(name, has)| has.then_some(name)).collect()
    }

    /// Where its heights come from: the fastest of its files that has some. `None` where none has.
    #[must_use]
    pub fn elevation_from(&self) -> Option<ElevationFrom> {
        let tiles = self.tiles.as_ref().is_some_and(|part| part.content.has_decoded());
        let rasters = self.store.is_some() && crate::raster::reader().is_ok();
        let heights = (self.heights.is_some(), ElevationFrom::Heights);
        let all = [heights, (tiles, ElevationFrom::Tiles), (rasters, ElevationFrom::Rasters)];
        all.into_iter().find_map(|(has, from)| has.then_some(from))
    }

    /// Its heights.
    ///
    /// # Errors
    /// Where it has none.
    pub fn elevation(&self) -> Result<Elevation> {
        let queries = match (self.elevation_from(), &self.heights, &self.tiles, &self.store) {
            (Some(ElevationFrom::Heights), Some(part), ..) => Queries::Heights(Arc::clone(part)),
            (Some(ElevationFrom::Rasters), .., Some(part)) => Queries::Rasters(part.content.heights()?),
            // Tiles say themselves why they have none.
            (_, _, Some(part), _) => Queries::Tiles(part.content.decoded()?),
            _ => {
                let problem = format!("{:?} has no heights; /catalog lists what each dataset has", self.id);
                return Err(Error::not_found(problem));
            }
        };
        Ok(Elevation { queries })
    }

    /// The box that it covers, `[west, south, east, north]` in degrees: of its tiles, else of its records. `None` where neither is known.
    #[must_use]
    pub fn bounds(&self) -> Option<[f64; 4]> {
        let tiles = self.tiles.as_ref().and_then(|part| part.content.metadata().bounds);
        tiles.or_else(|| self.store.as_ref().and_then(|part| extent(&part.content.store)))
    }

    /// What differs between two versions of any of its files.
    pub(super) fn version(&self) -> u64 {
        let tiles = [&self.tiles, &self.lineage].map(|part| part.as_ref().map_or(0, |part| part.version));
        let heights = self.heights.as_ref().map_or(0, |part| part.version);
        let store = self.store.as_ref().map_or(0, |part| part.version);
        let all = [tiles[0], tiles[1], heights, store].map(u64::to_le_bytes).concat();
        crate::format::checksum::checksum(&all)
    }

    /// The name for people.
    pub(super) fn title(&self) -> &str {
        let name = self.tiles.as_ref().map_or("", |part| part.content.metadata().name.as_str());
        if name.is_empty() { &self.id } else { name }
    }
}

/// The box around all records of a store, degrees.
fn extent(store: &Store) -> Option<[f64; 4]> {
    let bounds = store.tree().extent()?;
    let [west, south, east, north] = bounds.to_lon_lat();
    Some([west.max(-180.0), south, east.min(180.0), north])
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dataset").field("id", &self.id).field("parts", &self.parts()).finish_non_exhaustive()
    }
}
