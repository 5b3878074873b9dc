//! A block of 16 x 16 codes: a header, a mask where it is partly void, and residuals of one bit width a quarter.
//!
//! A code is `(base + surface + lift + residual) << shift`: the base and the surface are the block's, the lift and the width
//! of the residuals the quarter's, and the shift is how many low bits are zero in all codes of the block.

use super::entry::{Entry, Kind, PIXELS, QUARTERS, SIDE, WIDEST};
use super::fit::Surface;
use crate::error::{Error, Result};

/// Base (i32), five coefficients (i16), four lifts (u8).
pub(super) const HEADER: usize = 18;
/// One bit a pixel.
pub(super) const MASK: usize = PIXELS / 8;
/// Bytes that follow the last block, so that eight can be read from any residual on.
pub const PADDING: usize = 8;
/// From this many bits of all four quarters together, a block may be smaller without a surface.
const ROUGH: u32 = 20;
/// Pixels along the side of a quarter.
const HALF: usize = SIDE / 2;

/// What is wrong with a block that points outside of its data.
#[cold]
pub(super) fn damaged() -> Error {
    Error::invalid("blocks of heights", "point outside of their data", "the file is damaged: make it again")
}

/// A block that lies in a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a> {
    entry: Entry,
    /// From the block's header to the end of the section.
    bytes: &'a [u8],
    base: i32,
    surface: Surface,
    lifts: [u8; QUARTERS],
}

impl<'a> Block<'a> {
    /// The block of an entry; `data` is the section, in which the tile's blocks start at `start`.
    #[inline]
    pub(super) fn new(entry: Entry, data: &'a [u8], start: u64) -> Result<Self> {
        if matches!(entry.kind(), Kind::Void | Kind::Constant) {
            return Ok(Self { entry, bytes: &[], base: 0, surface: Surface::default(), lifts: [0; QUARTERS] });
        }
        let at = usize::try_from(start).ok().and_then(|start| start.checked_add(entry.offset()));
        let bytes = at.and_then(|at| data.get(at..)).ok_or_else(damaged)?;
        let header = bytes.first_chunk::<HEADER>().ok_or_else(damaged)?;
        let base = i32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let surface = Surface(std::array::from_fn(|i| i16::from_le_bytes([header[4 + 2 * i], header[5 + 2 * i]])));
        Ok(Self { entry, bytes, base, surface, lifts: [header[14], header[15], header[16], header[17]] })
    }

    /// The code of a pixel; `None` where it is void. Both coordinates are below 16.
    #[inline]
    pub(super) fn code(&self, x: u32, y: u32) -> Result<Option<i32>> {
        let residuals = match self.entry.kind() {
            Kind::Void => return Ok(None),
            Kind::Constant => return Ok(Some(self.entry.code() as i32)),
            Kind::Full => HEADER,
            Kind::Masked => {
                let at = (y * SIDE as u32 + x) as usize;
                let byte = self.bytes.get(HEADER + at / 8).ok_or_else(damaged)?;
                if byte >> (at % 8) & 1 == 0 {
                    return Ok(None);
                }
                HEADER + MASK
            }
        };
        let quarter = ((y >> 3) * 2 + (x >> 3)) as usize & 3;
        let width = self.entry.width(quarter);
        let bit = (y % 8 * 8 + x % 8) * width;
        let at = residuals + self.entry.widths_before(quarter) as usize * 8 + (bit / 8) as usize;
        let word = self.bytes.get(at..).and_then(|bytes| bytes.first_chunk()).ok_or_else(damaged)?;
        let residual = (u64::from_le_bytes(*word) >> (bit % 8)) as u32 & ((1u32 << width) - 1);
        let value = self.base.wrapping_add(self.surface.at(x, y)).wrapping_add(i32::from(self.lifts[quarter]));
        Ok(Some(value.wrapping_add(residual as i32).wrapping_shl(self.entry.shift())))
    }

