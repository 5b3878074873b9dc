//! Whether an archive is what it says: structure, addresses, metadata, and every tile through a decoder.
//!
//! The checks know nothing of pictures: the caller gives a function that decodes a tile and says what is wrong with it.

mod content;
mod files;
mod heights;
mod mbtiles;
mod pmtiles;

use std::path::Path;

use super::coverage::Coverage;
use super::named::{NamedReader, Template};
use super::pmtiles::PmtilesReader;
use super::seen::{Fence, degrees};
use super::{ArchiveKind, ArchiveMetadata, OnDuplicate, OpenOptions, Scheme, TileFormat, TileSource};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tile::TileCoord;

/// Decodes one tile, from any thread; an error is a problem of the archive.
pub type TileCheck<'a> = &'a (dyn Fn(TileCoord, &[u8]) -> Result<()> + Sync);

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// Legal, but probably not meant.
    Warning,
    /// The archive breaks its specification, or a tile can't be used.
    Error,
}

/// Something that is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The tile in question, where there is one.
    pub tile: Option<TileCoord>,
    /// What was expected and what was found.
    pub message: String,
    /// What to do next.
    pub remedy: String,
}

/// What to verify.
#[derive(Debug, Clone, Copy, Default)]
pub struct VerifyOptions {
    /// Decode about this many tiles, spread evenly, instead of all.
    pub sample: Option<u64>,
}

/// What [`verify`] found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The first problems, at most [`Report::KEPT`].
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub more_problems: u64,
    /// How many problems are errors, kept or not.
    pub errors: u64,
    /// How many problems are warnings, kept or not.
    pub warnings: u64,
    /// Tiles by zoom; the index is the zoom.
    pub tiles_by_zoom: Vec<u64>,
    /// How many contents were decoded.
    pub checked: u64,
}

impl Report {
    /// How many problems are listed.
    pub const KEPT: usize = 100;

