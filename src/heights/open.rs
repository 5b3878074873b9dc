//! Opening a file of heights and finding its tiles.

use std::ops::Range;
use std::path::Path;

use super::grid::Shape;
use super::layer::{Layer, Places};
use super::names;
use super::pack::{Facts, MAX_SIZE};
use crate::column::{Element, view};
use crate::container::{Container, Schema};
use crate::error::{Error, Result};
use crate::format::Kind;
use crate::index::sorted::{self, Levels, Sorted};
use crate::tile::{TileCoord, TileId};

/// A file of heights, open for queries. `Send + Sync`, without locks; share it by putting it into an `Arc`.
///
/// Opening reads a page or two and checks these. The rest is checked as it is read: a damaged file gives wrong heights or errors,
/// nothing worse. The queries are methods of [`HeightQueries`](super::HeightQueries). A [`Handle`](crate::Handle) follows a file
/// that is replaced.
pub struct Heights {
    pub(super) container: Container,
    places: Indices,
    shape: Shape,
}

/// Where the sections lie.
struct Indices {
    first: Range<usize>,
    directory: Range<usize>,
    rank: Range<usize>,
    levels: Levels,
    height: Places,
    lineage: Option<Places>,
}

fn bad(part: &str, problem: impl Into<String>) -> Error {
    Error::invalid(format!("section {part:?}"), problem, "the file is damaged: make it again")
}

impl Heights {
    /// Maps a file. Reads the first page or two; memory is shared with every other process that maps it. While it is open the
    /// file must not be written into or cut; replacing it by a rename is fine: this one keeps the old file.
    ///
    /// # Errors
    /// Where the file can't be mapped, holds something else than heights, is of a newer version, cut off or altered in
    /// its header.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::from_container(Container::open(path)?).map_err(|error| error.with_path(path))
    }

    /// Reads a whole file into memory; it may be written into or cut afterwards.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::from_container(Container::read(path)?).map_err(|error| error.with_path(path))
    }

    /// Opens bytes in memory. Bytes that do not start at a multiple of eight are copied once.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self> {
        Self::from_container(Container::from_bytes(bytes)?)
    }

    /// Tile size, zooms, and what codes mean.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// What the archive says about itself, as JSON with the keys of TileJSON: attribution, bounds, encoding and others.
    ///
    /// # Errors
    /// Where the section is damaged.
    pub fn metadata(&self) -> Result<&str> {
        self.container.json(names::METADATA)
    }

    /// What the heights are measured from, such as `EGM2008`; `None` where the file doesn't say.
    ///
    /// # Errors
    /// Where the section is damaged.
    pub fn datum(&self) -> Result<Option<String>> {
        let datum = self.container.ragged(names::DATUM)?.text(0)?.into_owned();
        Ok((!datum.is_empty()).then_some(datum))
    }

    /// The names of the sources that the lineage tells, by their number; empty where the file has no lineage.
    ///
    /// # Errors
    /// Where the section is damaged.
    pub fn sources(&self) -> Result<Vec<String>> {
        if self.places.lineage.is_none() {
            return Ok(Vec::new());
        }
        let names = self.container.ragged(names::SOURCES)?;
        (0..names.len()).map(|row| names.text(row).map(|name| name.into_owned())).collect()
    }

    #[inline]
    pub(super) fn runs(&self) -> Runs<'_> {
        let bytes = self.container.bytes();
        let (first, directory) = (view(bytes, &self.places.first), view(bytes, &self.places.directory));
        // Its length was compared when the file was opened.
        let first = Sorted::shaped(first, directory, &self.places.levels).unwrap_or(Sorted::plain(&[]));
        Runs { first, rank: view(bytes, &self.places.rank) }
    }

    #[inline]
    pub(super) fn layer(&self) -> Layer<'_> {
        self.places.height.layer(self.container.bytes(), self.shape.size)
    }

    #[inline]
    pub(super) fn lineage(&self) -> Option<Layer<'_>> {
        self.places.lineage.as_ref().map(|places| places.layer(self.container.bytes(), self.shape.size))
    }

    /// The identifiers of all tiles in their order, with the number of their content. Equal contents have one number.
    pub fn tiles(&self) -> impl Iterator<Item = Result<(TileId, usize)>> + Send + '_ {
        self.tiles_in(0..u64::MAX)
    }

    /// As [`tiles`](Self::tiles), of a range of identifiers.
    pub fn tiles_in(&self, ids: Range<u64>) -> impl Iterator<Item = Result<(TileId, usize)>> + Send + '_ {
        let layer = self.layer();
        self.runs().within(ids).map(move |(id, row)| Ok((TileId(id), layer.content_of(row)?)))
    }

    /// The number of a tile's content; `None` where the file has no such tile.
    ///
    /// # Errors
    /// Where the file is damaged.
    #[inline]
    pub fn content_of(&self, tile: TileId) -> Result<Option<usize>> {
        self.runs().row(tile.0).map(|row| self.layer().content_of(row)).transpose()
    }

    /// How many different tiles there are.
    #[must_use]
    pub fn contents(&self) -> usize {
        self.layer().contents()
    }

    /// What is known of a content without looking at its blocks.
    #[must_use]
    pub fn facts(&self, content: usize) -> Facts {
        self.layer().facts(content)
    }

    /// How many bytes a content takes: its blocks and its directory.
    #[must_use]
    pub fn packed_bytes(&self, content: usize) -> u64 {
        self.layer().packed_bytes(content)
    }

    /// All pixels of a content: their codes, and 1 where they are valid. The codes of void pixels are 0. Clears both first.
    /// About 0.5 ms for 512 pixels a side.
    ///
    /// # Errors
    /// Where the file is damaged.
    pub fn read_codes(&self, content: usize, codes: &mut Vec<u32>, valid: &mut Vec<u8>) -> Result<()> {
        self.layer().blocks(content)?.read(self.shape.size, codes, valid)
    }

    /// The source of every pixel of a tile, 255 where it has none; false where the file has no lineage or no such tile.
    ///
    /// # Errors
    /// Where the file is damaged.
    pub fn read_lineage(&self, tile: TileCoord, sources: &mut Vec<u8>) -> Result<bool> {
        let (Some(layer), Some(row)) = (self.lineage(), self.runs().row(TileId::from(tile).0)) else {
            return Ok(false);
        };
        let (mut codes, mut valid) = (Vec::new(), Vec::new());
        layer.blocks(layer.content_of(row)?)?.read(self.shape.size, &mut codes, &mut valid)?;
        sources.clear();
        sources.extend(codes.iter().zip(&valid).map(|(&code, &valid)| if valid == 1 { code as u8 } else { 255 }));
        Ok(true)
    }
}

