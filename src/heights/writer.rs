//! Writing a file of heights: blocks stream into the file, columns follow at the end.

use std::io::{Read, Seek, SeekFrom, Write};

use super::names;
use super::pack::{Facts, MAX_SIZE, Packed};
use crate::column::Element;
use crate::container::ContainerBuilder;
use crate::error::{Error, Result};
use crate::format::{BytesSection, Kind};
use crate::index::sorted;
use crate::tile::TileId;

/// Bytes of a column that are held before they are written aside.
const HELD: usize = 64 << 10;

/// What a file of heights says about itself.
#[derive(Debug, Clone)]
pub struct Description {
    /// JSON for [`Heights::metadata`](super::Heights::metadata): attribution, bounds, encoding and others.
    pub metadata: String,
    /// What the heights are measured from; empty where it is not known.
    pub datum: String,
    /// The names of the sources in the lineage, by their number.
    pub sources: Vec<String>,
}

impl Default for Description {
    fn default() -> Self {
        Self { metadata: "{}".to_owned(), datum: String::new(), sources: Vec::new() }
    }
}

/// Writes tiles in ascending order of their identifiers.
///
/// Memory is bounded: columns that grow with the tiles wait in files that `scratch` makes, one for each column when it is first
/// needed; what is held is 64 KiB a column, and 12 bytes for each run of consecutive tiles.
///
/// ```
/// # use std::io::Cursor;
/// use hypso::heights::{Description, HeightQueries, Heights, Packed, Writer};
/// use hypso::tile::TileCoord;
///
/// let codes: Vec<u32> = (0..256 * 256).map(|i| 0x80_0000 + i % 256 * 64).collect();
/// let mut out = Writer::new(Cursor::new(Vec::new()), || Ok(Cursor::new(Vec::new())), 256, Writer::TERRARIUM, false)?;
/// out.put(TileCoord::new(10, 906, 404).unwrap().into(), &Packed::new(256, &codes, &vec![1; 256 * 256])?, None)?;
/// let heights = Heights::from_bytes(out.finish(&Description::default())?.into_inner())?;
/// assert_eq!(heights.at(138.5157, 35.4606)?.map(|height| height.metres), Some(0.0));
/// # Ok::<(), hypso::Error>(())
/// ```
pub struct Writer<W, S> {
    out: ContainerBuilder<W>,
    data: BytesSection,
    size: u32,
    coding: [f64; 2],
    first: Vec<u64>,
    rank: Vec<u32>,
    /// One past the last tile.
    end: u64,
    tiles: u32,
    height: Columns<S>,
    lineage: Option<(Columns<S>, Spill<S>)>,
    scratch: Scratch<S>,
}

/// Makes files for what has to wait.
type Scratch<S> = Box<dyn FnMut() -> std::io::Result<S> + Send>;

impl Writer<(), ()> {
    /// The coding of Terrarium: `code / 256 - 32768` metres.
    pub const TERRARIUM: [f64; 2] = [1.0 / 256.0, -32_768.0];
    /// The coding of Mapbox Terrain-RGB: `code / 10 - 10000` metres.
    pub const MAPBOX: [f64; 2] = [0.1, -10_000.0];
}

impl<W: Write + Seek, S: Read + Write + Seek> Writer<W, S> {
    /// Begins a file of tiles with `size` pixels a side. `coding` is the scale and the offset that make metres of a code. With
    /// `lineage`, every tile has the source of each pixel beside it.
    ///
    /// # Errors
    /// Where the size has no 1 to 4096 pixels, the coding is none, or the output can't be written.
    pub fn new(
        out: W,
        scratch: impl FnMut() -> std::io::Result<S> + Send + 'static,
        size: u32,
        coding: [f64; 2],
        lineage: bool,
    ) -> Result<Self> {
        if !(1..=MAX_SIZE).contains(&size) {
            return Err(Error::argument("tile size", format!("is {size}; 1 to {MAX_SIZE} pixels are possible")));
        }
        if !coding[0].is_finite() || coding[0] == 0.0 || !coding[1].is_finite() {
            return Err(Error::argument("coding", format!("of scale {} and offset {} is none", coding[0], coding[1])));
        }
        let mut out = ContainerBuilder::new(out, names::SCHEMA)?;
        let data = out.writer().begin_bytes(&format!("{}.{}", names::HEIGHT, names::DATA), false)?;
        Ok(Self {
            out,
            data,
            size,
            coding,
            first: Vec::new(),
            rank: Vec::new(),
            end: 0,
            tiles: 0,
            height: Columns::default(),
            lineage: lineage.then(Default::default),
            scratch: Box::new(scratch),
        })
    }