    /// True where nothing at all was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.errors + self.warnings == 0
    }

    /// Adds what a caller found by its own checks.
    pub fn push(&mut self, problem: Problem) {
        self.add(problem.severity, problem.tile, problem.message, &problem.remedy);
    }

    fn add(&mut self, severity: Severity, tile: Option<TileCoord>, message: impl Into<String>, remedy: &str) {
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        if self.problems.len() < Self::KEPT {
            self.problems.push(Problem { severity, tile, message: message.into(), remedy: remedy.to_owned() });
        } else {
            self.more_problems += 1;
        }
    }

    pub(super) fn error(&mut self, tile: Option<TileCoord>, message: impl Into<String>, remedy: &str) {
        self.add(Severity::Error, tile, message, remedy);
    }

    /// An error of the whole archive, before those of its tiles: it is listed however many these are.
    pub(super) fn error_first(&mut self, message: impl Into<String>, remedy: &str) {
        self.errors += 1;
        let (message, remedy) = (message.into(), remedy.to_owned());
        self.problems.insert(0, Problem { severity: Severity::Error, tile: None, message, remedy });
        if self.problems.len() > Self::KEPT {
            self.problems.pop();
            self.more_problems += 1;
        }
    }

    /// An error of the library as a problem; `lead` stands before its words.
    fn failure(&mut self, tile: Option<TileCoord>, lead: &str, error: &Error) {
        match error {
            // The path is known, and the tile stands beside the message.
            Error::Invalid { problem, remedy, .. } if tile.is_some() => {
                self.error(tile, format!("{lead}{problem}"), remedy)
            }
            Error::Invalid { part, problem, remedy, .. } => {
                self.error(tile, format!("{lead}{part}: {problem}"), remedy)
            }
            Error::OtherKind { problem, remedy, .. } => self.error(tile, format!("{lead}{problem}"), remedy),
            other => self.error(tile, format!("{lead}{other:#}"), "make the archive again"),
        }
    }

    pub(super) fn warning(&mut self, tile: Option<TileCoord>, message: impl Into<String>, remedy: &str) {
        self.add(Severity::Warning, tile, message, remedy);
    }

    /// Tiles without a parent, and the zooms that the archive declares. Gives extent and zooms of the tiles.
    fn check_coverage(
        &mut self,
        mut coverage: Coverage,
        declared: Option<(u8, u8)>,
    ) -> (Option<[f64; 4]>, Option<(u8, u8)>) {
        coverage.finish();
        if coverage.orphans > 0 {
            let more = coverage.orphans - coverage.first_orphans.len() as u64;
            for &tile in &coverage.first_orphans {
                self.warning(
                    Some(tile),
                    "its parent tile is missing",
                    "a map that zooms in shows a hole: render the lower zooms again",
                );
            }
            if more > 0 {
                self.warning(
                    None,
                    format!("{more} more tiles whose parent is missing"),
                    "render the lower zooms again",
                );
            }
        }
        match (coverage.zooms(), declared) {
            (None, _) => self.error(None, "the archive holds no tile", "make it again"),
            (Some(found), Some(declared)) if found != declared => self.error(
                None,
                format!("declares zooms {} to {}, but holds zooms {} to {}", declared.0, declared.1, found.0, found.1),
                "rewrite it (`archive::convert`), which counts the zooms anew",
            ),
            _ => {}
        }
        if let Some((min, max)) = coverage.zooms() {
            for zoom in (min..max).filter(|&zoom| coverage.tiles.get(usize::from(zoom)) == Some(&0)) {
                self.warning(
                    None,
                    format!("zoom {zoom} has no tile, but zooms {min} to {max} do"),
                    "a map that passes it shows nothing: render this zoom, or merge it in",
                );
            }
        }
        let found = (coverage.lon_lat(), coverage.zooms());
        self.tiles_by_zoom = coverage.tiles;
        found
    }

    /// Whether the tiles lie where the metadata say. `extent` is that of the finest tiles, `outside` how many lie outside of the
    /// bounds, and the first of them.
    fn check_place(&mut self, metadata: &ArchiveMetadata, extent: Option<[f64; 4]>, outside: &Outside) {
        let remedy =
            "clients ask for no tile there: rewrite it (`archive::convert`), which takes the bounds from the tiles";
        let (Some(bounds), Some(extent)) = (metadata.bounds, extent) else { return };
        let touches = (0..2).all(|n| bounds[n] < extent[n + 2] && extent[n] < bounds[n + 2]);
        if outside.count > 0 && !touches {
            let problem = format!(
                "the bounds {} touch none of the finest tiles, which lie in {}",
                degrees(bounds),
                degrees(extent)
            );
            self.error(outside.first, problem, remedy);
        } else if outside.count > 0 {
            let problem = format!("the bounds {} leave {} tiles out, this one first", degrees(bounds), outside.count);
            self.warning(outside.first, problem, remedy);
        }
        let Some(center) = metadata.center else { return };
        let [west, south, east, north] = bounds.map(|v| (v * 1e6).round());
        let (lon, lat) = ((center.lon * 1e6).round(), (center.lat * 1e6).round());
        if !(west..=east).contains(&lon) || !(south..=north).contains(&lat) {
            let problem =
                format!("the centre {},{} lies outside of the bounds {}", center.lon, center.lat, degrees(bounds));
            self.warning(None, problem, "a map that starts there shows nothing: rewrite it (`archive::convert`)");
        }
    }

    /// What the tiles of an archive are together, beside what its metadata say. Gives their number.
    fn check_tiles(&mut self, archive: &dyn TileSource) -> Result<u64> {
        let (mut coverage, mut outside, mut total) = (Coverage::new(), Outside::of(archive.metadata()), 0);
        for tile in archive.tiles()? {
            let id = tile?.id;
            coverage.push(id, 1);
            id.coord().iter().for_each(|&tile| outside.look(tile));
            total += 1;
        }
        self.check_described(archive.metadata(), coverage, None, &outside);
        Ok(total)
    }

    /// All that metadata say of an archive, and zooms that it declares elsewhere.
    fn check_described(
        &mut self,
        metadata: &ArchiveMetadata,
        coverage: Coverage,
        declared: Option<(u8, u8)>,
        outside: &Outside,
    ) {
        let (extent, zooms) = self.check_coverage(coverage, declared);
        self.check_place(metadata, extent, outside);
        if let (Some(center), Some(zooms)) = (metadata.center, zooms) {
            self.check_center_zoom(center.zoom, zooms);
        }
        self.check_metadata(metadata);
    }

    /// A centre at a zoom without tiles.
    fn check_center_zoom(&mut self, zoom: u8, (min, max): (u8, u8)) {
        if !(min..=max).contains(&zoom) {
            self.warning(
                None,
                format!("the centre's zoom {zoom} lies outside of zooms {min} to {max}"),
                "a map that starts there shows nothing",
            );
        }
    }

    /// What a client needs to show the tiles.
    fn check_metadata(&mut self, metadata: &ArchiveMetadata) {
        let remedy = "set it when the archive is made, or rewrite it (`archive::convert`) with `set`";
        if metadata.name.is_empty() {
            self.warning(None, "the metadata have no name", remedy);
        }
        if metadata.format == TileFormat::Unknown {
            self.warning(None, "the format of the tiles is not declared and not recognised", remedy);
        }
        if metadata.bounds.is_none() {
            self.warning(
                None,
                "the metadata have no valid bounds",
                "rewrite it (`archive::convert`), which takes them from the tiles",
            );
        }
        if metadata.encoding.is_none() && metadata.format != TileFormat::Mvt {
            self.warning(
                None,
                "the metadata have no encoding; MapLibre takes elevation tiles without one for mapbox",
                remedy,
            );
        }
        if metadata.encoding.is_some() && metadata.tile_size.is_none() {
            self.warning(None, "the metadata have no tileSize; MapLibre assumes 512", remedy);
        }
    }
}