    /// The codes of a pixel, of the one east of it, and of the two south of these. Both coordinates are below 15.
    #[inline]
    pub(super) fn four(&self, x: u32, y: u32) -> Result<[Option<i32>; 4]> {
        const HALF: u32 = super::block::HALF as u32;
        let quarter = ((y / HALF) * 2 + x / HALF) as usize & 3;
        let width = self.entry.width(quarter);
        let in_one = x % HALF < HALF - 1 && y % HALF < HALF - 1;
        if self.entry.kind() != Kind::Full || !in_one || width > WIDEST {
            return Ok([self.code(x, y)?, self.code(x + 1, y)?, self.code(x, y + 1)?, self.code(x + 1, y + 1)?]);
        }
        // Neighbours in a row lie side by side, both within eight bytes: 7 bits before them and twice 26.
        let first = HEADER + self.entry.widths_before(quarter) as usize * 8;
        let (mask, row) = ((1u64 << width) - 1, HALF * width);
        let pair = |bit: u32| -> Result<[i32; 2]> {
            let word = self.bytes.get(first + (bit / 8) as usize..).and_then(|bytes| bytes.first_chunk());
            let bits = u64::from_le_bytes(*word.ok_or_else(damaged)?) >> (bit % 8);
            Ok([(bits & mask) as i32, (bits >> width & mask) as i32])
        };
        let bit = (y % HALF * HALF + x % HALF) * width;
        let ([a, b], [c, d]) = (pair(bit)?, pair(bit + row)?);
        let base = self.base.wrapping_add(i32::from(self.lifts[quarter]));
        let shift = self.entry.shift();
        let code = |x: u32, y: u32, residual: i32| {
            Some(base.wrapping_add(self.surface.at(x, y)).wrapping_add(residual).wrapping_shl(shift))
        };
        Ok([code(x, y, a), code(x + 1, y, b), code(x, y + 1, c), code(x + 1, y + 1, d)])
    }

    /// All codes, row by row, and which of them are valid; the codes of void pixels are 0.
    pub(super) fn decode(&self, codes: &mut [i32; PIXELS], valid: &mut [u8; PIXELS]) -> Result<()> {
        match self.entry.kind() {
            Kind::Void => {
                (*codes, *valid) = ([0; PIXELS], [0; PIXELS]);
                return Ok(());
            }
            Kind::Constant => {
                (*codes, *valid) = ([self.entry.code() as i32; PIXELS], [1; PIXELS]);
                return Ok(());
            }
            Kind::Full => *valid = [1; PIXELS],
            Kind::Masked => {
                let mask = self.bytes.get(HEADER..).and_then(|b| b.first_chunk::<MASK>()).ok_or_else(damaged)?;
                for (at, valid) in valid.iter_mut().enumerate() {
                    *valid = mask[at / 8] >> (at % 8) & 1;
                }
            }
        }
        let mut at = if self.entry.kind() == Kind::Masked { HEADER + MASK } else { HEADER };
        let (surface, shift) = (self.surface.all(), self.entry.shift());
        for quarter in 0..QUARTERS {
            let width = self.entry.width(quarter);
            let end = at + width as usize * 8;
            let packed = self.bytes.get(at..end + PADDING).ok_or_else(damaged)?;
            let mask = (1u32 << width) - 1;
            let base = self.base.wrapping_add(i32::from(self.lifts[quarter]));
            for row in 0..HALF {
                let first = (quarter / 2 * HALF + row) * SIDE + quarter % 2 * HALF;
                // A row of a quarter has eight residuals, which are as many whole bytes as they have bits.
                let bytes = &packed[row * width as usize..];
                for x in 0..HALF {
                    let bit = x * width as usize;
                    let word = bytes[bit / 8..].first_chunk().ok_or_else(damaged)?;
                    let residual = (u64::from_le_bytes(*word) >> (bit % 8)) as u32 & mask;
                    let i = first + x;
                    codes[i] = base.wrapping_add(surface[i]).wrapping_add(residual as i32).wrapping_shl(shift);
                }
            }
            at = end;
        }
        if self.entry.kind() == Kind::Masked {
            codes.iter_mut().zip(valid.iter()).for_each(|(code, &valid)| *code *= i32::from(valid));
        }
        Ok(())
    }

    /// A range that holds the codes of all valid pixels, from the header alone; `None` where there are none.
    pub(super) fn bounds(&self) -> Option<(i64, i64)> {
        match self.entry.kind() {
            Kind::Void => None,
            Kind::Constant => Some((self.entry.code().into(), self.entry.code().into())),
            _ => {
                let (low, high) = self.surface.range();
                let top = |q: usize| i64::from(self.lifts[q]) + (1i64 << self.entry.width(q)) - 1;
                let lift = self.lifts.iter().copied().min().unwrap_or(0);
                let low = i64::from(self.base) + i64::from(low) + i64::from(lift);
                let high = i64::from(self.base) + i64::from(high) + (0..QUARTERS).map(top).max().unwrap_or(0);
                Some((low << self.entry.shift(), high << self.entry.shift()))
            }
        }
    }
}

