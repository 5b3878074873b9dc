//! Writing a file of heights from the images of an archive.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use super::lanes::Lanes;
use super::{coding, datum_of, encoding_of};
use crate::archive::contents::{ContentHash, Contents};
use crate::archive::coverage::Coverage;
use crate::archive::output::PendingFile;
use crate::archive::{ArchiveMetadata, ArchiveSummary, TileFormat, TileSink, TileSource};
use crate::atomic::ScratchFile;
use crate::error::{Error, Result};
use crate::heights::{Description, Packed, Writer};
use crate::terrain::{CodeTile, NO_SOURCE, decode_lineage};
use crate::tile::{TileCoord, TileId};

type Out = Writer<BufWriter<File>>;

/// Packs the tiles of a terrain archive into a file of heights.
///
/// Tiles are decoded and packed on all processors. Memory is bounded: a few tiles a thread, up to 90 MB for finding equal ones, and
/// 12 bytes for each run of consecutive tiles.
pub struct HeightsWriter {
    pending: PendingFile,
    metadata: ArchiveMetadata,
    lanes: Lanes<Job, Done>,
    lineage: Option<Lineage>,
    /// Begun with the first tile, which tells the size of all.
    out: Option<(Out, u32, TileCoord)>,
    last: Option<TileId>,
    seen: Contents,
    coverage: Coverage,
    summary: ArchiveSummary,
}

/// Where the source of each pixel is told.
enum Lineage {
    /// In another archive.
    Archive(Arc<dyn TileSource>),
    /// With the tiles that are put; these are the names of the sources.
    Names(Vec<String>),
}

/// A tile as it was put.
struct Job {
    tile: TileCoord,
    bytes: Vec<u8>,
    lineage: Option<Arc<dyn TileSource>>,
}

/// A packed tile.
pub(super) struct Done {
    pub(super) tile: TileCoord,
    pub(super) size: u32,
    /// How many bytes it took before it was packed.
    pub(super) bytes: u64,
    pub(super) hash: ContentHash,
    pub(super) packed: Arc<Packed>,
    pub(super) lineage: Option<Packed>,
}

/// What tells packed tiles apart.
pub(super) fn hash_of(packed: &Packed) -> ContentHash {
    ContentHash::of(&packed.bytes().collect::<Vec<_>>().concat())
}

fn packed(job: Job) -> Result<Done> {
    let Job { tile, bytes, lineage } = job;
    let named = |error: Error| match error {
        Error::Invalid { problem, remedy, .. } => Error::invalid(format!("tile {tile}"), problem, remedy),
        other => other,
    };
    let image = CodeTile::decode(&bytes).map_err(named)?;
    let packed = Packed::new(image.size, &image.codes, &image.valid)?;
    let hash = hash_of(&packed);
    let lineage = lineage.map(|source| lineage_of(source.as_ref(), tile, image.size)).transpose()?;
    Ok(Done { tile, size: image.size, bytes: bytes.len() as u64, hash, packed: Arc::new(packed), lineage })
}

/// The numbers of the sources of a tile's pixels; void where they have none.
pub(super) fn lineage_of(source: &dyn TileSource, tile: TileCoord, size: u32) -> Result<Packed> {
    let pixels = size as usize * size as usize;
    let Some(bytes) = source.tile(tile)? else { return Packed::new(size, &vec![0; pixels], &vec![0; pixels]) };
    let (side, sources) = decode_lineage(&bytes).map_err(|error| error.with_path(source.path()))?;
    if side != size {
        let problem = format!("has {side} pixels a side, the tile of heights has {size}");
        let error = Error::invalid(format!("tile {tile}"), problem, "give the lineage that was made with the heights");
        return Err(error.with_path(source.path()));
    }
    let valid: Vec<u8> = sources.iter().map(|&source| u8::from(source != NO_SOURCE)).collect();
    Packed::new(size, &sources.iter().map(|&source| source.into()).collect::<Vec<_>>(), &valid)
}

/// The names in the legend of a lineage archive, by their number.
fn names_in(source: &dyn TileSource) -> Result<Vec<String>> {
    let legend = source.metadata().other.get("legend").and_then(|legend| legend.get("sources")?.as_array());
    let mut names = Vec::new();
    for entry in legend.into_iter().flatten() {
        let (Some(number), Some(name)) = (entry["priority"].as_u64(), entry["name"].as_str()) else { continue };
        let Some(number) = usize::try_from(number).ok().filter(|&number| number < usize::from(NO_SOURCE)) else {
            continue;
        };
        names.resize(names.len().max(number + 1), String::new());
        name.clone_into(&mut names[number]);
    }
    if names.is_empty() {
        let problem = "have no legend of sources";
        let error = Error::invalid("metadata", problem, "give a lineage archive, as a run with `lineage` makes it");
        return Err(error.with_path(source.path()));
    }
    Ok(names)
}

impl HeightsWriter {
    /// Begins a file that will stand at `path`.
    ///
    /// # Errors
    /// Where the metadata declare no encoding of heights, `path` exists and `overwrite` is false, or its folder is missing or
    /// not writable.
    pub fn create(path: &Path, metadata: &ArchiveMetadata, overwrite: bool) -> Result<Self> {
        encoding_of(metadata)?;
        Ok(Self {
            pending: PendingFile::create(path, overwrite)?,
            metadata: metadata.clone(),
            lanes: Lanes::new(crate::archive::pipeline::threads(), packed),
            lineage: None,
            out: None,
            last: None,
            seen: Contents::default(),
            coverage: Coverage::new(),
            summary: ArchiveSummary::default(),
        })
    }