/// Tiles outside of the declared bounds.
struct Outside {
    fence: Option<Fence>,
    count: u64,
    first: Option<TileCoord>,
}

impl Outside {
    fn of(metadata: &ArchiveMetadata) -> Self {
        Self { fence: metadata.bounds.map(Fence::of), count: 0, first: None }
    }

    fn look(&mut self, tile: TileCoord) {
        if self.fence.as_ref().is_some_and(|fence| !fence.holds(tile)) {
            self.count += 1;
            self.first = self.first.or(Some(tile));
        }
    }
}

/// Verifies the archive at `path` and decodes its tiles through `check`.
///
/// A URL is read too, with the feature `remote`: the contents in pieces of 4 MB, or one by one for a sample.
///
/// Costs a walk over all addresses and a read of all contents (or of a sample), decoded on all processors. Contents that several tiles share are
/// decoded once where they follow each other.
///
/// # Errors
/// Where the file can't be opened, has a newer version, the disk fails, or the user interrupts. Everything that is wrong
/// with the archive goes into the report.
pub fn verify(path: &Path, options: VerifyOptions, check: TileCheck<'_>, progress: &dyn Progress) -> Result<Report> {
    verify_as(path, options, None, check, progress)
}

/// As [`verify`]; `scheme` overrules how the addresses of a folder or an MBTiles archive are read.
///
/// # Errors
/// As [`verify`].
pub fn verify_as(
    path: &Path,
    options: VerifyOptions,
    scheme: Option<Scheme>,
    check: TileCheck<'_>,
    progress: &dyn Progress,
) -> Result<Report> {
    // Tiles that stand twice are a finding, and no reason to stop.
    let open = OpenOptions { scheme, on_duplicate: OnDuplicate::First, ..OpenOptions::default() };
    if let Some(remote) = super::open::remote(path) {
        return told(pmtiles::verify(remote, options, check, progress));
    }
    let verified = ArchiveKind::detect(path).and_then(|kind| match kind {
        ArchiveKind::Mbtiles => mbtiles::verify(path, options, open, check, progress),
        ArchiveKind::Files if Template::is_one(path) && !path.exists() => {
            files::verify_named(&NamedReader::open_folder(path)?, options, check, progress)
        }
        ArchiveKind::Zip => files::verify_named(&NamedReader::open_zip(path, open)?, options, check, progress),
        ArchiveKind::Files => files::verify(path, options, open, check, progress),
        ArchiveKind::Pmtiles => pmtiles::verify(PmtilesReader::open(path), options, check, progress),
        ArchiveKind::Heights => heights::verify(path, options, check, progress),
    });
    told(verified)
}

/// An archive that can't be opened is a finding.
fn told(verified: Result<Report>) -> Result<Report> {
    match verified {
        // Truncated, damaged or hostile: finding that is the purpose of verify.
        Err(error @ (Error::Invalid { .. } | Error::OtherKind { .. })) => {
            let mut report = Report::default();
            report.failure(None, "", &error);
            Ok(report)
        }
        other => other,
    }
}