    /// Adds a tile, with the numbers of its pixels' sources packed the same way where the file has a lineage. Gives the number of its
    /// content, for [`repeat`](Self::repeat).
    ///
    /// # Errors
    /// Where tiles do not ascend, the tile has another size, the lineage is missing or not wanted, there are 2^32 - 1
    /// tiles, or the output can't be written.
    pub fn put(&mut self, tile: TileId, packed: &Packed, lineage: Option<&Packed>) -> Result<u32> {
        let along = super::pack::blocks_along(self.size);
        if [Some(packed), lineage].into_iter().flatten().any(|packed| packed.directory.len() != along * along) {
            return Err(Error::argument("tile", format!("has another size than {} pixels", self.size)));
        }
        let content = self.height.contents;
        self.add(tile, content, lineage)?;
        let Self { out, data, scratch, .. } = self;
        self.height.content(packed, scratch)?;
        out.writer().append_bytes(data, &packed.data)?;
        Ok(content)
    }

    /// Adds a tile whose pixels are those of a tile before it.
    ///
    /// # Errors
    /// As [`put`](Self::put), and where there is no such content.
    pub fn repeat(&mut self, tile: TileId, content: u32, lineage: Option<&Packed>) -> Result<()> {
        if content >= self.height.contents {
            return Err(Error::argument("content", format!("{content} was not put yet")));
        }
        self.add(tile, content, lineage)
    }

    fn add(&mut self, tile: TileId, content: u32, lineage: Option<&Packed>) -> Result<()> {
        let refused = |problem: &str| Err(Error::argument(format!("tile id {}", tile.0), problem));
        if tile.zoom().is_none() {
            return refused("lies beyond zoom 31");
        }
        if tile.0 < self.end {
            return refused("does not come after the tile before it");
        }
        if self.tiles == u32::MAX {
            return refused("is one too many: a file holds 4,294,967,295 tiles");
        }
        match (&mut self.lineage, lineage) {
            (None, None) => {}
            (Some((columns, data)), Some(packed)) => {
                columns.row(columns.contents, &mut self.scratch)?;
                columns.content(packed, &mut self.scratch)?;
                data.push(&packed.data, &mut self.scratch)?;
            }
            (Some(_), None) => return refused("has no lineage, but the file has"),
            (None, Some(_)) => return refused("has a lineage, but the file has none"),
        }
        if self.tiles == 0 || tile.0 > self.end {
            self.first.push(tile.0);
            self.rank.push(self.tiles);
        }
        self.end = tile.0 + 1;
        self.tiles += 1;
        self.height.row(content, &mut self.scratch)
    }

    /// How many tiles there are, and how many different ones.
    #[must_use]
    pub fn counts(&self) -> (u32, u32) {
        (self.tiles, self.height.contents)
    }

    /// Writes what is left and gives the output back.
    ///
    /// # Errors
    /// Where the output can't be written.
    pub fn finish(self, description: &Description) -> Result<W> {
        let Self { mut out, mut data, first, mut rank, height, lineage, tiles, .. } = self;
        // So that eight bytes can be read from any residual on.
        out.writer().append_bytes(&mut data, &[0; super::block::PADDING])?;
        out.writer().end_bytes(data)?;
        rank.push(tiles);
        out.column(names::CODING, &self.coding)?;
        out.column(names::SIZE, &[self.size])?;
        out.column(names::RUN_FIRST, &first)?;
        out.column(names::RUN_DIRECTORY, &sorted::build(first.iter().copied()))?;
        out.column(names::RUN_RANK, &rank)?;
        height.write(&mut out, names::HEIGHT)?;
        if let Some((columns, data)) = lineage {
            columns.write(&mut out, names::LINEAGE)?;
            let mut section = out.writer().begin_bytes(&format!("{}.{}", names::LINEAGE, names::DATA), false)?;
            data.each(|bytes| out.writer().append_bytes(&mut section, bytes))?;
            out.writer().append_bytes(&mut section, &[0; super::block::PADDING])?;
            out.writer().end_bytes(section)?;
            out.ragged(names::SOURCES, &description.sources, false)?;
        }
        out.ragged(names::DATUM, [&description.datum], false)?;
        out.json(names::METADATA, &description.metadata)?;
        out.finish()
    }
}

