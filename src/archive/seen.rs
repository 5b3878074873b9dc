//! What a copy saw of the tiles that passed, and how it corrects the metadata by them.

use std::path::Path;

use super::coverage::Coverage;
use super::form::plain;
use super::mended::HYBRID;
use super::packing::Packing;
use super::pmtiles::Compression;
use super::{ArchiveMetadata, TileFormat, TileSink};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tile::{Bounds, MAX_ZOOM, TileCoord, TileId, TileRange};

/// Degrees that a header may have rounded away: 10 cm.
const ROUNDED: f64 = 1e-6;

/// What the first bytes of a tile show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Webp,
    Png,
    Jpeg,
    Avif,
    Vector,
    Gzip,
    Zstd,
    Zlib,
    Other,
}

impl Kind {
    const PICTURES: [Self; 4] = [Self::Webp, Self::Png, Self::Jpeg, Self::Avif];
    const PACKED: [Self; 4] = [Self::Vector, Self::Gzip, Self::Zstd, Self::Zlib];

    fn of(bytes: &[u8]) -> Self {
        match plain(bytes, true) {
            Some(TileFormat::Webp) => Self::Webp,
            Some(TileFormat::Png) => Self::Png,
            Some(TileFormat::Jpeg) => Self::Jpeg,
            Some(TileFormat::Avif) => Self::Avif,
            Some(TileFormat::Mvt) => Self::Vector,
            _ => match Packing::of(bytes) {
                Some(Packing::Gzip) => Self::Gzip,
                Some(Packing::Zstd) => Self::Zstd,
                Some(Packing::Zlib) => Self::Zlib,
                Some(Packing::Brotli) | None => Self::Other,
            },
        }
    }

    fn format(self) -> Option<TileFormat> {
        match self {
            Self::Webp => Some(TileFormat::Webp),
            Self::Png => Some(TileFormat::Png),
            Self::Jpeg => Some(TileFormat::Jpeg),
            Self::Avif => Some(TileFormat::Avif),
            Self::Vector => Some(TileFormat::Mvt),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        ["webp", "png", "jpg", "avif", "pbf", "packed with gzip", "packed with zstd", "packed with zlib", "unknown"]
            [self as usize]
    }
}

/// The tiles that lie outside of declared bounds, so that clients don't ask for them.
#[derive(Debug, Clone)]
pub(crate) struct Fence {
    ranges: Vec<Option<TileRange>>,
}

impl Fence {
    pub(crate) fn of([west, south, east, north]: [f64; 4]) -> Self {
        let area = Bounds::from_lon_lat(west - ROUNDED, south - ROUNDED, east + ROUNDED, north + ROUNDED);
        Self { ranges: (0..=MAX_ZOOM).map(|z| TileRange::covering(&area, z)).collect() }
    }

    pub(crate) fn holds(&self, tile: TileCoord) -> bool {
        self.ranges.get(usize::from(tile.z())).copied().flatten().is_some_and(|range| range.contains(tile))
    }
}

/// What passed.
pub(crate) struct Seen {
    fence: Option<Fence>,
    outside: u64,
    first_outside: Option<TileCoord>,
    tiles: u64,
    /// How many of each kind, and the first of them.
    kinds: [(u64, Option<TileCoord>); 9],
    coverage: Coverage,
}

impl Seen {
    /// For tiles that go into an archive of these metadata.
    pub(crate) fn new(metadata: &ArchiveMetadata) -> Self {
        Self {
            fence: metadata.bounds.map(Fence::of),
            outside: 0,
            first_outside: None,
            tiles: 0,
            kinds: [(0, None); 9],
            coverage: Coverage::new(),
        }
    }

    /// Looks at a tile, and puts it into `sink`.
    ///
    /// # Errors
    /// Those of the sink; where pictures and other tiles come together.
    pub(crate) fn put(&mut self, sink: &mut dyn TileSink, tile: TileCoord, bytes: &[u8]) -> Result<()> {
        self.look(tile, bytes)?;
        sink.put(tile, bytes)
    }

