//! The heights of one tile.

/// One tile's heights: row by row from the north-west, `size * size` of them, with a mask beside them.
///
/// A value without its mask bit means nothing; it is 0 in tiles that hypso makes.
#[derive(Debug, Clone, PartialEq)]
pub struct ElevationTile {
    /// Pixels along a side.
    pub size: u32,
    /// Metres.
    pub values: Vec<f32>,
    /// 1 where the pixel has a height, else 0.
    pub valid: Vec<u8>,
}

impl ElevationTile {
    /// A tile without any height.
    #[must_use]
    pub fn empty(size: u32) -> Self {
        let pixels = size as usize * size as usize;
        Self { size, values: vec![0.0; pixels], valid: vec![0; pixels] }
    }

    /// How many pixels have a height.
    #[must_use]
    pub fn valid_count(&self) -> usize {
        self.valid.iter().map(|&v| usize::from(v)).sum()
    }

    /// True where no pixel has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.valid.iter().all(|&v| v == 0)
    }

    /// True where every pixel has one.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.valid.iter().all(|&v| v == 1)
    }
}