/// Packs a block behind `data` and gives its entry, whose offset is where it starts in `data`. The codes of void pixels mean
/// nothing.
pub(super) fn pack(codes: &[u32; PIXELS], valid: &[u8; PIXELS], data: &mut Vec<u8>) -> Entry {
    let count = valid.iter().map(|&v| usize::from(v)).sum::<usize>();
    let Some(first) = valid.iter().position(|&v| v == 1) else { return Entry::VOID };
    // Void pixels are given the value of the last valid one, so that they disturb the surface little.
    let mut filled = [0i32; PIXELS];
    let (mut last, mut bits, mut differs) = (codes[first], 0u32, false);
    for ((filled, &code), &valid) in filled.iter_mut().zip(codes).zip(valid) {
        last = if valid == 1 { code } else { last };
        *filled = last as i32;
        bits |= last;
        differs |= last != codes[first];
    }
    if !differs && count == PIXELS {
        return Entry::constant(codes[first]);
    }
    let shift = bits.trailing_zeros().min(23);
    filled.iter_mut().for_each(|value| *value >>= shift);
    let mut best = Residuals::over(Surface::through(&filled), &filled, valid);
    if best.bits() > ROUGH {
        // A surface does not fit steps and cliffs.
        let flat = Residuals::over(Surface::default(), &filled, valid);
        best = if flat.bits() < best.bits() { flat } else { best };
    }
    let offset = data.len() as u64;
    let masked = count < PIXELS;
    best.write(valid, masked, data);
    Entry::stored(masked, offset, best.widths, shift)
}

/// The residuals of a block over a surface.
struct Residuals {
    surface: Surface,
    base: i32,
    lifts: [u8; QUARTERS],
    widths: [u32; QUARTERS],
    values: [i32; PIXELS],
}

/// Where the rows of a quarter start, of eight pixels each.
fn rows_of(quarter: usize) -> impl Iterator<Item = usize> {
    let first = quarter / 2 * HALF * SIDE + quarter % 2 * HALF;
    (0..HALF).map(move |y| first + y * SIDE)
}

impl Residuals {
    fn over(surface: Surface, values: &[i32; PIXELS], valid: &[u8; PIXELS]) -> Self {
        let mut left = surface.all();
        left.iter_mut().zip(values).for_each(|(left, &value)| *left = value - *left);
        let (mut least, mut greatest) = ([i32::MAX; QUARTERS], [i32::MIN; QUARTERS]);
        for quarter in 0..QUARTERS {
            let (mut low, mut high) = ([i32::MAX; HALF], [i32::MIN; HALF]);
            for row in rows_of(quarter) {
                let pixels = left[row..row + HALF].iter().zip(&valid[row..row + HALF]);
                for ((&value, &valid), (low, high)) in pixels.zip(low.iter_mut().zip(&mut high)) {
                    *low = if valid == 1 && value < *low { value } else { *low };
                    *high = if valid == 1 && value > *high { value } else { *high };
                }
            }
            least[quarter] = low.into_iter().fold(i32::MAX, i32::min);
            greatest[quarter] = high.into_iter().fold(i32::MIN, i32::max);
        }
        let base = least.iter().copied().min().unwrap_or(0);
        let (mut lifts, mut widths) = ([0u8; QUARTERS], [0u32; QUARTERS]);
        for quarter in 0..QUARTERS {
            if least[quarter] <= greatest[quarter] {
                // The residuals take what a byte of lift can't hold.
                lifts[quarter] = u8::try_from(least[quarter] - base).unwrap_or(u8::MAX);
                let range = greatest[quarter] - base - i32::from(lifts[quarter]);
                widths[quarter] = u32::BITS - (range as u32).leading_zeros();
            }
        }
        Self { surface, base, lifts, widths, values: left }
    }

    fn bits(&self) -> u32 {
        self.widths.iter().sum()
    }

