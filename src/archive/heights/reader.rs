//! Reading a file of heights as an archive of images.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::coding;
use crate::archive::{ArchiveKind, ArchiveMetadata, Located, LocatedTiles, TileEncoding, TileRun, TileSource};
use crate::container::Schema as _;
use crate::error::{Error, Result};
use crate::heights::Heights;
use crate::json::Json;
use crate::terrain::{CodeTile, Encoding, ImageFormat};
use crate::tile::{TileCoord, TileId};

/// A file of heights, open for reading as an archive. Each tile is encoded when it is read: some milliseconds.
#[derive(Debug)]
pub struct HeightsReader {
    heights: Heights,
    path: PathBuf,
    metadata: ArchiveMetadata,
    format: ImageFormat,
}

impl HeightsReader {
    /// Maps a file; nobody may write into it or cut it while it is open.
    ///
    /// # Errors
    /// Where it can't be mapped, is damaged, or holds no heights.
    pub fn open(path: &Path) -> Result<Self> {
        Self::of(Heights::open(path)?, path).map_err(|error| error.with_path(path))
    }

    fn of(heights: Heights, path: &Path) -> Result<Self> {
        let shape = *heights.shape();
        let remedy = "the file is damaged: make it again";
        let map = match serde_json::from_str(heights.metadata()?) {
            Ok(Value::Object(map)) => map,
            Ok(_) => return Err(Error::invalid("metadata", "expected a JSON object", remedy)),
            Err(error) => return Err(Error::invalid("metadata", format!("is not valid JSON: {error}"), remedy)),
        };
        let mut metadata = ArchiveMetadata::from_json(&map);
        metadata.tile_size = Some(shape.size);
        metadata.minzoom = (shape.tiles > 0).then_some(shape.min_zoom);
        metadata.maxzoom = (shape.tiles > 0).then_some(shape.max_zoom);
        // What codes mean the columns say.
        let is = |encoding| coding(encoding) == [shape.scale, shape.offset];
        metadata.encoding = Encoding::ALL.into_iter().find(|&e| is(e)).map(TileEncoding::from);
        if metadata.encoding.is_none() {
            let problem =
                format!("has the scale {} and the offset {}, no encoding of images", shape.scale, shape.offset);
            return Err(Error::invalid("coding", problem, "ask it by the library, or make it again"));
        }
        let format = metadata.format.image().unwrap_or(ImageFormat::Webp);
        metadata.format = format.into();
        Ok(Self { heights, path: path.to_path_buf(), metadata, format })
    }

    /// The heights.
    #[must_use]
    pub fn heights(&self) -> &Heights {
        &self.heights
    }

    /// The pixels of a content, void ones with the code that they have in an image.
    pub(super) fn codes(&self, content: usize) -> Result<CodeTile> {
        let mut tile = CodeTile { size: self.heights.shape().size, ..CodeTile::default() };
        self.heights.read_codes(content, &mut tile.codes, &mut tile.valid)?;
        let void = self.heights.facts(content).void & 0xff_ffff;
        for (code, &valid) in tile.codes.iter_mut().zip(&tile.valid) {
            *code = if valid == 1 { *code } else { void };
        }
        Ok(tile)
    }

    fn image(&self, content: usize) -> Result<Vec<u8>> {
        self.codes(content).and_then(|tile| tile.encode(self.format)).map_err(|error| error.with_path(&self.path))
    }

    fn located(
        &self,
        tiles: impl Iterator<Item = Result<(TileId, usize)>> + Send,
    ) -> impl Iterator<Item = Result<Located>> + Send {
        tiles.map(|tile| {
            let (id, content) = tile.map_err(|error| error.with_path(&self.path))?;
            // How many bytes an image has is known once it is encoded.
            Ok(Located { id, place: content as u64, bytes: 0 })
        })
    }
}

impl TileSource for HeightsReader {
    fn path(&self) -> &Path {
        &self.path
    }

    fn kind(&self) -> ArchiveKind {
        ArchiveKind::Heights
    }

    fn metadata(&self) -> &ArchiveMetadata {
        &self.metadata
    }

    fn tile(&self, tile: TileCoord) -> Result<Option<Vec<u8>>> {
        let content = self.heights.content_of(tile.into()).map_err(|error| error.with_path(&self.path))?;
        content.map(|content| self.image(content)).transpose()
    }

    fn tiles(&self) -> Result<LocatedTiles<'_>> {
        Ok(Box::new(self.located(self.heights.tiles())))
    }

    fn tiles_of(&self, zoom: u8) -> Result<LocatedTiles<'_>> {
        Ok(Box::new(self.located(self.heights.tiles_in(TileId::zoom_range(zoom)))))
    }

    fn read(&self, tile: Located, into: &mut Vec<u8>) -> Result<()> {
        let content = if tile.place == Located::NOWHERE {
            self.heights.content_of(tile.id).map_err(|error| error.with_path(&self.path))?
        } else {
            usize::try_from(tile.place).ok()
        };
        let Some(content) = content else {
            let part = tile.id.coord().map_or_else(|| format!("tile id {}", tile.id.0), |tile| format!("tile {tile}"));
            return Err(Error::invalid(part, "is not in the file", "open it again").with_path(&self.path));
        };
        into.extend_from_slice(&self.image(content)?);
        Ok(())
    }

    fn some(&self, _: usize) -> Vec<Vec<u8>> {
        // What its images are is known.
        Vec::new()
    }

    fn as_heights(&self) -> Option<&HeightsReader> {
        Some(self)
    }

    fn tile_count(&self) -> Result<u64> {
        Ok(self.heights.shape().tiles)
    }

    fn runs(&self, visit: &mut dyn FnMut(TileRun) -> Result<()>) -> Result<()> {
        let mut run: Option<TileRun> = None;
        for tile in self.heights.tiles() {
            let (first, content) = tile.map_err(|error| error.with_path(&self.path))?;
            match &mut run {
                Some(run) if run.content == content as u64 && run.first.0 + run.count == first.0 => run.count += 1,
                run => {
                    let bytes = self.heights.packed_bytes(content);
                    if let Some(done) = run.replace(TileRun { first, count: 1, bytes, content: content as u64 }) {
                        visit(done)?;
                    }
                }
            }
        }
        run.map_or(Ok(()), visit)
    }

    fn facts(&self) -> Result<Json> {
        let (shape, file) = (self.heights.shape(), self.heights.container());
        let mut facts = Map::new();
        let mut set = |key: &str, value: Value| drop(facts.insert(key.to_owned(), value));
        set("file_bytes", file.bytes().len().into());
        set("tile_size", shape.size.into());
        set("min_zoom", shape.min_zoom.into());
        set("max_zoom", shape.max_zoom.into());
        set("tiles", shape.tiles.into());
        set("tile_contents", self.heights.contents().into());
        set("scale", json!(shape.scale));
        set("offset", json!(shape.offset));
        set("vertical_datum", self.heights.datum()?.into());
        set("lineage", json!(self.heights.sources()?));
        Ok(Json::of(Value::Object(facts)))
    }
}