impl Schema for Heights {
    fn from_container(container: Container) -> Result<Self> {
        container.expect_schema(names::SCHEMA)?;
        let coding = match *container.column::<f64>(names::CODING)? {
            [scale, offset] if scale.is_finite() && scale != 0.0 && offset.is_finite() => [scale, offset],
            _ => return Err(bad(names::CODING, "should hold a scale and an offset")),
        };
        let size = match *container.column::<u32>(names::SIZE)? {
            [size] if (1..=MAX_SIZE).contains(&size) => size,
            _ => return Err(bad(names::SIZE, format!("should hold one number from 1 to {MAX_SIZE}"))),
        };
        let sections = container.sections();
        let first = sections.raw(names::RUN_FIRST, Kind::Column, u64::TYPE, None)?;
        let runs = first.len() / 8;
        let directory = sorted::length(runs) as u64;
        let rank = sections.raw(names::RUN_RANK, Kind::Column, u32::TYPE, Some(runs as u64 + 1))?;
        let ranks = view::<u32>(container.bytes(), &rank);
        let tiles = ranks.last().copied().unwrap_or(0);
        let lineage = format!("{}.{}", names::LINEAGE, names::CONTENT);
        let places = Indices {
            directory: sections.raw(names::RUN_DIRECTORY, Kind::Column, u64::TYPE, Some(directory))?,
            levels: Levels::of(runs),
            height: Places::find(sections, names::HEIGHT, tiles.into(), size)?,
            lineage: match sections.find(&lineage, Kind::Column) {
                Some(_) => Some(Places::find(sections, names::LINEAGE, tiles.into(), size)?),
                None => None,
            },
            first,
            rank,
        };
        let mut shape =
            Shape { size, min_zoom: 0, max_zoom: 0, tiles: tiles.into(), scale: coding[0], offset: coding[1] };
        let keys = view::<u64>(container.bytes(), &places.first);
        if let (Some(&first), Some(&start)) = (keys.first(), keys.last()) {
            let length = ranks[runs].wrapping_sub(ranks[runs - 1]).wrapping_sub(1);
            let last = start.checked_add(length.into());
            let zooms = TileId(first).zoom().zip(last.and_then(|last| TileId(last).zoom()));
            (shape.min_zoom, shape.max_zoom) =
                zooms.filter(|(a, b)| a <= b).ok_or_else(|| bad(names::RUN_FIRST, "names tiles beyond zoom 31"))?;
        }
        Ok(Self { container, places, shape })
    }