    fn write(&self, valid: &[u8; PIXELS], masked: bool, data: &mut Vec<u8>) {
        data.extend_from_slice(&self.base.to_le_bytes());
        self.surface.0.iter().for_each(|c| data.extend_from_slice(&c.to_le_bytes()));
        data.extend_from_slice(&self.lifts);
        if masked {
            let bits = |eight: &[u8]| eight.iter().enumerate().fold(0u8, |byte, (i, &v)| byte | (v & 1) << i);
            data.extend(valid.chunks(8).map(bits));
        }
        for quarter in 0..QUARTERS {
            let (base, width) = (self.base + i32::from(self.lifts[quarter]), self.widths[quarter]);
            let (mut word, mut filled) = (0u64, 0);
            for i in rows_of(quarter).flat_map(|row| row..row + HALF) {
                let residual = if valid[i] == 1 { (self.values[i] - base) as u64 } else { 0 };
                word |= residual << filled;
                filled += width;
                if filled >= 32 {
                    data.extend_from_slice(&(word as u32).to_le_bytes());
                    word >>= 32;
                    filled -= 32;
                }
            }
            // 64 residuals of any width are whole words of 32 bits, so that nothing is left.
            debug_assert_eq!(filled, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Codes of all kinds of ground: noise of any width on a slope, with any number of low zeros, cliffs, voids.
    fn blocks() -> impl Strategy<Value = ([u32; PIXELS], [u8; PIXELS])> {
        let shape = (0u32..=24, 0u32..=20, 0u32..0x100_0000, -4000i64..4000, -4000i64..4000, 0u8..=10, any::<u64>());
        shape.prop_map(|(noise, low, start, sx, sy, voids, seed)| {
            let mut state = seed | 1;
            let mut random = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as u32
            };
            let (mut codes, mut valid) = ([0; PIXELS], [1; PIXELS]);
            for (i, (code, valid)) in codes.iter_mut().zip(&mut valid).enumerate() {
                let slope = sx * (i % SIDE) as i64 + sy * (i / SIDE) as i64 + i64::from(start);
                let value = slope + i64::from(random() & ((1u32 << noise) - 1));
                *code = (value.clamp(0, 0xff_ffff) as u32) >> low << low;
                *valid = u8::from(voids == 0 || (random() % 10) as u8 >= voids);
            }
            (codes, valid)
        })
    }

    proptest! {
        #[test]
        fn a_block_is_what_it_was((codes, valid) in blocks()) {
            let mut data = vec![7; 5];
            let entry = pack(&codes, &valid, &mut data);
            prop_assert!(entry.is_legal());
            prop_assert_eq!(data.len() - 5, entry.length());
            data.extend([0; PADDING]);
            let section = [&[9; 3], &data[..]].concat();
            let block = Block::new(entry, &section, 3).unwrap();
            let (mut back, mut mask) = ([1; PIXELS], [9; PIXELS]);
            block.decode(&mut back, &mut mask).unwrap();
            prop_assert_eq!(mask, valid);
            for i in 0..PIXELS {
                let expected = (valid[i] == 1).then_some(codes[i] as i32);
                prop_assert_eq!(block.code((i % SIDE) as u32, (i / SIDE) as u32).unwrap(), expected);
                prop_assert_eq!(back[i], expected.unwrap_or(0));
                if let (Some(code), Some((low, high))) = (expected, block.bounds()) {
                    prop_assert!((low..=high).contains(&i64::from(code)));
                }
            }
            for i in 0..15 * 15 {
                let (x, y) = (i % 15, i / 15);
                let each = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| block.code(x + dx, y + dy).unwrap());
                prop_assert_eq!(block.four(x, y).unwrap(), each);
            }
            prop_assert_eq!(block.bounds().is_none(), valid.iter().all(|&v| v == 0));
        }

        #[test]
        fn noise_is_harmless(entry in any::<u64>(), start in prop_oneof![0u64..100, any::<u64>()], data in prop::collection::vec(any::<u8>(), 0..1200)) {
            if let Ok(block) = Block::new(Entry(entry & !(MAX << 2) | (entry >> 40 & 0x7f) << 2), &data, start) {
                let _ = (block.bounds(), block.decode(&mut [0; PIXELS], &mut [0; PIXELS]));
                for i in 0..PIXELS as u32 {
                    let _ = (block.code(i % 16, i / 16), block.four(i % 15, i / 16 % 15));
                }
            }
        }
    }

    const MAX: u64 = super::super::entry::MAX_OFFSET;

    #[test]
    fn what_is_flat_costs_its_entry_alone() {
        let mut data = Vec::new();
        assert_eq!(pack(&[0x80_0000; PIXELS], &[1; PIXELS], &mut data), Entry::constant(0x80_0000));
        assert_eq!(pack(&[5; PIXELS], &[0; PIXELS], &mut data), Entry::VOID);
        assert!(data.is_empty());
        let mut valid = [1; PIXELS];
        valid[77] = 0;
        let entry = pack(&[64; PIXELS], &valid, &mut data);
        assert_eq!((entry.length(), data.len()), (HEADER + MASK, HEADER + MASK));
    }
}
