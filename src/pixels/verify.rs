//! Whether an archive is what it says, pixels included.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use xxhash_rust::xxh3::xxh3_64;

use super::{Coding, ParentCheck, check_parents};
use crate::archive::{
    self, ArchiveMetadata, OnDuplicate, OpenOptions, Problem, Report, Scheme, Severity, TileEncoding, TileSource,
    VerifyOptions,
};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::quality::{Figure, Rule};
use crate::terrain::{self, ElevationTile, Encoding, TileCodec};
use crate::tile::{TileCoord, TileId};

/// How many tiles are compared with the means of their finer tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parents {
    /// None.
    None,
    /// About so many, spread evenly.
    About(u64),
    /// All.
    All,
}

/// What [`verify`] found.
pub struct Verified {
    /// What is wrong.
    pub report: Report,
    /// The heights of the tiles that were decoded.
    pub heights: HeightRange,
    /// How many tiles were compared with the means of their finer tiles.
    pub compared: u64,
    /// How many of them are not these means.
    pub differing: u64,
    /// The archive, open; `None` where it can't be opened.
    pub source: Option<Box<dyn TileSource>>,
}

/// [`archive::verify_as`] with a look at pixels. Tiles of WebP and PNG are decoded as what the metadata say of them. Heights that the
/// Earth does not have are warnings, and so are tiles that are not the means of their finer tiles.
///
/// Costs what [`archive::verify`] and [`check_parents`] do. Tiles that are decoded for their parents are not decoded again, up to a million.
///
/// # Errors
/// As [`archive::verify`].
pub fn verify(
    path: &Path,
    options: VerifyOptions,
    scheme: Option<Scheme>,
    parents: Parents,
    progress: &dyn Progress,
) -> Result<Verified> {
    // What can't even be opened is a finding of `archive::verify_as`, not of this look at the metadata.
    let source = archive::open_with(path, OpenOptions { scheme, on_duplicate: OnDuplicate::First, remote: true }).ok();
    let metadata = source.as_ref().map(|source| source.metadata().clone()).unwrap_or_default();
    let known = Known::default();
    let limit = match parents {
        Parents::None => None,
        Parents::About(count) => Some(Some(count)),
        Parents::All => Some(None),
    };
    // First, because most of what this decodes is decoded for the report too.
    let compared = match (source.as_deref(), limit) {
        (Some(source), Some(limit)) if Coding::of(source).is_ok() => {
            Some(check_parents(source, limit, &|tile, bytes, pixels| known.add(tile, bytes, pixels), progress))
        }
        _ => None,
    };
    if let Some(Err(Error::Interrupted)) = compared {
        return Err(Error::Interrupted);
    }
    let known = known.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    let heights = Mutex::new(HeightRange::default());
    let check = |tile: TileCoord, bytes: &[u8]| decode(&metadata, tile, bytes, &known, &heights);
    let mut report = archive::verify_as(path, options, scheme, &check, progress)?;
    let heights = heights.into_inner().unwrap_or_else(PoisonError::into_inner);
    heights.check(&mut report);
    // Where no tile could be looked at, the report says why.
    let (compared, found) = compared.filter(|_| report.checked > 0).transpose()?.unwrap_or_default();
    let differing = found.len() as u64;
    differing_parents(found, &mut report);
    Ok(Verified { report, heights, compared, differing, source })
}

impl Verified {
    /// What was measured.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        let HeightRange { low, high, pixels, nodata } = &self.heights;
        let mut figures = Vec::new();
        if pixels + nodata > 0 {
            figures.push(Figure::share(Rule::Voids, *nodata, pixels + nodata));
        }
        figures.extend(low.map(|(low, _)| Figure::new(Rule::LowestHeight, low.into())));
        figures.extend(high.map(|(high, _)| Figure::new(Rule::HighestHeight, high.into())));
        if self.compared > 0 {
            figures.push(Figure::share(Rule::DifferingParents, self.differing, self.compared));
        }
        figures
    }
}

/// What is known of a tile that was decoded.
#[derive(Debug, Clone, Copy)]
struct Facts {
    /// Pixels along a side.
    side: u32,
    pixels: usize,
    /// The lowest height, the highest, and how many pixels have one.
    range: (f32, f32, u64),
}

impl Facts {
    fn of(tile: &ElevationTile) -> Self {
        Self { side: tile.size, pixels: tile.values.len(), range: tile.range() }
    }
}

