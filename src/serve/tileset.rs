//! The tiles of one archive, as they are given out.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use axum::http::HeaderValue;
use bytes::Bytes;
use serde_json::Value;

use super::options::Options;
use crate::archive::heights::{CacheUse, CachedHeights};
use crate::archive::pmtiles::{Compression, TileReader};
use crate::archive::{self, ArchiveKind, ArchiveMetadata, OpenOptions, TileEncoding, TileFormat, TileSource};
use crate::error::{Error, Result};
use crate::tile::TileCoord;
use crate::url;

/// An archive that is open.
pub struct Tileset {
    reader: Reader,
    far: bool,
    metadata: ArchiveMetadata,
    content_type: HeaderValue,
    /// How tiles are packed on top of their format.
    content_encoding: Option<HeaderValue>,
    decoded_bytes: u64,
    decoded: OnceLock<std::result::Result<Arc<CachedHeights>, String>>,
}

enum Reader {
    /// PMTiles: bytes come out of the map.
    Mapped(Arc<TileReader>),
    /// All else.
    Source(Box<dyn TileSource>),
}

/// Bytes of a mapped file that live as long as somebody sends them.
struct Piece(Arc<TileReader>, Range<usize>);

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes()[self.1.clone()]
    }
}

impl Tileset {
    /// Reads the archive into memory, or at least its directories, where that is no more than so many bytes. Gives how many were
    /// read: none of MBTiles, which SQLite reads, and none from a URL.
    pub fn preload(&self, most: u64) -> u64 {
        match &self.reader {
            Reader::Mapped(reader) => reader.preload(most),
            Reader::Source(_) => 0,
        }
    }

    /// Opens a PMTiles archive, here or at a URL, or an MBTiles database. `encoding` is what pixels mean where the archive does not say.
    pub fn open(path: &Path, encoding: Option<&str>, options: &Options) -> Result<Self> {
        let far = url::is_one(path);
        let kind = if far { ArchiveKind::Mbtiles } else { ArchiveKind::detect(path)? };
        let (reader, mut metadata, sample) = match kind {
            ArchiveKind::Pmtiles => {
                let reader = TileReader::open(path)?;
                let sample = reader.first_tile()?.map(|(_, bytes)| bytes.to_vec());
                let metadata = reader.metadata().clone();
                (Reader::Mapped(Arc::new(reader)), metadata, sample)
            }
            ArchiveKind::Mbtiles => {
                let source = archive::open_with(path, OpenOptions { remote: far, ..OpenOptions::default() })?;
                let (metadata, sample) = (source.metadata().clone(), source.some(1).pop());
                (Reader::Source(source), metadata, sample)
            }
            kind => {
                let problem = format!("is a {}, expected PMTiles or MBTiles", kind.name());
                return Err(Error::other_kind(problem, "make PMTiles of it: `archive::convert`").with_path(path));
            }
        };
        if metadata.format == TileFormat::Unknown {
            metadata.format = sample.as_deref().and_then(TileFormat::sniff).unwrap_or_default();
        }
        metadata.encoding = metadata.encoding.or_else(|| encoding.and_then(TileEncoding::from_name));
        let packed = sample.as_deref().is_some_and(|bytes| bytes.starts_with(&[0x1f, 0x8b]));
        let content_encoding = match metadata.tile_compression {
            Some(Compression::Gzip) => Some("gzip"),
            Some(Compression::Brotli) => Some("br"),
            Some(Compression::Zstd) => Some("zstd"),
            _ if packed => Some("gzip"),
            _ => None,
        };
        Ok(Self {
            reader,
            far,
            content_type: HeaderValue::from_static(content_type(&metadata.format)),
            content_encoding: content_encoding.map(HeaderValue::from_static),
            metadata,
            decoded_bytes: options.decoded_bytes,
            decoded: OnceLock::new(),
        })
    }

    pub fn metadata(&self) -> &ArchiveMetadata {
        &self.metadata
    }

    pub fn is_lineage(&self) -> bool {
        self.metadata.encoding == Some(TileEncoding::Lineage)
    }

