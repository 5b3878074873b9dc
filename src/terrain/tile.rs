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
    /// The lowest and the highest height, metres, and of how many pixels; infinities where none is valid.
    #[must_use]
    pub fn range(&self) -> (f32, f32, u64) {
        const LANES: usize = 8;
        let (mut low, mut high, mut count) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES], [0u32; LANES]);
        for (values, valid) in self.values.chunks(LANES).zip(self.valid.chunks(LANES)) {
            for (((&value, &valid), (low, high)), count) in
                values.iter().zip(valid).zip(low.iter_mut().zip(&mut high)).zip(&mut count)
            {
                *low = if valid == 1 && value < *low { value } else { *low };
                *high = if valid == 1 && value > *high { value } else { *high };
                *count += u32::from(valid == 1);
            }
        }
        let all = |f: fn(f32, f32) -> f32, values: [f32; LANES]| values.into_iter().fold(values[0], f);
        (all(f32::min, low), all(f32::max, high), count.into_iter().map(u64::from).sum())
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_of_valid_heights() {
        let mut tile = ElevationTile::empty(5);
        assert_eq!(tile.range(), (f32::INFINITY, f32::NEG_INFINITY, 0));
        for (at, height) in [(1, -3.5), (7, 9.0), (24, 12.25)] {
            (tile.values[at], tile.valid[at]) = (height, 1);
        }
        tile.values[20] = 100.0;
        assert_eq!(tile.range(), (-3.5, 12.25, 3));
    }
}
