//! Packing a tile for a file.

use super::block::pack;
use super::entry::{MAX_OFFSET, PIXELS, SIDE};
use crate::error::{Error, Result};

/// The most pixels along a tile's side.
pub const MAX_SIZE: u32 = 4096;

/// How many blocks lie along a side of so many pixels.
#[inline]
pub(super) const fn blocks_along(size: u32) -> usize {
    (size as usize).div_ceil(SIDE)
}

/// What is known of a tile without looking at its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// The least code of a valid pixel; above [`greatest`](Self::greatest) where there is none.
    pub least: u32,
    /// The greatest code.
    pub greatest: u32,
    /// Valid pixels.
    pub valid: u32,
    /// The sum of their codes.
    pub sum: u64,
    /// The code of the first void pixel in the image, 0 where there is none.
    pub void: u32,
}

impl std::fmt::Display for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { least, greatest, valid, sum, void } = self;
        write!(f, "{valid} pixels from {least} to {greatest} with the sum {sum}, voids {void}")
    }
}

/// A packed tile: its directory, its blocks and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Packed {
    pub(super) directory: Vec<u64>,
    pub(super) data: Vec<u8>,
    pub(super) facts: Facts,
}

impl Packed {
    /// Packs the codes of a tile, row by row, and its mask of one byte (0 or 1) a pixel. About 1 ms for 512 pixels a side. Of void
    /// pixels the code of the first one is kept.
    ///
    /// # Errors
    /// Where the side has no 1 to 4096 pixels, the lengths do not fit it, or a code has more than 24 bits.
    pub fn new(size: u32, codes: &[u32], valid: &[u8]) -> Result<Self> {
        let (side, pixels) = (size as usize, size as usize * size as usize);
        if size == 0 || size > MAX_SIZE || codes.len() != pixels || valid.len() != pixels {
            let problem =
                format!("has {} codes and {} mask bytes for {size} x {size} pixels", codes.len(), valid.len());
            return Err(Error::argument("tile", format!("{problem}; 1 to {MAX_SIZE} pixels a side are possible")));
        }
        let facts = Facts::of(codes, valid);
        if facts.greatest > 0xff_ffff && facts.valid > 0 {
            return Err(Error::argument("tile", format!("has the code {}, more than 24 bits", facts.greatest)));
        }
        let along = blocks_along(size);
        let (mut directory, mut data) = (Vec::with_capacity(along * along), Vec::with_capacity(pixels));
        let (mut block, mut mask) = ([0; PIXELS], [0; PIXELS]);
        for top in (0..side).step_by(SIDE) {
            for left in (0..side).step_by(SIDE) {
                for row in 0..SIDE {
                    // Beyond the tile's edge, its last column and row are repeated.
                    let y = (top + row).min(side - 1) * side;
                    let (codes, valid) = (&codes[y..y + side], &valid[y..y + side]);
                    let (to, to_mask) = (&mut block[row * SIDE..][..SIDE], &mut mask[row * SIDE..][..SIDE]);
                    for x in 0..SIDE {
                        let from = (left + x).min(side - 1);
                        (to[x], to_mask[x]) = (codes[from], u8::from(valid[from] == 1));
                    }
                }
                directory.push(pack(&block, &mask, &mut data).0);
            }
        }
        debug_assert!(data.len() as u64 <= MAX_OFFSET);
        Ok(Self { directory, data, facts })
    }

    /// What is known of the tile.
    #[must_use]
    pub fn facts(&self) -> Facts {
        self.facts
    }

    /// All that makes the tile, for finding equal ones.
    pub fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        [bytemuck::cast_slice(&self.directory), &self.data[..], bytemuck::bytes_of(&self.facts.void)].into_iter()
    }
}

impl Facts {
    /// Of the codes of a tile and its mask of one byte (0 or 1) a pixel.
    #[must_use]
    pub fn of(codes: &[u32], valid: &[u8]) -> Self {
        let mut facts = Self { least: u32::MAX, greatest: 0, valid: 0, sum: 0, void: 0 };
        for (codes, valid) in codes.chunks(256).zip(valid.chunks(256)) {
            // Within 256 codes of 24 bits the sum fits 32 bits.
            let mut sum = 0u32;
            for (&code, &valid) in codes.iter().zip(valid) {
                let is = u32::from(valid == 1);
                facts.least = facts.least.min(if is == 1 { code } else { u32::MAX });
                facts.greatest = facts.greatest.max(code * is);
                facts.valid += is;
                sum = sum.wrapping_add(code * is);
            }
            facts.sum += u64::from(sum);
        }
        if let Some(void) = valid.iter().position(|&v| v != 1) {
            facts.void = codes[void] & 0xff_ffff;
        }
        facts
    }
}