    /// Looks at a tile.
    ///
    /// # Errors
    /// Where pictures and other tiles come together.
    pub(super) fn look(&mut self, tile: TileCoord, bytes: &[u8]) -> Result<()> {
        self.note(tile, Kind::of(bytes))
    }

    /// Counts a tile that is no bytes, and would be an image of this format.
    ///
    /// # Errors
    /// Where pictures and other tiles come together.
    pub(super) fn saw(&mut self, tile: TileCoord, format: &TileFormat) -> Result<()> {
        self.note(tile, if *format == TileFormat::Png { Kind::Png } else { Kind::Webp })
    }

    fn note(&mut self, tile: TileCoord, kind: Kind) -> Result<()> {
        let (count, first) = &mut self.kinds[kind as usize];
        *count += 1;
        if *count == 1 {
            *first = Some(tile);
            self.refuse_mixture()?;
        }
        self.tiles += 1;
        self.coverage.push(TileId::from(tile), 1);
        if self.fence.as_ref().is_some_and(|fence| !fence.holds(tile)) {
            self.outside += 1;
            self.first_outside = self.first_outside.or(Some(tile));
        }
        Ok(())
    }

    fn first_of(&self, kinds: &[Kind]) -> Option<(Kind, TileCoord)> {
        kinds.iter().find_map(|&kind| self.kinds[kind as usize].1.map(|tile| (kind, tile)))
    }

    fn refuse_mixture(&self) -> Result<()> {
        match (self.first_of(&Kind::PICTURES), self.first_of(&Kind::PACKED)) {
            (Some((picture, a)), Some((other, b))) => Err(Error::invalid(
                format!("tile {b}"),
                format!("is {}, but tile {a} is {}: one archive can't be both", other.name(), picture.name()),
                "take the tiles of one kind, for instance by zooms (`archive::Selection`), or remove the others",
            )),
            _ => Ok(()),
        }
    }

    /// Says what was corrected, and finishes the archive. The keys in `set` were given by the user: they are kept, and refused where
    /// the tiles can't be so.
    ///
    /// # Errors
    /// Those of the sink; where a value in `set` is not true.
    pub(crate) fn finish(
        mut self,
        mut sink: Box<dyn TileSink>,
        set: &[&str],
        source: &Path,
        progress: &dyn Progress,
    ) -> Result<super::ArchiveSummary> {
        self.coverage.finish();
        let metadata = sink.metadata_mut();
        let mut notes = Vec::new();
        self.settle_format(metadata, set.contains(&"format"), &mut notes)?;
        self.settle_compression(metadata, set.contains(&"compression"), &mut notes)?;
        self.settle_bounds(metadata, set.contains(&"bounds"), &mut notes)?;
        self.settle_center(metadata, set.contains(&"center"), &mut notes)?;
        for note in notes {
            progress.note(&format!("warning: {}: {note}", source.display()));
        }
        sink.finish()
    }

    fn settle_format(&self, metadata: &mut ArchiveMetadata, asked: bool, notes: &mut Vec<String>) -> Result<()> {
        let kinds = [Kind::Webp, Kind::Png, Kind::Jpeg, Kind::Avif, Kind::Vector];
        let kinds: Vec<Kind> = kinds.into_iter().filter(|&kind| self.kinds[kind as usize].0 > 0).collect();
        let found = match kinds[..] {
            [] => return Ok(()),
            [only] => only.format().unwrap_or_default(),
            _ => TileFormat::Other(HYBRID.to_owned()),
        };
        if metadata.format == found {
            return Ok(());
        }
        let counts: Vec<String> =
            kinds.iter().map(|&kind| format!("{} {}", self.kinds[kind as usize].0, kind.name())).collect();
        let counts = counts.join(" and ");
        let declared = metadata.format.name();
        if asked {
            return Err(Error::argument("set.format", format!("{declared} is not what the tiles are: {counts}")));
        }
        if metadata.format != TileFormat::Unknown {
            notes.push(format!("its tiles are not all {declared}, but {counts}; declared as {}", found.name()));
        }
        metadata.format = found;
        Ok(())
    }

