//! The eight bytes that say what a block holds and where.

/// Pixels along the side of a block.
pub const SIDE: usize = 16;
/// Pixels of a block.
pub const PIXELS: usize = SIDE * SIDE;
/// Quarters of a block, each with a bit width of its own: north-west, north-east, south-west, south-east.
pub(super) const QUARTERS: usize = 4;
/// The widest residual that a writer makes, bits: codes have 24, and the fitted surface may run against them.
pub(super) const WIDEST: u32 = 26;
/// Offsets inside a tile's data have 26 bits.
pub(super) const MAX_OFFSET: u64 = (1 << 26) - 1;

/// What kind of block it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No pixel has a height; nothing is stored.
    Void,
    /// All pixels have one code. The entry holds it; nothing else is stored.
    Constant,
    /// All pixels have a height.
    Full,
    /// Some have: the mask lies behind the header.
    Masked,
}

/// An entry of a tile's directory.
///
/// Bits 0-1: the kind. Bits 2-27: where the block starts in the tile's data, bytes; of a constant block, its code. Bits
/// 28-47: the bit widths of the quarters, five each. Bits 48-52: the shift. The rest is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry(pub(super) u64);

impl Entry {
    pub(super) const VOID: Self = Self(0);

    pub(super) const fn constant(code: u32) -> Self {
        Self(1 | (code as u64) << 2)
    }

    pub(super) fn stored(masked: bool, offset: u64, widths: [u32; QUARTERS], shift: u32) -> Self {
        let widths = widths.iter().rev().fold(0u64, |all, &width| all << 5 | u64::from(width));
        Self(2 | u64::from(masked) | offset << 2 | widths << 28 | u64::from(shift) << 48)
    }

    #[inline]
    pub(super) fn kind(self) -> Kind {
        match self.0 & 3 {
            0 => Kind::Void,
            1 => Kind::Constant,
            2 => Kind::Full,
            _ => Kind::Masked,
        }
    }

    /// True where the block has data.
    #[inline]
    pub(super) fn is_stored(self) -> bool {
        self.0 & 2 != 0
    }

    #[inline]
    pub(super) fn offset(self) -> usize {
        (self.0 >> 2 & MAX_OFFSET) as usize
    }

    #[inline]
    pub(super) fn code(self) -> u32 {
        (self.0 >> 2 & 0xff_ffff) as u32
    }

    #[inline]
    pub(super) fn width(self, quarter: usize) -> u32 {
        (self.0 >> (28 + 5 * quarter) & 31) as u32
    }

    /// The widths of the quarters before this one, together.
    #[inline]
    pub(super) fn widths_before(self, quarter: usize) -> u32 {
        // Without branches: which quarter it is can't be foreseen.
        let before = Self(self.0 & ((1 << (28 + 5 * quarter)) - 1));
        before.width(0) + before.width(1) + before.width(2)
    }

    /// Where a pixel's residual lies behind the block's start, bytes.
    #[inline]
    pub(super) fn residual(self, x: u32, y: u32) -> usize {
        let quarter = (y % 16 / 8 * 2 + x % 16 / 8) as usize;
        let before = if self.0 & 1 == 1 { super::block::HEADER + super::block::MASK } else { super::block::HEADER };
        before + (self.widths_before(quarter) * 8 + (y % 8 * 8 + x % 8) * self.width(quarter) / 8) as usize
    }

    #[inline]
    pub(super) fn shift(self) -> u32 {
        (self.0 >> 48 & 31) as u32
    }

    /// Bytes of the block's data.
    #[cfg(test)]
    pub(super) fn length(self) -> usize {
        match self.kind() {
            Kind::Void | Kind::Constant => 0,
            kind => {
                let widths: u32 = (0..QUARTERS).map(|q| self.width(q)).sum();
                super::block::HEADER + if kind == Kind::Masked { super::block::MASK } else { 0 } + widths as usize * 8
            }
        }
    }

    /// True where it has no bit that version 1 does not know.
    pub(super) fn is_legal(self) -> bool {
        match self.kind() {
            Kind::Void => self.0 == 0,
            Kind::Constant => self.0 == Self::constant(self.code()).0,
            _ => self.0 >> 53 == 0 && self.shift() < 24 && (0..QUARTERS).all(|q| self.width(q) <= WIDEST),
        }
    }
}
