//! An update as an archive: the tiles that changed, and which ones were removed.
//!
//! A patch is an MBTiles or PMTiles file like any other. It holds the new and changed tiles; a tile that is removed is a
//! tile of the 13 bytes `hypso:deleted`, so that a million of them cost a few directory entries. The metadata are those of
//! the new archive, and under the key `hypso_patch`:
//!
//! - `version`: 1;
//! - `base` and `result`: the number of tiles and the digest of the archive before and after;
//! - `bounds` and `center`: those of the new archive, or null.
//!
//! The digest is XXH3 (64 bits, 16 hexadecimal digits) over all tiles in the order of their identifiers: identifier and
//! XXH3 (128 bits) of the content, both little-endian.

use std::path::Path;

use serde_json::{Value, json};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::convert::tell;
use super::join::{Holders, Join};
use super::mbtiles::InPlace;
use super::pipeline::{batches, in_order, threads};
use super::pmtiles::Compression;
use super::{ArchiveKind, ArchiveMetadata, ArchiveSummary, Center, TileFormat, TileSink, TileSource};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::progress::Progress;
use crate::tile::{MAX_ZOOM, TileCoord, TileId};

/// The key of the metadata by which a patch is known.
const KEY: &str = "hypso_patch";
/// The content of a tile that is removed.
const DELETED: &[u8] = b"hypso:deleted";
/// Tiles in one piece of work.
const BATCH: usize = 32;

/// What [`write_patch`] found and wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PatchSummary {
    /// Tiles that are new.
    pub added: u64,
    /// Tiles of other bytes.
    pub changed: u64,
    /// Tiles that go away.
    pub deleted: u64,
    /// The patch itself.
    pub archive: ArchiveSummary,
}

/// A running digest of an archive's tiles.
#[derive(Default)]
struct Digest {
    hash: Xxh3,
    tiles: u64,
}

impl Digest {
    fn add(&mut self, id: TileId, content: u128) {
        self.hash.update(&id.0.to_le_bytes());
        self.hash.update(&content.to_le_bytes());
        self.tiles += 1;
    }

    fn finish(&self) -> Stand {
        Stand { tiles: self.tiles, digest: format!("{:016x}", self.hash.digest()) }
    }
}

/// An archive by its tiles.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stand {
    tiles: u64,
    digest: String,
}

impl Stand {
    fn to_json(&self) -> Value {
        json!({"tiles": self.tiles, "digest": self.digest})
    }

    fn from_json(value: &Value) -> Option<Self> {
        let digest = value.get("digest")?.as_str()?.to_owned();
        Some(Self { tiles: value.get("tiles")?.as_u64()?, digest })
    }
}

/// One tile with what both inputs hold of it.
struct Pair {
    id: TileId,
    tile: TileCoord,
    /// The content of the first input and its hash.
    old: Option<u128>,
    new: Option<u128>,
    /// The bytes that may have to be written.
    bytes: Vec<u8>,
}

/// Reads both contents of every tile; keeps the bytes of the second input where it has some, else those of the first where
/// `keep_old` says so.
fn pairs(
    inputs: &[&dyn TileSource; 2],
    keep_old: bool,
    progress: &dyn Progress,
    mut take: impl FnMut(Pair) -> Result<()>,
) -> Result<()> {
    let work = |batch: Vec<Holders>| -> Result<Vec<Pair>> {
        let mut out = Vec::with_capacity(batch.len());
        for holders in batch {
            let Some(tile) = holders.id.coord() else { continue };
            let mut pair = Pair { id: holders.id, tile, old: None, new: None, bytes: Vec::new() };
            for (n, located) in holders.iter() {
                let mut bytes = Vec::new();
                inputs[n].read(located, &mut bytes)?;
                let hash = Some(xxh3_128(&bytes));
                *(if n == 0 { &mut pair.old } else { &mut pair.new }) = hash;
                if n == 1 || keep_old {
                    pair.bytes = bytes;
                }
            }
            out.push(pair);
        }
        Ok(out)
    };
    in_order(threads(), batches(Join::new(inputs)?, BATCH, progress), work, |found: Vec<Pair>| {
        progress.advance(found.len() as u64);
        found.into_iter().try_for_each(&mut take)
    })
}

/// The metadata of a patch that gives `new`; those about its base are added when it is complete.
#[must_use]
pub fn patch_metadata(new: &dyn TileSource) -> ArchiveMetadata {
    let mut metadata = new.metadata().clone();
    metadata.forget_contents();
    if metadata.format == TileFormat::Mvt && metadata.tile_compression.is_none() {
        // A tile that is removed may come first, and tells nothing about the others.
        metadata.tile_compression = Some(Compression::Gzip);
    }
    metadata
}