    fn settle_compression(&self, metadata: &mut ArchiveMetadata, asked: bool, notes: &mut Vec<String>) -> Result<()> {
        let count = |kinds: &[Kind]| -> u64 { kinds.iter().map(|&kind| self.kinds[kind as usize].0).sum() };
        let known = self.tiles - count(&[Kind::Other]);
        let found = match known {
            0 => return Ok(()),
            _ if known == count(&[Kind::Gzip]) => Compression::Gzip,
            _ if known == count(&[Kind::Zstd]) => Compression::Zstd,
            _ if count(&[Kind::Gzip, Kind::Zstd, Kind::Zlib]) == 0 => Compression::None,
            _ => return Ok(()),
        };
        let Some(declared) = metadata.tile_compression.filter(|&declared| declared != found) else { return Ok(()) };
        // Brotli can't be seen: tiles without any known first bytes may have it.
        if declared == Compression::Brotli && count(&[Kind::Other]) > 0 {
            return Ok(());
        }
        if asked {
            let problem = format!("{} is not what the tiles have: {}", declared.name(), found.name());
            return Err(Error::argument("set.compression", problem));
        }
        notes.push(format!("declares the tile compression {}, but it is {}; put right", declared.name(), found.name()));
        metadata.tile_compression = Some(found);
        Ok(())
    }

    fn settle_bounds(&self, metadata: &mut ArchiveMetadata, asked: bool, notes: &mut Vec<String>) -> Result<()> {
        let (Some(bounds), Some(extent)) = (metadata.bounds, self.coverage.lon_lat()) else { return Ok(()) };
        if self.outside == 0 {
            return Ok(());
        }
        let first = self.first_outside.map_or_else(String::new, |tile| format!(", such as {tile}"));
        let touches = (0..2).all(|n| bounds[n] < extent[n + 2] && extent[n] < bounds[n + 2]);
        let (bounds, extent) = (degrees(bounds), degrees(extent));
        if asked && !touches {
            return Err(Error::argument("set.bounds", format!("{bounds} touch no tile; the tiles lie in {extent}")));
        }
        let what = if touches {
            format!("leave {} of {} tiles out{first}", self.outside, self.tiles)
        } else {
            "touch none of its finest tiles".to_owned()
        };
        if asked {
            notes.push(format!("the bounds {bounds} {what}, which clients then don't ask for"));
            return Ok(());
        }
        notes.push(format!("its bounds {bounds} {what}; taken from the tiles: {extent}"));
        metadata.bounds = None;
        Ok(())
    }

    fn settle_center(&self, metadata: &mut ArchiveMetadata, asked: bool, notes: &mut Vec<String>) -> Result<()> {
        let (Some(center), Some([west, south, east, north])) =
            (metadata.center, metadata.bounds.or(self.coverage.lon_lat()))
        else {
            return Ok(());
        };
        let inside = (west - ROUNDED..=east + ROUNDED).contains(&center.lon)
            && (south - ROUNDED..=north + ROUNDED).contains(&center.lat);
        let place = format!("{},{},{}", center.lon, center.lat, center.zoom);
        if !inside {
            let bounds = degrees([west, south, east, north]);
            if asked {
                return Err(Error::argument("set.center", format!("{place} lies outside of the bounds {bounds}")));
            }
            notes.push(format!("its centre {place} lies outside of the bounds {bounds}; taken from these"));
            metadata.center = None;
        } else if let Some((min, max)) = self.coverage.zooms()
            && !(min..=max).contains(&center.zoom)
        {
            if asked {
                let problem = format!("{place} has a zoom without tiles; they reach from {min} to {max}");
                return Err(Error::argument("set.center", problem));
            }
            notes.push(format!("its centre {place} has a zoom without tiles; moved to zooms {min} to {max}"));
        }
        Ok(())
    }
}

/// West, south, east, north for people.
pub(super) fn degrees(bounds: [f64; 4]) -> String {
    bounds.map(|v| ((v * 1e5).round() / 1e5).to_string()).join(",")
}