    /// Takes the source of each pixel from an archive of lineage tiles, so that answers name it.
    ///
    /// # Errors
    /// Where its metadata have no legend.
    pub fn with_lineage(mut self, lineage: Box<dyn TileSource>) -> Result<Self> {
        names_in(lineage.as_ref())?;
        self.lineage = Some(Lineage::Archive(lineage.into()));
        Ok(self)
    }

    /// True where the file tells the source of each pixel.
    pub(super) fn has_lineage(&self) -> bool {
        self.lineage.is_some()
    }

    /// The archive that sources are taken from.
    pub(super) fn lineage_source(&self) -> Option<Arc<dyn TileSource>> {
        match &self.lineage {
            Some(Lineage::Archive(source)) => Some(source.clone()),
            _ => None,
        }
    }

    /// Every tile will bring the sources of its pixels, which have these names. Before the first tile.
    pub(super) fn with_sources(&mut self, names: Vec<String>) {
        self.lineage = Some(Lineage::Names(names));
    }

    /// Adds a tile that is packed.
    pub(super) fn put_packed(&mut self, done: Done) -> Result<()> {
        self.follows(done.tile)?;
        self.write(done)
    }

    /// Checks that a tile comes after the one before it.
    fn follows(&mut self, tile: TileCoord) -> Result<()> {
        let id = TileId::from(tile);
        if self.last.is_some_and(|last| id <= last) {
            return Err(self.refuse(
                tile,
                "comes after a tile that stands behind it",
                "heights are written in the order of tile ids, each tile once: sort the tiles first",
            ));
        }
        self.last = Some(id);
        Ok(())
    }

    fn refuse(&self, tile: TileCoord, problem: impl Into<String>, remedy: &'static str) -> Error {
        Error::invalid(format!("tile {tile}"), problem, remedy).with_path(self.pending.target())
    }

    /// The output, of tiles with the size of this one.
    fn out(&mut self, tile: TileCoord, size: u32) -> Result<&mut Out> {
        if let Some((_, first, of)) = &self.out
            && *first != size
        {
            let problem = format!("has {size} pixels a side, but tile {of} has {first}");
            return Err(self.refuse(tile, problem, "a file of heights has one size: cut or join the tiles first"));
        }
        let out = match self.out.take() {
            Some(out) => out,
            None => {
                let file = BufWriter::with_capacity(1 << 20, self.pending.handle()?);
                let coding = coding(encoding_of(&self.metadata)?);
                let beside = Some(self.pending.target());
                (Writer::new(file, beside, size, coding, self.lineage.is_some())?, size, tile)
            }
        };
        Ok(&mut self.out.insert(out).0)
    }

    fn write(&mut self, done: Done) -> Result<()> {
        let Done { tile, size, bytes, hash, packed, lineage } = done;
        let known = self.seen.find(hash).and_then(|content| u32::try_from(content).ok());
        let out = self.out(tile, size)?;
        let written = match known {
            Some(content) => out.repeat(tile.into(), content, lineage.as_ref()).map(|()| None),
            None => out.put(tile.into(), &packed, lineage.as_ref()).map(Some),
        };
        if let Some(content) = written.map_err(|error| self.named(error))? {
            self.seen.insert(hash, content.into());
            self.summary.contents += 1;
        }
        self.coverage.push(tile.into(), 1);
        self.summary.tiles += 1;
        self.summary.bytes += bytes;
        Ok(())
    }

    /// An error of the writer, which knows no path, with that of the output.
    fn named(&self, error: Error) -> Error {
        match error {
            Error::Io { action, source, .. } => Error::io(action, self.pending.target())(source),
            other => other.with_path(self.pending.target()),
        }
    }

    fn complete(&mut self) -> Result<()> {
        while let Some(done) = self.lanes.take()? {
            self.write(done)?;
        }
        let size = self.metadata.tile_size.unwrap_or(512);
        if self.out.is_none() {
            // No tile came: an empty file of heights.
            self.out(TileCoord::at(0.0, 0.0, 0), size)?;
        }
        self.coverage.finish();
        let Some((out, size, _)) = self.out.take() else { return Ok(()) };
        self.metadata.tile_size = Some(size);
        self.metadata.complete(&self.coverage);
        let datum = datum_of(&self.metadata).unwrap_or_default();
        let metadata = self.metadata.to_json().to_string();
        let sources = match &self.lineage {
            None => Vec::new(),
            Some(Lineage::Archive(source)) => names_in(source.as_ref())?,
            Some(Lineage::Names(names)) => names.clone(),
        };
        out.finish(&Description { metadata, datum, sources }).map(drop).map_err(|error| self.named(error))
    }
}

impl TileSink for HeightsWriter {
    fn put(&mut self, tile: TileCoord, bytes: &[u8]) -> Result<()> {
        let is_first = self.last.is_none();
        self.follows(tile)?;
        if is_first && self.metadata.format == TileFormat::Unknown {
            self.metadata.format = TileFormat::sniff(bytes).unwrap_or_default();
        }
        match self.lanes.give(Job { tile, bytes: bytes.to_vec(), lineage: self.lineage_source() })? {
            Some(done) => self.write(done),
            None => Ok(()),
        }
    }

    fn as_heights(&mut self) -> Option<&mut HeightsWriter> {
        Some(self)
    }

    fn scratch(&self) -> Result<ScratchFile> {
        ScratchFile::beside(self.pending.target())
    }

    fn metadata_mut(&mut self) -> &mut ArchiveMetadata {
        &mut self.metadata
    }

    fn finish(mut self: Box<Self>) -> Result<ArchiveSummary> {
        self.complete()?;
        let Self { pending, mut summary, .. } = *self;
        summary.file_size = pending.persist()?;
        Ok(summary)
    }
}