/// A tile by its place and a hash of its bytes: an archive may have a place twice.
type Key = (TileId, u64);

fn key(tile: TileCoord, bytes: &[u8]) -> Key {
    (TileId::from(tile), xxh3_64(bytes))
}

/// Tiles that are being decoded by several threads.
#[derive(Debug, Default)]
struct Known(Mutex<HashMap<Key, Facts>>);

impl Known {
    /// Tiles at most: 60 MB.
    const MOST: usize = 1 << 20;

    fn add(&self, tile: TileCoord, bytes: &[u8], pixels: &ElevationTile) {
        let (key, facts) = (key(tile, bytes), Facts::of(pixels));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < Self::MOST {
            known.insert(key, facts);
        }
    }
}

/// Decodes all pixels of a tile as what the archive declares them to be, unless that was done before.
fn decode(
    metadata: &ArchiveMetadata,
    coord: TileCoord,
    bytes: &[u8],
    known: &HashMap<Key, Facts>,
    heights: &Mutex<HeightRange>,
) -> Result<()> {
    let Some(format) = metadata.format.image() else { return Ok(()) };
    if metadata.encoding == Some(TileEncoding::Lineage) {
        let (side, _) = terrain::decode_lineage(bytes)?;
        return check_side(metadata, side);
    }
    // Every 24 bits are a height in either encoding, so that a plain picture is decoded in the same way.
    let encoding = metadata.encoding.as_ref().and_then(TileEncoding::elevation).unwrap_or(Encoding::Terrarium);
    let before = if known.is_empty() { None } else { known.get(&key(coord, bytes)) };
    let facts = match before {
        Some(facts) => *facts,
        None => Facts::of(&TileCodec::new(encoding, format).decode(bytes)?),
    };
    if metadata.encoding.is_some() {
        heights.lock().unwrap_or_else(PoisonError::into_inner).add(coord, facts.pixels, facts.range);
    }
    check_side(metadata, facts.side)
}

fn check_side(metadata: &ArchiveMetadata, side: u32) -> Result<()> {
    match metadata.tile_size {
        Some(expected) if expected != side => Err(Error::invalid(
            "tile image",
            format!("has {side} pixels a side, but the archive declares {expected}"),
            "make the tile again, or correct tileSize",
        )),
        _ => Ok(()),
    }
}

/// The heights of all tiles that were decoded.
#[derive(Debug, Default)]
pub struct HeightRange {
    /// The lowest height, metres, and the first tile that has it.
    pub low: Option<(f32, TileCoord)>,
    /// The highest height, metres, and the first tile that has it.
    pub high: Option<(f32, TileCoord)>,
    /// Pixels with a height.
    pub pixels: u64,
    /// Pixels without.
    pub nodata: u64,
}

impl HeightRange {
    fn add(&mut self, coord: TileCoord, pixels: usize, (low, high, count): (f32, f32, u64)) {
        self.pixels += count;
        self.nodata += pixels as u64 - count;
        // Of equal heights the first tile, so that the answer doesn't depend on the threads.
        let first = |old: (f32, TileCoord)| (TileId::from(coord)) < TileId::from(old.1);
        if count > 0 && self.low.is_none_or(|old| low < old.0 || (low == old.0 && first(old))) {
            self.low = Some((low, coord));
        }
        if count > 0 && self.high.is_none_or(|old| high > old.0 || (high == old.0 && first(old))) {
            self.high = Some((high, coord));
        }
    }

    fn check(&self, report: &mut Report) {
        for (height, tile) in [self.low, self.high].into_iter().flatten() {
            if !terrain::EARTH.contains(&height) {
                report.push(Problem {
                    severity: Severity::Warning,
                    tile: Some(tile),
                    message: format!("holds a height of {height} m, which the Earth does not have"),
                    remedy: "check the encoding that the metadata name, and the nodata of the sources".to_owned(),
                });
            }
        }
    }
}

/// Tells of tiles that are not the means of their children.
fn differing_parents(found: Vec<ParentCheck>, report: &mut Report) {
    for check in found {
        let metres = if check.largest > 0.0 { format!(", by up to {:.3} m", check.largest) } else { String::new() };
        report.push(Problem {
            severity: Severity::Warning,
            tile: Some(check.tile),
            message: format!("{} pixels are not the mean of the finer tiles{metres}", check.pixels),
            remedy: "render the coarser zooms again from the finer ones; harmless where another rule was meant"
                .to_owned(),
        });
    }
}