/// Writes the changes from `old` to `new` into `sink`, which [`patch_metadata`] described, and finishes it.
///
/// Reads both archives once, on all processors; memory does not grow with them.
///
/// # Errors
/// Where an archive can't be read, the sink can't be written, or the user interrupts.
pub fn write_patch(
    old: &dyn TileSource,
    new: &dyn TileSource,
    mut sink: Box<dyn TileSink>,
    progress: &dyn Progress,
) -> Result<PatchSummary> {
    let mut summary = PatchSummary::default();
    let (mut before, mut after) = (Digest::default(), Digest::default());
    progress.begin("comparing tiles", Some(old.tile_count()?.max(new.tile_count()?)), "tiles");
    let deleted = xxh3_128(DELETED);
    pairs(&[old, new], false, progress, |pair| {
        if pair.new == Some(deleted) {
            let problem = "holds the bytes by which a patch marks tiles that go away";
            let error =
                Error::invalid(format!("tile {}", pair.tile), problem, "this is a patch itself: compare archives");
            return Err(error.with_path(new.path()));
        }
        pair.old.iter().for_each(|&hash| before.add(pair.id, hash));
        pair.new.iter().for_each(|&hash| after.add(pair.id, hash));
        match (pair.old, pair.new) {
            (_, None) => {
                summary.deleted += 1;
                sink.put(pair.tile, DELETED)
            }
            (old, new) if old == new => Ok(()),
            (old, _) => {
                *(if old.is_none() { &mut summary.added } else { &mut summary.changed }) += 1;
                sink.put(pair.tile, &pair.bytes)
            }
        }
    })?;
    progress.end();
    tell(&[old, new], progress);
    let (bounds, center) = (new.metadata().bounds, new.metadata().center);
    let center = center.map(|c| json!([c.lon, c.lat, c.zoom]));
    let about = json!({
        "version": 1, "base": before.finish().to_json(), "result": after.finish().to_json(), "bounds": bounds, "center": center,
    });
    sink.metadata_mut().other.insert(KEY.to_owned(), Json::of(about));
    summary.archive = sink.finish()?;
    Ok(summary)
}

/// What a patch says about itself.
struct About {
    base: Stand,
    result: Stand,
    bounds: Option<[f64; 4]>,
    center: Option<Center>,
}

fn about(patch: &dyn TileSource) -> Result<About> {
    let invalid = |problem: &str, remedy| Error::invalid("metadata", problem, remedy).with_path(patch.path());
    let Some(value) = patch.metadata().other.get(KEY) else {
        return Err(invalid("have no hypso_patch", "this is no patch: make one (`archive::write_patch`)"));
    };
    let version = value.get("version").and_then(Value::as_u64);
    if version.is_some_and(|v| v > 1) {
        return Err(invalid("describe a patch of a newer version", "install a newer hypso"));
    }
    let numbers = |key: &str| -> Option<Vec<f64>> {
        value.get(key)?.as_array()?.iter().map(|v| v.as_f64().filter(|v| v.is_finite())).collect()
    };
    let stand = |key: &str| value.get(key).and_then(Stand::from_json);
    match (version, stand("base"), stand("result")) {
        (Some(1), Some(base), Some(result)) => Ok(About {
            base,
            result,
            bounds: numbers("bounds").and_then(|v| v.try_into().ok()),
            center: numbers("center").filter(|v| v.len() == 3).map(|v| Center {
                lon: v[0],
                lat: v[1],
                zoom: v[2].clamp(0.0, f64::from(MAX_ZOOM)) as u8,
            }),
        }),
        _ => Err(invalid("have a hypso_patch that is damaged", "make the patch again")),
    }
}

/// The metadata of what [`apply_patch`] will write: those of the new archive.
///
/// # Errors
/// Where `patch` is no patch.
pub fn patched_metadata(patch: &dyn TileSource) -> Result<ArchiveMetadata> {
    let about = about(patch)?;
    let mut metadata = patch.metadata().clone();
    metadata.other.remove(KEY);
    (metadata.bounds, metadata.center) = (about.bounds, about.center);
    Ok(metadata)
}