impl<W, S> std::fmt::Debug for Writer<W, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("size", &self.size).field("tiles", &self.tiles).finish_non_exhaustive()
    }
}

/// The columns of a layer while it is written.
struct Columns<S> {
    contents: u32,
    /// Where the next content's data start.
    start: u64,
    content: Spill<S>,
    starts: Spill<S>,
    block: Spill<S>,
    least: Spill<S>,
    greatest: Spill<S>,
    valid: Spill<S>,
    sum: Spill<S>,
    void: Spill<S>,
}

impl<S> Default for Columns<S> {
    fn default() -> Self {
        let new = Spill::default;
        Self {
            contents: 0,
            start: 0,
            content: new(),
            starts: new(),
            block: new(),
            least: new(),
            greatest: new(),
            valid: new(),
            sum: new(),
            void: new(),
        }
    }
}

impl<S: Read + Write + Seek> Columns<S> {
    fn row(&mut self, content: u32, scratch: &mut Scratch<S>) -> Result<()> {
        self.content.push(&content.to_le_bytes(), scratch)
    }

    fn content(&mut self, packed: &Packed, scratch: &mut Scratch<S>) -> Result<()> {
        let Facts { least, greatest, valid, sum, void } = packed.facts;
        self.starts.push(&self.start.to_le_bytes(), scratch)?;
        self.block.push(bytemuck::cast_slice(&packed.directory), scratch)?;
        self.least.push(&least.to_le_bytes(), scratch)?;
        self.greatest.push(&greatest.to_le_bytes(), scratch)?;
        self.valid.push(&valid.to_le_bytes(), scratch)?;
        self.sum.push(&sum.to_le_bytes(), scratch)?;
        self.void.push(&void.to_le_bytes(), scratch)?;
        self.start += packed.data.len() as u64;
        self.contents += 1;
        Ok(())
    }

    fn write<W: Write + Seek>(self, out: &mut ContainerBuilder<W>, prefix: &str) -> Result<()> {
        self.content.write::<u32, W>(out, prefix, names::CONTENT)?;
        self.starts.write::<u64, W>(out, prefix, names::START)?;
        self.block.write::<u64, W>(out, prefix, names::BLOCK)?;
        self.least.write::<u32, W>(out, prefix, names::LEAST)?;
        self.greatest.write::<u32, W>(out, prefix, names::GREATEST)?;
        self.valid.write::<u32, W>(out, prefix, names::VALID)?;
        self.sum.write::<u64, W>(out, prefix, names::SUM)?;
        self.void.write::<u32, W>(out, prefix, names::VOID)
    }
}

/// Bytes that wait: in memory while they are few, else in a file.
struct Spill<S> {
    held: Vec<u8>,
    file: Option<S>,
    length: u64,
}

impl<S> Default for Spill<S> {
    fn default() -> Self {
        Self { held: Vec::new(), file: None, length: 0 }
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::Io { path: "a temporary file beside the output".into(), action: "write", source: error }
}

impl<S: Read + Write + Seek> Spill<S> {
    fn push(&mut self, bytes: &[u8], scratch: &mut Scratch<S>) -> Result<()> {
        if self.held.len() + bytes.len() > HELD && !self.held.is_empty() {
            if self.file.is_none() {
                self.file = Some(scratch().map_err(failed)?);
            }
            if let Some(file) = &mut self.file {
                file.write_all(&self.held).map_err(failed)?;
                self.held.clear();
            }
        }
        self.held.extend_from_slice(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Calls `take` with all bytes in order, piece by piece.
    fn each(mut self, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if let Some(file) = &mut self.file {
            let mut piece = vec![0; HELD];
            file.seek(SeekFrom::Start(0)).map_err(failed)?;
            let mut left = self.length - self.held.len() as u64;
            while left > 0 {
                let now = left.min(HELD as u64) as usize;
                file.read_exact(&mut piece[..now]).map_err(failed)?;
                take(&piece[..now])?;
                left -= now as u64;
            }
        }
        take(&self.held)
    }

    fn write<T: Element, W: Write + Seek>(self, out: &mut ContainerBuilder<W>, prefix: &str, name: &str) -> Result<()> {
        let count = self.length / T::TYPE.size();
        let mut section = out.writer().begin_raw(&format!("{prefix}.{name}"), Kind::Column, T::TYPE, 0, count)?;
        self.each(|bytes| out.writer().append(&mut section, bytes))?;
        out.writer().end_raw(section)
    }
}
