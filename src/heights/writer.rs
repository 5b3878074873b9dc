//! Writing a file of heights: blocks stream into the file, columns follow at the end.

use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use super::names;
use super::pack::{Facts, MAX_SIZE, Packed};
use crate::atomic::ScratchFile;
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
/// Memory is bounded where the output is a file: columns that grow with the tiles then wait in unnamed files beside it. What is held is
/// 64 KiB a column, and 12 bytes for each run of consecutive tiles.
///
/// ```
/// # use std::io::Cursor;
/// use hypso::heights::{Description, HeightQueries, Heights, Packed, Writer};
/// use hypso::tile::TileCoord;
///
/// let codes: Vec<u32> = (0..256 * 256).map(|i| 0x80_0000 + i % 256 * 64).collect();
/// let mut out = Writer::new(Cursor::new(Vec::new()), None, 256, Writer::TERRARIUM, false)?;
/// out.put(TileCoord::new(10, 906, 404).unwrap().into(), &Packed::new(256, &codes, &vec![1; 256 * 256])?, None)?;
/// let heights = Heights::from_bytes(out.finish(&Description::default())?.into_inner())?;
/// assert_eq!(heights.at(138.5157, 35.4606)?.map(|height| height.metres), Some(0.0));
/// # Ok::<(), hypso::Error>(())
/// ```
pub struct Writer<W> {
    out: ContainerBuilder<W>,
    data: BytesSection,
    size: u32,
    coding: [f64; 2],
    first: Vec<u64>,
    rank: Vec<u32>,
    /// One past the last tile.
    end: u64,
    tiles: u32,
    height: Columns,
    lineage: Option<(Columns, Spill)>,
}

impl Writer<()> {
    /// The coding of Terrarium: `code / 256 - 32768` metres.
    pub const TERRARIUM: [f64; 2] = [1.0 / 256.0, -32_768.0];
    /// The coding of Mapbox Terrain-RGB: `code / 10 - 10000` metres.
    pub const MAPBOX: [f64; 2] = [0.1, -10_000.0];
}

impl<W: Write + Seek> Writer<W> {
    /// Begins a file of tiles with `size` pixels a side. `beside` is the output's name, in whose folder what has to wait is put; without
    /// one it is held in memory. `coding` is the scale and the offset that make metres of a code. With `lineage`, every tile
    /// has the source of each pixel beside it.
    ///
    /// # Errors
    /// Where the size has no 1 to 4096 pixels, the coding is none, or the output can't be written.
    pub fn new(out: W, beside: Option<&Path>, size: u32, coding: [f64; 2], lineage: bool) -> Result<Self> {
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
            height: Columns::new(beside),
            lineage: lineage.then(|| (Columns::new(beside), Spill::new(beside))),
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
        self.height.content(packed)?;
        self.out.writer().append_bytes(&mut self.data, &packed.data)?;
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
                columns.content.push(&columns.contents.to_le_bytes())?;
                columns.content(packed)?;
                data.push(&packed.data)?;
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
        self.height.content.push(&content.to_le_bytes())
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

impl<W> std::fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("size", &self.size).field("tiles", &self.tiles).finish_non_exhaustive()
    }
}

/// The columns of a layer while it is written.
struct Columns {
    contents: u32,
    /// Where the next content's data start.
    start: u64,
    content: Spill,
    starts: Spill,
    block: Spill,
    least: Spill,
    greatest: Spill,
    valid: Spill,
    sum: Spill,
    void: Spill,
}

impl Columns {
    fn new(beside: Option<&Path>) -> Self {
        let new = || Spill::new(beside);
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

    fn content(&mut self, packed: &Packed) -> Result<()> {
        let Facts { least, greatest, valid, sum, void } = packed.facts;
        self.starts.push(&self.start.to_le_bytes())?;
        self.block.push(bytemuck::cast_slice(&packed.directory))?;
        self.least.push(&least.to_le_bytes())?;
        self.greatest.push(&greatest.to_le_bytes())?;
        self.valid.push(&valid.to_le_bytes())?;
        self.sum.push(&sum.to_le_bytes())?;
        self.void.push(&void.to_le_bytes())?;
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

/// Bytes that wait: in memory while they are few, else in a file without a name.
struct Spill {
    beside: Option<PathBuf>,
    held: Vec<u8>,
    file: Option<ScratchFile>,
    spilled: u64,
}

impl Spill {
    fn new(beside: Option<&Path>) -> Self {
        Self { beside: beside.map(Path::to_path_buf), held: Vec::new(), file: None, spilled: 0 }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        if self.held.len() + bytes.len() > HELD
            && let Some(target) = &self.beside
        {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(ScratchFile::beside(target)?),
            };
            file.write(&self.held, self.spilled)?;
            self.spilled += self.held.len() as u64;
            self.held.clear();
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// Calls `take` with all bytes in order, piece by piece.
    fn each(&self, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let (mut piece, mut at) = (vec![0; HELD], 0);
        while let Some(file) = self.file.as_ref().filter(|_| at < self.spilled) {
            let now = (self.spilled - at).min(HELD as u64) as usize;
            file.read(&mut piece[..now], at)?;
            take(&piece[..now])?;
            at += now as u64;
        }
        take(&self.held)
    }

    fn write<T: Element, W: Write + Seek>(self, out: &mut ContainerBuilder<W>, prefix: &str, name: &str) -> Result<()> {
        let count = (self.spilled + self.held.len() as u64) / T::TYPE.size();
        let mut section = out.writer().begin_raw(&format!("{prefix}.{name}"), Kind::Column, T::TYPE, 0, count)?;
        self.each(|bytes| out.writer().append(&mut section, bytes))?;
        out.writer().end_raw(section)
    }
}