    /// Whether its pixels are heights, in a way that is known.
    pub fn is_terrain(&self) -> bool {
        self.metadata.encoding.as_ref().is_some_and(|encoding| encoding.elevation().is_some())
    }

    pub fn content_type(&self) -> &HeaderValue {
        &self.content_type
    }

    pub fn content_encoding(&self) -> Option<&HeaderValue> {
        self.content_encoding.as_ref()
    }

    /// True where a tile costs requests to another server.
    pub fn is_far(&self) -> bool {
        self.far
    }

    /// The extension of its tiles in URLs.
    pub fn extension(&self) -> &str {
        match self.metadata.format.name() {
            "" => "bin",
            name => name,
        }
    }

    /// The bytes of a tile as they are stored; of a mapped archive, without a copy.
    pub fn tile(&self, tile: TileCoord) -> Result<Option<Bytes>> {
        match &self.reader {
            Reader::Mapped(reader) => {
                let found = reader.locate(tile)?;
                Ok(found.map(|range| Bytes::from_owner(Piece(Arc::clone(reader), range))))
            }
            Reader::Source(source) => match source.tile(tile) {
                // The object is gone, not the tile.
                Err(Error::NotFound { problem }) if self.far => Err(Error::gone(source.path(), problem)),
                tile => Ok(tile?.map(Bytes::from)),
            },
        }
    }

    /// The length of the whole file, where it can be given out by ranges.
    pub fn file_length(&self) -> Option<u64> {
        match &self.reader {
            Reader::Mapped(reader) => Some(reader.bytes().len() as u64),
            Reader::Source(_) => None,
        }
    }

    /// A part of the file; `None` where [`file_length`](Self::file_length) is, or the range lies outside.
    pub fn file_part(&self, range: Range<u64>) -> Option<Bytes> {
        let Reader::Mapped(reader) = &self.reader else { return None };
        let range = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
        reader.bytes().get(range.clone())?;
        Some(Bytes::from_owner(Piece(Arc::clone(reader), range)))
    }

    /// Heights from decoded tiles, some of which are kept. Made when it is first asked for.
    ///
    /// # Errors
    /// Where its tiles are no heights, or can't be decoded.
    pub fn decoded(&self) -> Result<Arc<CachedHeights>> {
        let Reader::Mapped(reader) = &self.reader else {
            let problem = "its heights can't be asked for, since it is no PMTiles archive on this machine";
            return Err(Error::not_found(format!("{problem}; serve PMTiles or a file of heights beside it")));
        };
        let made = self.decoded.get_or_init(|| {
            let made = CachedHeights::with_metadata(Arc::clone(reader), &self.metadata, self.decoded_bytes);
            made.map(Arc::new).map_err(|error| format!("{error:#}"))
        });
        made.clone().map_err(Error::not_found)
    }

    /// What the cache of decoded tiles holds and did; `None` where nobody asked for heights yet.
    pub fn cache(&self) -> Option<CacheUse> {
        self.decoded.get()?.as_ref().ok().map(|decoded| decoded.cache())
    }

    /// True where [`decoded`](Self::decoded) can be asked.
    pub fn has_decoded(&self) -> bool {
        matches!(self.reader, Reader::Mapped(_)) && self.is_terrain()
    }

    /// The legend of a tileset of lineage: `[{code, name, color}]`.
    pub(crate) fn legend(&self) -> Value {
        let sources = self.metadata.other.get("legend").and_then(|legend| legend.get("sources"));
        let entry = |source: &Value| {
            let code = if source["name"] == "interpolated" { Value::from(254) } else { source["priority"].clone() };
            serde_json::json!({"code": code, "name": source["name"], "color": source["color"]})
        };
        sources.and_then(Value::as_array).map(|all| all.iter().map(entry).collect()).unwrap_or_default()
    }
}

fn content_type(format: &TileFormat) -> &'static str {
    match format {
        TileFormat::Webp => "image/webp",
        TileFormat::Png => "image/png",
        TileFormat::Jpeg => "image/jpeg",
        TileFormat::Avif => "image/avif",
        TileFormat::Mvt => "application/vnd.mapbox-vector-tile",
        TileFormat::Unknown | TileFormat::Other(_) => "application/octet-stream",
    }
}
