//! The sections of one value a pixel, heights or sources: which content a tile has, and the blocks of the contents.

use std::ops::Range;

use super::block::{Block, HEADER, damaged};
use super::entry::{Entry, PIXELS, SIDE};
use super::names;
use super::pack::{Facts, blocks_along};
use crate::column::{Element, view};
use crate::error::{Error, Result};
use crate::format::{Kind, Sections};

/// Where the sections of a layer lie.
#[derive(Debug, Clone)]
pub(super) struct Places {
    content: Range<usize>,
    start: Range<usize>,
    block: Range<usize>,
    data: Range<usize>,
    least: Range<usize>,
    greatest: Range<usize>,
    valid: Range<usize>,
    sum: Range<usize>,
    void: Range<usize>,
}

impl Places {
    /// Finds the sections and compares their lengths.
    pub(super) fn find(sections: &Sections, prefix: &str, tiles: u64, size: u32) -> Result<Self> {
        let name = |part: &str| format!("{prefix}.{part}");
        let starts = name(names::START);
        let contents = sections.find(&starts, Kind::Column).map_or(0, |entry| entry.count());
        fn column<T: Element>(sections: &Sections, name: String, count: u64) -> Result<Range<usize>> {
            sections.raw(&name, Kind::Column, T::TYPE, Some(count))
        }
        let blocks = contents.saturating_mul((blocks_along(size) as u64).pow(2));
        Ok(Self {
            content: column::<u32>(sections, name(names::CONTENT), tiles)?,
            start: column::<u64>(sections, starts, contents)?,
            block: column::<u64>(sections, name(names::BLOCK), blocks)?,
            data: sections.raw(&name(names::DATA), Kind::Bytes, u8::TYPE, None)?,
            least: column::<u32>(sections, name(names::LEAST), contents)?,
            greatest: column::<u32>(sections, name(names::GREATEST), contents)?,
            valid: column::<u32>(sections, name(names::VALID), contents)?,
            sum: column::<u64>(sections, name(names::SUM), contents)?,
            void: column::<u32>(sections, name(names::VOID), contents)?,
        })
    }

    /// The sections of a file.
    #[inline]
    pub(super) fn layer<'a>(&'a self, bytes: &'a [u8], size: u32) -> Layer<'a> {
        Layer {
            places: self,
            bytes,
            content: view(bytes, &self.content),
            start: view(bytes, &self.start),
            block: view(bytes, &self.block),
            data: bytes.get(self.data.clone()).unwrap_or(&[]),
            along: blocks_along(size),
        }
    }
}

/// The sections of a layer, as slices.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer<'a> {
    places: &'a Places,
    bytes: &'a [u8],
    content: &'a [u32],
    start: &'a [u64],
    block: &'a [u64],
    data: &'a [u8],
    along: usize,
}

impl<'a> Layer<'a> {
    /// How many contents there are.
    pub(super) fn contents(&self) -> usize {
        self.start.len()
    }

    /// The number of a tile's content.
    #[inline]
    pub(super) fn content_of(&self, row: usize) -> Result<usize> {
        let content = self.content.get(row).copied().map_or(usize::MAX, |content| content as usize);
        if content < self.start.len() { Ok(content) } else { Err(no_content()) }
    }

    /// A content that exists.
    #[inline]
    pub(super) fn blocks(&self, content: usize) -> Result<Blocks<'a>> {
        let count = self.along * self.along;
        let first = content * count;
        match (self.block.get(first..first + count), self.start.get(content)) {
            (Some(entries), Some(&start)) => Ok(Blocks { entries, data: self.data, start, along: self.along }),
            _ => Err(no_content()),
        }
    }

    /// An entry by its number among all; that of a void block where there is none.
    #[inline]
    pub(super) fn entry(&self, at: usize) -> Entry {
        Entry(self.block.get(at).copied().unwrap_or(0))
    }

    /// The memory of entries, and that of bytes of the data, by their numbers; nothing where there are none.
    pub(super) fn entry_bytes(&self, at: usize) -> &'a [u8] {
        bytemuck::cast_slice(self.block.get(at..at.saturating_add(1)).unwrap_or(&[]))
    }

    /// As above.
    pub(super) fn data_bytes(&self, at: usize) -> &'a [u8] {
        self.data.get(at..at.saturating_add(1)).unwrap_or(&[])
    }

    /// The small sections that every point needs: which content each tile has, and where it starts.
    pub(super) fn directory(&self) -> [&'a [u8]; 2] {
        [bytemuck::cast_slice(self.content), bytemuck::cast_slice(self.start)]
    }

    /// A byte of the data.
    #[inline]
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.data.get(at).copied().unwrap_or(0)
    }

    pub(super) fn packed_bytes(&self, content: usize) -> u64 {
        let Some(&start) = self.start.get(content) else { return 0 };
        let end = self.start.get(content + 1).copied().unwrap_or(self.data.len() as u64);
        end.saturating_sub(start).saturating_add((self.along * self.along * 8) as u64)
    }

    pub(super) fn facts(&self, content: usize) -> Facts {
        let number = |place: &Range<usize>| view::<u32>(self.bytes, place).get(content).copied().unwrap_or(0);
        Facts {
            least: number(&self.places.least),
            greatest: number(&self.places.greatest),
            valid: number(&self.places.valid),
            sum: view::<u64>(self.bytes, &self.places.sum).get(content).copied().unwrap_or(0),
            void: number(&self.places.void),
        }
    }
}