    fn container(&self) -> &Container {
        &self.container
    }
}

impl std::fmt::Debug for Heights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heights")
            .field("path", &self.container.path())
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

/// Which tiles there are: runs of consecutive identifiers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runs<'a> {
    first: Sorted<'a>,
    rank: &'a [u32],
}

impl<'a> Runs<'a> {
    /// All that is read to find a tile.
    pub(super) fn bytes(&self) -> [&'a [u8]; 2] {
        [bytemuck::cast_slice(self.first.keys()), bytemuck::cast_slice(self.rank)]
    }

    /// The row of a tile.
    #[inline]
    pub(super) fn row(&self, id: u64) -> Option<usize> {
        let run = self.first.last_not_above(id)?;
        let (inside, before) = (id - self.first.keys().get(run)?, *self.rank.get(run)?);
        let length = self.rank.get(run + 1)?.saturating_sub(before);
        (inside < u64::from(length)).then_some(before as usize + inside as usize)
    }

    /// True where a range of identifiers holds a tile.
    pub(super) fn any(&self, ids: &Range<u64>) -> bool {
        self.within(ids.clone()).next().is_some()
    }

    /// The tiles of a range of identifiers and their rows.
    pub(super) fn within(&self, ids: Range<u64>) -> impl Iterator<Item = (u64, usize)> + use<'a> {
        let this = *self;
        let keys = this.first.keys();
        let from = this.first.last_not_above(ids.start).unwrap_or(0);
        let end = ids.end;
        (from..keys.len()).take_while(move |&run| keys[run] < end).flat_map(move |run| {
            let before = this.rank.get(run).copied().unwrap_or(0);
            let length = this.rank.get(run + 1).copied().unwrap_or(0).saturating_sub(before);
            let next = keys.get(run + 1).copied().unwrap_or(u64::MAX);
            // A run ends where the next begins, whatever a damaged file says.
            let stop = keys[run].saturating_add(length.into()).min(end).min(next);
            let start = keys[run].max(ids.start);
            (start..stop).map(move |id| (id, before as usize + (id - keys[run]) as usize))
        })
    }

    /// Checks that runs ascend, do not touch or overlap, and lie within zoom 31. Reads all of them.
    pub(super) fn verify(&self) -> Result<()> {
        let (keys, mut end) = (self.first.keys(), 0u64);
        if self.rank.first() != Some(&0) {
            return Err(bad(names::RUN_RANK, "should begin with 0"));
        }
        for (run, &first) in keys.iter().enumerate() {
            let wrong = |problem: &str| Err(bad(names::RUN_FIRST, format!("run {run} {problem}")));
            let Some(length) = self.rank[run + 1].checked_sub(self.rank[run]).filter(|&length| length > 0) else {
                return wrong("has no tiles");
            };
            if run > 0 && first <= end {
                return wrong("does not come after the run before it");
            }
            let Some(next) = first.checked_add(length.into()).filter(|&next| TileId(next - 1).zoom().is_some()) else {
                return wrong("names tiles beyond zoom 31");
            };
            end = next;
            if self.first.last_not_above(first) != Some(run) {
                return wrong("is not found by the directory");
            }
        }
        Ok(())
    }
}