/// Writes what `patch` makes of `base` into `sink`, which [`patched_metadata`] described, and finishes it.
///
/// The output appears only where every tile of `base` was the one that the patch was made from, and every tile of the
/// result is the one that it should lead to.
///
/// # Errors
/// Where `patch` is no patch, or was made from another archive than `base`; where an archive can't be read, the sink can't be
/// written, or the user interrupts.
pub fn apply_patch(
    base: &dyn TileSource,
    patch: &dyn TileSource,
    mut sink: Box<dyn TileSink>,
    progress: &dyn Progress,
) -> Result<ArchiveSummary> {
    let about = about(patch)?;
    let total = base.tile_count()?;
    // Rows that stand twice are counted, and read once.
    if total < about.base.tiles || (total > about.base.tiles && base.kind() == ArchiveKind::Pmtiles) {
        let counts = format!("it holds {total} tiles instead of {}", about.base.tiles);
        return Err(wrong_base(base.path(), patch.path(), &counts));
    }
    let (mut before, mut after) = (Digest::default(), Digest::default());
    progress.begin("patching tiles", Some(total), "tiles");
    let deleted = xxh3_128(DELETED);
    pairs(&[base, patch], true, progress, |pair| {
        pair.old.iter().for_each(|&hash| before.add(pair.id, hash));
        let Some(content) = pair.new.or(pair.old).filter(|&content| content != deleted) else { return Ok(()) };
        after.add(pair.id, content);
        sink.put(pair.tile, &pair.bytes)
    })?;
    progress.end();
    check_stands(&about, (&before.finish(), &after.finish()), base.path(), patch.path())?;
    tell(&[base, patch], progress);
    sink.finish()
}

/// Makes the changes of `patch` in the MBTiles archive at `path`, in one transaction: it is the new archive afterwards, or as it was.
///
/// Reads all tiles of the archive once, to see that it is the one that the patch was made from; writes those of the patch.
///
/// # Errors
/// Where it is no MBTiles archive with a table of tiles and an index, or can't be written; as [`apply_patch`].
pub fn apply_patch_in_place(path: &Path, patch: &dyn TileSource, progress: &dyn Progress) -> Result<PatchSummary> {
    super::into::refuse_others(path)?;
    let about = about(patch)?;
    let metadata = patched_metadata(patch)?;
    let target = InPlace::begin(path)?;
    let base = super::open(path)?;
    let (mut before, mut after) = (Digest::default(), Digest::default());
    let mut summary = PatchSummary::default();
    progress.begin("comparing tiles", Some(base.tile_count()?), "tiles");
    let deleted = xxh3_128(DELETED);
    pairs(&[base.as_ref(), patch], false, progress, |pair| {
        pair.old.iter().for_each(|&hash| before.add(pair.id, hash));
        match (pair.old, pair.new) {
            (_, Some(new)) if new == deleted => summary.deleted += 1,
            (None, Some(_)) => summary.added += 1,
            (Some(_), Some(_)) => summary.changed += 1,
            _ => {}
        }
        let content = pair.new.or(pair.old).filter(|&content| content != deleted);
        content.iter().for_each(|&content| after.add(pair.id, content));
        Ok(())
    })?;
    progress.end();
    check_stands(&about, (&before.finish(), &after.finish()), path, patch.path())?;
    // A reader would keep the changes from being written.
    drop(base);
    progress.begin("patching tiles", Some(patch.tile_count()?), "tiles");
    for at in patch.tiles()? {
        let at = at?;
        let Some(tile) = at.id.coord() else { continue };
        let mut bytes = Vec::new();
        patch.read(at, &mut bytes)?;
        if bytes == DELETED {
            target.remove(tile)?
        } else {
            target.put(tile, &bytes)?
        }
        progress.advance(1);
    }
    progress.end();
    summary.archive.tiles = about.result.tiles;
    summary.archive.file_size = target.commit(&metadata)?;
    Ok(summary)
}

/// Refuses a patch that was made from another archive, or does not lead to the one that it was made for.
fn check_stands(about: &About, (before, after): (&Stand, &Stand), base: &Path, patch: &Path) -> Result<()> {
    if *before != about.base {
        let how = if before.tiles == about.base.tiles {
            "some of its tiles differ".to_owned()
        } else {
            format!("it holds {} tiles instead of {}", before.tiles, about.base.tiles)
        };
        return Err(wrong_base(base, patch, &how));
    }
    if *after != about.result {
        let problem = "does not lead to the archive that it was made for";
        return Err(Error::invalid("patch", problem, "it is damaged: copy or make it again").with_path(patch));
    }
    Ok(())
}

fn wrong_base(base: &Path, patch: &Path, how: &str) -> Error {
    Error::invalid(
        "archive",
        format!("is not the one that {} was made from: {how}", patch.display()),
        "patch the archive that was the first argument of `archive::write_patch`",
    )
    .with_path(base)
}