#[cold]
fn no_content() -> Error {
    Error::invalid("tiles of heights", "one has a content that is not there", "the file is damaged: make it again")
}

/// The blocks of a content.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks<'a> {
    entries: &'a [u64],
    data: &'a [u8],
    start: u64,
    along: usize,
}

impl<'a> Blocks<'a> {
    pub(super) fn along(&self) -> usize {
        self.along
    }

    /// The block in a column and a row of blocks.
    #[inline]
    pub(super) fn block(&self, column: usize, row: usize) -> Result<Block<'a>> {
        let entry = self.entries.get(row * self.along + column).ok_or_else(damaged)?;
        Block::new(Entry(*entry), self.data, self.start)
    }

    /// The entry of a block.
    #[inline]
    pub(super) fn entry_of(&self, column: usize, row: usize) -> Entry {
        Entry(self.entries.get(row * self.along + column).copied().unwrap_or(0))
    }

    /// Where an entry of the blocks of this content is, among all.
    #[inline]
    pub(super) fn entry_at(&self, content: usize, column: usize, row: usize) -> usize {
        (content * self.along + row) * self.along + column
    }

    /// Bytes of the data in each line of memory that a pixel needs of the block of an entry.
    #[inline]
    pub(super) fn lines(&self, entry: Entry, x: u32, y: u32) -> [usize; 3] {
        if !entry.is_stored() {
            return [0; 3];
        }
        let start = (self.start as usize).wrapping_add(entry.offset());
        [0, HEADER - 1, entry.residual(x, y)].map(|at| start.wrapping_add(at))
    }

    /// The code of a pixel; `None` where it is void.
    #[inline]
    pub(super) fn code(&self, x: u32, y: u32) -> Result<Option<i32>> {
        const LAST: u32 = SIDE as u32 - 1;
        self.block(x as usize / SIDE, y as usize / SIDE)?.code(x & LAST, y & LAST)
    }

    /// The codes of a pixel, of the one east of it, and of the two south of these, all inside the tile.
    #[inline]
    pub(super) fn four(&self, x: u32, y: u32) -> Result<[Option<i32>; 4]> {
        const LAST: u32 = SIDE as u32 - 1;
        if x & LAST == LAST || y & LAST == LAST {
            return Ok([self.code(x, y)?, self.code(x + 1, y)?, self.code(x, y + 1)?, self.code(x + 1, y + 1)?]);
        }
        let block = self.block(x as usize / SIDE, y as usize / SIDE)?;
        block.four(x & LAST, y & LAST)
    }

    /// All pixels of a tile of `size`: their codes, 0 where they are void, and which of them are valid.
    pub(super) fn read(&self, size: u32, codes: &mut Vec<u32>, valid: &mut Vec<u8>) -> Result<()> {
        let side = size as usize;
        codes.clear();
        codes.resize(side * side, 0);
        valid.clear();
        valid.resize(side * side, 0);
        let (mut block, mut mask) = ([0; PIXELS], [0; PIXELS]);
        for row in 0..self.along {
            for column in 0..self.along {
                self.block(column, row)?.decode(&mut block, &mut mask)?;
                let width = SIDE.min(side - column * SIDE);
                for y in 0..SIDE.min(side - row * SIDE) {
                    let to = (row * SIDE + y) * side + column * SIDE;
                    let from = y * SIDE;
                    let (to_codes, to_valid) = (&mut codes[to..to + width], &mut valid[to..to + width]);
                    to_valid.copy_from_slice(&mask[from..from + width]);
                    to_codes.iter_mut().zip(&block[from..]).for_each(|(to, &code)| *to = code as u32);
                }
            }
        }
        if codes.iter().any(|&code| code > 0xff_ffff) {
            return Err(Error::invalid("blocks of heights", "hold codes of more than 24 bits", "make the file again"));
        }
        Ok(())
    }
}
